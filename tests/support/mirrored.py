"""Joints of a mirrored image, as tests expect them."""

import numpy as np


def flip_points(points, width, permutation):
    """Return joints (..., J, 2) mirrored in x, left and right joints exchanged."""
    flipped = np.array(points)[..., permutation, :]
    flipped[..., 0] = width - 1 - flipped[..., 0]
    return flipped
