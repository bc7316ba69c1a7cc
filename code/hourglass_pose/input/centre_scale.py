"""The square that MPII's centre and scale of a person stand for, as published and as two code bases cut it.

Published (Newell, Yang and Deng 2016, and all that compare with it): the centre moved down by 15 x scale pixels, and a
side of 200 x scale x 1.25 pixels. Areas are given by their edges: pixel i reaches from i to i + 1.
"""

from typing import Tuple

import numpy as np

LOWERED = 15.0  # px of the image, times scale
SIDE = 200.0 * 1.25  # px of the image, times scale

# 'princeton' and 'bearpaw' are what princeton-vl/pytorch_stacked_hourglass (its train.h5 and valid.h5 hold the centre
# and scale already lowered and widened) and bearpaw/pytorch-pose do at the state of 2020: both put MPII's centre, which
# counts from 1, onto an array that counts from 0, and cut the corners to whole pixels.
CORNERS = ('exact', 'princeton', 'bearpaw')


def crop_edges(
    centre_img: np.ndarray, scale: float, crop_size: int, corners: str = 'exact'
) -> Tuple[np.ndarray, np.ndarray]:
    """Return (lower, upper) edges, (2,) each, of the part of the image that is brought to crop_size x crop_size.

    centre_img: (x, y), 0-based, pixel centres at integers. scale: height of the person / 200 px. corners: one of
    CORNERS; with 'exact' the area is a square, otherwise its sides may differ by a pixel. bearpaw shrinks an image of
    more than two pixels a crop pixel before it cuts, so its corners are whole pixels of the shrunk image; the sides of
    the shrunk image, which it rounds down, are taken as they would be unrounded.
    """
    centre_img = np.asarray(centre_img, np.float64) + [0.0, LOWERED * scale]
    half = SIDE * scale / 2
    if corners == 'exact':
        return centre_img + 0.5 - half, centre_img + 0.5 + half
    counted_from_one = centre_img + 1.0
    if corners == 'princeton':
        lower, upper = np.trunc(counted_from_one - half), np.trunc(counted_from_one + half)
        return lower, np.maximum(upper, lower + 1)
    per_crop_pixel = SIDE * scale / crop_size
    shrink = per_crop_pixel if per_crop_pixel >= 2 else 1.0
    # Its map counts pixels of the crop from 1 as well, and truncates before the 1 is added again.
    middle = (counted_from_one - per_crop_pixel) / shrink
    lower, upper = np.trunc(middle - half / shrink) + 1, np.trunc(middle + half / shrink) + 1
    return lower * shrink, np.maximum(upper, lower + 1) * shrink


def affine_of_edges(lower: np.ndarray, upper: np.ndarray, crop_size: int) -> np.ndarray:
    """Return affine_crop_from_img that brings an area given by its edges to crop_size x crop_size pixels."""
    stretch = crop_size / (upper - lower)
    offset = (0.5 - lower) * stretch - 0.5
    return np.array([[stretch[0], 0.0, offset[0]], [0.0, stretch[1], offset[1]]])
