"""Affine maps between image (_img), network input (_crop) and heatmap (_hm), and the horizontal flip.

All coordinates are 0-based, x right, y down, with pixel centres at integers. A matrix `affine_b_from_a` is a float64
(2, 3) array that takes column vectors (x, y, 1) of frame a to frame b.
"""

import math
from typing import Any, Tuple

import numpy as np

ArrayLike = Any
"""What np.asarray accepts: an array, a list or a tuple of numbers."""


def square_box(box_img: ArrayLike, margin: float) -> Tuple[np.ndarray, float]:
    """Return (centre_img (2,), side_img) of the square around a box widened by `margin` on each side.

    box_img: (x0, y0, x1, y1), first and last pixel inclusive. The side is the box's longer side times
    (1 + 2 * margin), in pixels, and at least one pixel.
    """
    x0, y0, x1, y1 = np.asarray(box_img, np.float64).tolist()
    longer = max(x1 - x0, y1 - y0, 0.0) + 1.0
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2]), longer * (1.0 + 2.0 * margin)


def crop_affine(
    centre_img: ArrayLike, side_img: float, crop_size: int, rotation_deg: float = 0.0, flip: bool = False
) -> np.ndarray:
    """Return affine_crop_from_img that maps a square of the image to crop_size x crop_size pixels.

    centre_img: (x, y) that maps to the centre of the crop. side_img: side of the square in image pixels.
    rotation_deg: rotation of the image about that centre, positive anti-clockwise on the screen.
    flip: mirror the finished crop, x to crop_size - 1 - x.
    """
    scale, angle = crop_size / float(side_img), math.radians(rotation_deg)
    # y points down, so this is the anti-clockwise rotation on the screen.
    cos, sin, middle = scale * math.cos(angle), scale * math.sin(angle), (crop_size - 1) / 2.0
    x, y = float(centre_img[0]), float(centre_img[1])
    affine = np.array([[cos, sin, middle - (cos * x + sin * y)], [-sin, cos, middle - (cos * y - sin * x)]])
    if flip:
        affine[0] *= -1.0
        affine[0, 2] += crop_size - 1.0
    return affine


def square_of_affine(affine_crop_from_img: np.ndarray, crop_size: int) -> Tuple[np.ndarray, float]:
    """Return (centre_img (2,), side_img) of the square that crop_affine maps to a crop, whatever its rotation and flip.

    For an affine map that shows a rectangle the side is the square root of its area.
    """
    img_from_crop = invert(affine_crop_from_img)
    centre = transform_points(img_from_crop, [(crop_size - 1) / 2.0] * 2)
    return centre, crop_size * float(np.sqrt(abs(np.linalg.det(img_from_crop[:, :2]))))


def zoom_affine(scale: float, width: int) -> np.ndarray:
    """Return the affine map that enlarges a square image or map `width` wide by `scale` about its centre."""
    offset = (1.0 - scale) * (width - 1) / 2.0
    return np.array([[scale, 0.0, offset], [0.0, scale, offset]])


def compose(affine_c_from_b: np.ndarray, affine_b_from_a: np.ndarray) -> np.ndarray:
    """Return affine_c_from_a: first affine_b_from_a, then affine_c_from_b."""
    affine: np.ndarray = affine_c_from_b[:, :2].dot(affine_b_from_a)
    affine[:, 2] += affine_c_from_b[:, 2]
    return affine


def invert(affine: np.ndarray) -> np.ndarray:
    """Return the inverse affine map. Raises numpy.linalg.LinAlgError for a singular map."""
    (a, b, x), (c, d, y) = affine.tolist()
    determinant = a * d - b * c
    if determinant == 0.0:
        raise np.linalg.LinAlgError('singular map')
    a, b, c, d = d / determinant, -b / determinant, -c / determinant, a / determinant
    return np.array([[a, b, -(a * x + b * y)], [c, d, -(c * x + d * y)]])


def transform_points(affine: np.ndarray, points: ArrayLike) -> np.ndarray:
    """Return points (..., 2) mapped by an affine map, float64."""
    mapped: np.ndarray = np.asarray(points, np.float64).dot(affine[:, :2].T) + affine[:, 2]
    return mapped


def image_from_crops(affines_crop_from_img: ArrayLike, points_crop: ArrayLike) -> np.ndarray:
    """Return points (N, J, 2) float64 in image pixels of points (N, J, 2) in N crops with affines (N, 2, 3)."""
    return np.stack(
        [transform_points(invert(affine), points) for affine, points in zip(affines_crop_from_img, points_crop)]
    )


def inside_image(points_img: ArrayLike, size_wh: ArrayLike) -> np.ndarray:
    """Return bool (...): whether points (..., 2) lie in an image of (width, height), from -0.5 to size - 0.5.

    size_wh: also one number for both.
    """
    points = np.asarray(points_img)
    with np.errstate(invalid='ignore'):
        inside: np.ndarray = np.logical_and.reduce((points >= -0.5) & (points < np.asarray(size_wh) - 0.5), axis=-1)
    return inside


def inside_crop(points_crop: ArrayLike, crop_size: int) -> np.ndarray:
    """Return bool (...): whether points (..., 2) lie in a square crop, from -0.5 to crop_size - 0.5."""
    return inside_image(points_crop, crop_size)


def hm_from_crop(points_crop: ArrayLike, stride: int) -> np.ndarray:
    """Return points in heatmap cells of points in crop pixels; a cell is centred on its stride x stride pixels."""
    cells: np.ndarray = (np.asarray(points_crop) + 0.5) / stride - 0.5
    return cells


def crop_from_hm(points_hm: ArrayLike, stride: int) -> np.ndarray:
    """Return points in crop pixels of points in heatmap cells, the inverse of hm_from_crop."""
    points: np.ndarray = (np.asarray(points_hm) + 0.5) * stride - 0.5
    return points
