"""The crop of MPII's centre and scale of a person, as published and as two code bases compute it.

Published (Newell, Yang and Deng 2016, and work that compares with it): the centre moved down by 15 x scale pixels, and
a side of 200 x scale x 1.25 pixels. Areas are given by their edges: pixel i extends from i to i + 1.
"""

from typing import Tuple

import numpy as np

LOWERED = 15.0  # px of the image, times scale
SIDE = 200.0 * 1.25  # px of the image, times scale

# 'princeton' and 'bearpaw' repeat princeton-vl/pytorch_stacked_hourglass (whose train.h5 and valid.h5 hold the centre
# and scale already lowered and widened) and bearpaw/pytorch-pose as of 2020: both use MPII's 1-based centre with
# 0-based arrays, and truncate the corners to whole pixels.
CORNERS = ('exact', 'princeton', 'bearpaw')


def crop_edges(
    centre_img: np.ndarray, scale: float, crop_size: int, corners: str = 'exact'
) -> Tuple[np.ndarray, np.ndarray]:
    """Return (lower, upper) edges, (2,) each, of the part of the image that is resized to crop_size x crop_size.

    centre_img: (x, y), 0-based, pixel centres at integers. scale: height of the person / 200 px. corners: one of
    CORNERS; with 'exact' the area is a square, otherwise its sides may differ by a pixel. bearpaw shrinks an image of
    more than two pixels per crop pixel before it crops, so its corners are whole pixels of the shrunk image; it rounds
    the sides of the shrunk image down, which is not repeated here.
    """
    centre_img = np.asarray(centre_img, np.float64) + [0.0, LOWERED * scale]
    half = SIDE * scale / 2
    if corners == 'exact':
        return centre_img + 0.5 - half, centre_img + 0.5 + half
    one_based = centre_img + 1.0
    if corners == 'princeton':
        lower, upper = np.trunc(one_based - half), np.trunc(one_based + half)
        return lower, np.maximum(upper, lower + 1)
    per_crop_pixel = SIDE * scale / crop_size
    shrink = per_crop_pixel if per_crop_pixel >= 2 else 1.0
    # Its transform also uses 1-based crop pixels, and truncates before it adds 1 again.
    middle = (one_based - per_crop_pixel) / shrink
    lower, upper = np.trunc(middle - half / shrink) + 1, np.trunc(middle + half / shrink) + 1
    return lower * shrink, np.maximum(upper, lower + 1) * shrink


def affine_of_edges(lower: np.ndarray, upper: np.ndarray, crop_size: int) -> np.ndarray:
    """Return affine_crop_from_img that maps an area given by its edges to crop_size x crop_size pixels."""
    stretch = crop_size / (upper - lower)
    offset = (0.5 - lower) * stretch - 0.5
    return np.array([[stretch[0], 0.0, offset[0]], [0.0, stretch[1], offset[1]]])
