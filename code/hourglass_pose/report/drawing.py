"""Rendering of poses: skeletons and heatmaps over images, tiles of a person, PNG files.

Every image is uint8 RGB (H, W, 3). Functions do not change their input images, except those that take a canvas.
"""

import os
from typing import Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.files import write_whole
from hourglass_pose.report.palette import SIDE_COLOURS, TRUTH_COLOUR
from hourglass_pose.skeleton import Skeleton

Colour = Tuple[int, int, int]

BACKGROUND = (30, 30, 33)
_OUTLINE = (16, 16, 18)

# OpenCV takes fixed-point positions, here in sixteenths of a pixel.
_FRACTION_BITS = 4
# Points farther away would overflow OpenCV's 32-bit positions; the visible part of their limbs does not move.
_FARTHEST = 1e6


def render_skeleton(
    image_rgb: np.ndarray,
    joints_img: np.ndarray,
    skeleton: Skeleton,
    scores: Optional[np.ndarray] = None,
    min_score: float = 0.0,
    thickness: Optional[int] = None,
) -> np.ndarray:
    """Return the image with a predicted pose: limbs and joints in the colours of the person's sides.

    Args:
        joints_img: (J, 2) pixels of the image; those that are not finite are left out.
        scores: (J,) or None; joints scored below min_score are left out. A limb needs both of its joints.
        thickness: of a limb in pixels; by default it follows from the sizes of image and pose.
    """
    shown = np.ones(len(skeleton), bool) if scores is None else np.asarray(scores) >= min_score
    canvas, points, shown = _prepare(image_rgb, joints_img, shown)
    thickness = thickness or _fitting_thickness(canvas, points, shown)
    for a, b in skeleton.limbs:
        if shown[a] and shown[b]:
            _line(canvas, points[a], points[b], _OUTLINE, thickness + 2)
            _line(canvas, points[a], points[b], SIDE_COLOURS[_limb_side(skeleton, a, b)], thickness)
    for joint in np.flatnonzero(shown):
        _disc(canvas, points[joint], 0.95 * thickness + 1, _OUTLINE)
        _disc(canvas, points[joint], 0.95 * thickness, SIDE_COLOURS[skeleton.side(int(joint))])
    return canvas


def render_truth(
    image_rgb: np.ndarray, joints_img: np.ndarray, labelled: np.ndarray, skeleton: Skeleton, outline: bool = True
) -> np.ndarray:
    """Return the image with a labelled pose: thin white limbs, and small dots in the colours of the sides.

    Args:
        labelled: bool (J,), the joints to show.
        outline: whether dark edges separate the limbs from a bright image.
        joints_img: as in render_skeleton.
    """
    canvas, points, shown = _prepare(image_rgb, joints_img, labelled)
    thickness = max(1, _fitting_thickness(canvas, points, shown) // 3)
    for a, b in skeleton.limbs:
        if shown[a] and shown[b]:
            if outline:
                _line(canvas, points[a], points[b], _OUTLINE, thickness + 2)
            _line(canvas, points[a], points[b], TRUTH_COLOUR, thickness)
    for joint in np.flatnonzero(shown):
        _disc(canvas, points[joint], thickness + 1.5, TRUTH_COLOUR)
        _disc(canvas, points[joint], thickness + 0.5, SIDE_COLOURS[skeleton.side(int(joint))])
    return canvas


def heatmap_overlay(crop_rgb: np.ndarray, maps: np.ndarray, skeleton: Optional[Skeleton] = None) -> np.ndarray:
    """Return the darkened crop with bright heatmaps over it, each scaled to its own maximum.

    Args:
        maps: (H, W, J) of one person, at least 0, covering the crop at any resolution.
        skeleton: colours the maps by the person's sides; without it all are yellow.
    """
    height, width = checked_image(crop_rgb).shape[:2]
    maps = np.asarray(maps, np.float32)
    peaks = maps.max(axis=(0, 1))
    maps = maps / np.where(peaks > 0, peaks, 1.0).astype(np.float32)
    sides = ['middle' if skeleton is None else skeleton.side(int(joint)) for joint in range(maps.shape[2])]
    colours = np.array([SIDE_COLOURS[side] for side in sides], np.float32)
    opacity = cv2.resize(maps.max(axis=2), (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    glow = maps.dot(colours) / np.maximum(maps.sum(axis=2, keepdims=True), 1e-6)
    glow = cv2.resize(glow, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(0.5 * crop_rgb * (1 - opacity) + glow * opacity), 0, 255).astype(np.uint8)


def pose_tile(
    image_rgb: np.ndarray,
    skeleton: Skeleton,
    tile_size_wh: Tuple[int, int],
    joints_pred_img: Optional[np.ndarray] = None,
    joints_true_img: Optional[np.ndarray] = None,
    labelled: Optional[np.ndarray] = None,
    box_img: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Return a tile with the image scaled to fit, and the labelled pose in white over the predicted one.

    Args:
        tile_size_wh: (width, height) of the tile in pixels.
        joints_pred_img, joints_true_img: (J, 2) pixels of the image, each None to leave it out.
        labelled: bool (J,), needed with joints_true_img.
        box_img: (x0, y0, x1, y1), the part of the image to show with a margin, or None for the whole.
    """
    image_rgb, origin_img = _cut(checked_image(image_rgb), box_img)
    photo, factors = fit(image_rgb, tile_size_wh)

    def in_photo(joints_img: np.ndarray) -> np.ndarray:
        return (np.asarray(joints_img, np.float64) - origin_img + 0.5) * factors - 0.5

    if joints_true_img is not None and labelled is not None:
        photo = render_truth(photo, in_photo(joints_true_img), labelled, skeleton)
    if joints_pred_img is not None:
        photo = render_skeleton(photo, in_photo(joints_pred_img), skeleton)
    if joints_true_img is not None and labelled is not None and joints_pred_img is not None:
        # Rendered again without outline, so that white is on top of the limbs and the outline does not hide them.
        photo = render_truth(photo, in_photo(joints_true_img), labelled, skeleton, outline=False)
    return centre_on(photo, tile_size_wh)


def write_png(path: Union[str, os.PathLike], image_rgb: np.ndarray) -> None:
    """Write an image as PNG, atomically. Raises UserError if that fails."""
    encoded, content = cv2.imencode('.png', cv2.cvtColor(checked_image(image_rgb), cv2.COLOR_RGB2BGR))
    if not encoded:
        raise UserError(f'{path}: an image of {image_rgb.shape[:2]} pixels cannot be written as PNG')
    write_whole(path, content.tobytes())


def checked_image(image_rgb: np.ndarray) -> np.ndarray:
    """Return the image as an array. Raises ValueError for anything but uint8 (H, W, 3) with H, W > 0."""
    image_rgb = np.asarray(image_rgb)
    if image_rgb.dtype != np.uint8 or image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or 0 in image_rgb.shape:
        raise ValueError(f'expected a uint8 RGB image (H, W, 3), found {image_rgb.dtype} {image_rgb.shape}')
    return image_rgb


def fit(image_rgb: np.ndarray, size_wh: Tuple[int, int]) -> Tuple[np.ndarray, np.ndarray]:
    """Return the image resized to fit into (width, height), and the scale factors (x, y)."""
    height, width = image_rgb.shape[:2]
    factor = min(size_wh[0] / width, size_wh[1] / height)
    fitted_wh = max(1, int(round(width * factor))), max(1, int(round(height * factor)))
    if fitted_wh != (width, height):
        interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        image_rgb = cv2.resize(image_rgb, fitted_wh, interpolation=interpolation)
    return image_rgb, np.array([fitted_wh[0] / width, fitted_wh[1] / height])


def blank(width: int, height: int) -> np.ndarray:
    """Return an empty image in the colour of the background."""
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def centre_on(photo: np.ndarray, size_wh: Tuple[int, int]) -> np.ndarray:
    """Return a blank image of (width, height) with the photo, which is not larger, in its middle."""
    tile = blank(*size_wh)
    height, width = photo.shape[:2]
    x, y = (size_wh[0] - width) // 2, (size_wh[1] - height) // 2
    tile[y : y + height, x : x + width] = photo
    return tile


def render_key(canvas: np.ndarray, x: int, y: int, length: int, colour: Colour, thickness: int) -> None:
    """Render a short limb with a joint into a legend, in place, from (x, y) to the right."""
    _line(canvas, (x, y), (x + length, y), colour, thickness)
    _disc(canvas, (x + length // 2, y), thickness, colour)


def _prepare(
    image_rgb: np.ndarray, joints_img: np.ndarray, shown: np.ndarray
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    points = np.asarray(joints_img, np.float64)
    shown = np.asarray(shown, bool) & np.isfinite(points).all(axis=1)
    points = np.clip(np.where(shown[:, None], points, 0.0), -_FARTHEST, _FARTHEST)
    return np.array(checked_image(image_rgb), order='C'), points, shown


def _fitting_thickness(canvas: np.ndarray, points: np.ndarray, shown: np.ndarray) -> int:
    """Return 1/90 of the size of the pose or the image, whichever is smaller, and 1 pixel more."""
    size = np.sqrt(canvas.shape[0] * canvas.shape[1])
    if shown.sum() > 1:
        size = min(size, 1.2 * np.linalg.norm(np.ptp(points[shown], axis=0)))
    return int(round(size / 90.0)) + 1


def _limb_side(skeleton: Skeleton, a: int, b: int) -> str:
    sides = {skeleton.side(a), skeleton.side(b)} - {'middle'}
    return sides.pop() if len(sides) == 1 else 'middle'


def _fixed_point(point: Sequence[float]) -> Tuple[int, ...]:
    return tuple(int(round(value * 2**_FRACTION_BITS)) for value in point)


def _line(canvas: np.ndarray, start: Sequence[float], end: Sequence[float], colour: Colour, thickness: int) -> None:
    cv2.line(canvas, _fixed_point(start), _fixed_point(end), colour, thickness, cv2.LINE_AA, _FRACTION_BITS)


def _disc(canvas: np.ndarray, centre: Sequence[float], radius: float, colour: Colour) -> None:
    fixed = int(round(radius * 2**_FRACTION_BITS))
    cv2.circle(canvas, _fixed_point(centre), fixed, colour, cv2.FILLED, cv2.LINE_AA, _FRACTION_BITS)


def _cut(image_rgb: np.ndarray, box_img: Optional[np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Return the part of the image in the box widened by an eighth on each side, and its origin (x, y)."""
    height, width = image_rgb.shape[:2]
    if box_img is None:
        return image_rgb, np.zeros(2)
    x0, y0, x1, y1 = np.asarray(box_img, np.float64)
    margin = 0.125 * max(x1 - x0, y1 - y0)
    left, top = int(np.clip(x0 - margin, 0, width - 1)), int(np.clip(y0 - margin, 0, height - 1))
    right, bottom = int(np.clip(x1 + margin, left, width - 1)), int(np.clip(y1 + margin, top, height - 1))
    return image_rgb[top : bottom + 1, left : right + 1], np.array([left, top], np.float64)
