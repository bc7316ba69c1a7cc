"""Pictures of poses: skeletons and heatmaps over photos, captioned tiles, contact sheets, PNG files.

Every picture is uint8 RGB (H, W, 3); no function changes the picture it is given.
"""

import cv2
import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.files import write_whole

# After the palette of Okabe and Ito 2008, told apart with every common colour blindness: vermilion, sky blue
# and yellow, brightened for photos.
SIDE_COLOURS = {'right': (255, 106, 0), 'left': (64, 172, 255), 'middle': (245, 230, 70)}
TRUTH_COLOUR = (255, 255, 255)

_OUTLINE = (16, 16, 18)
_BACKGROUND = (30, 30, 33)
_TEXT = (236, 236, 236)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_GAP = 8
_STRIP_HEIGHT = 24

# OpenCV draws at fixed-point positions, here sixteenths of a pixel.
_FRACTION_BITS = 4
# Farther points would overflow OpenCV's 32-bit positions; what of their limbs is in the picture stays put.
_FARTHEST = 1e6


def draw_skeleton(image_rgb, joints_img, skeleton, scores=None, min_score=0.0, thickness=None):
    """Return the picture with a predicted pose: limbs and joints in the colours of the person's sides.

    joints_img: (J, 2) pixels of the picture; those that are not finite are left out.
    scores: (J,) or None; joints scored below min_score are left out. A limb needs both of its joints.
    thickness: of a limb in pixels; by default fits the sizes of picture and pose.
    """
    shown = np.ones(len(skeleton), bool) if scores is None else np.asarray(scores) >= min_score
    canvas, points, shown = _prepare(image_rgb, joints_img, shown)
    thickness = thickness or _fitting_thickness(canvas, points, shown)
    for a, b in skeleton.limbs:
        if shown[a] and shown[b]:
            _draw_line(canvas, points[a], points[b], _OUTLINE, thickness + 2)
            _draw_line(canvas, points[a], points[b], SIDE_COLOURS[_limb_side(skeleton, a, b)], thickness)
    for joint in np.flatnonzero(shown):
        _draw_disc(canvas, points[joint], 0.95 * thickness + 1, _OUTLINE)
        _draw_disc(canvas, points[joint], 0.95 * thickness, SIDE_COLOURS[skeleton.side(joint)])
    return canvas


def draw_truth(image_rgb, joints_img, labelled, skeleton, thickness=None, outline=True):
    """Return the picture with a labelled pose: thin white limbs, and small dots in the colours of the sides.

    labelled: bool (J,). outline: whether dark edges set the limbs off from a bright picture. The other
    arguments as in draw_skeleton.
    """
    canvas, points, shown = _prepare(image_rgb, joints_img, labelled)
    thickness = thickness or max(1, _fitting_thickness(canvas, points, shown) // 3)
    for a, b in skeleton.limbs:
        if shown[a] and shown[b]:
            if outline:
                _draw_line(canvas, points[a], points[b], _OUTLINE, thickness + 2)
            _draw_line(canvas, points[a], points[b], TRUTH_COLOUR, thickness)
    for joint in np.flatnonzero(shown):
        _draw_disc(canvas, points[joint], thickness + 1.5, TRUTH_COLOUR)
        _draw_disc(canvas, points[joint], thickness + 0.5, SIDE_COLOURS[skeleton.side(joint)])
    return canvas


def heatmap_overlay(crop_rgb, maps, skeleton=None):
    """Return the darkened crop with heatmaps glowing over it, each scaled to its own maximum.

    maps: (H, W, J) of one person, at least 0, covering the crop whatever their resolution.
    skeleton: colours the maps by the person's sides; without it all are yellow.
    """
    height, width = _checked(crop_rgb).shape[:2]
    maps = np.asarray(maps, np.float32)
    peaks = maps.max(axis=(0, 1))
    maps = maps / np.where(peaks > 0, peaks, 1.0).astype(np.float32)
    sides = ['middle' if skeleton is None else skeleton.side(joint) for joint in range(maps.shape[2])]
    colours = np.array([SIDE_COLOURS[side] for side in sides], np.float32)
    opacity = cv2.resize(maps.max(axis=2), (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    glow = maps.dot(colours) / np.maximum(maps.sum(axis=2, keepdims=True), 1e-6)
    glow = cv2.resize(glow, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(0.5 * crop_rgb * (1 - opacity) + glow * opacity), 0, 255).astype(np.uint8)


def pose_tile(
    image_rgb,
    skeleton,
    tile_size_wh,
    joints_pred_img=None,
    joints_true_img=None,
    labelled=None,
    scores=None,
    min_score=0.0,
    box_img=None,
):
    """Return a tile with the picture as large as it fits, the labelled pose in white over the predicted one.

    tile_size_wh: (width, height) of the tile in pixels. box_img: (x0, y0, x1, y1), the part of the picture to
    show with a margin, or None for the whole. The other arguments as in draw_skeleton and draw_truth.
    """
    image_rgb, origin_img = _cut(_checked(image_rgb), box_img)
    photo, factors = _fit(image_rgb, tile_size_wh)

    def in_photo(joints_img):
        return (np.asarray(joints_img, np.float64) - origin_img + 0.5) * factors - 0.5

    truth_drawn = joints_true_img is not None
    if truth_drawn:
        photo = draw_truth(photo, in_photo(joints_true_img), labelled, skeleton)
    if joints_pred_img is not None:
        photo = draw_skeleton(photo, in_photo(joints_pred_img), skeleton, scores, min_score)
    if truth_drawn and joints_pred_img is not None:
        # Once more, so that white shows over the limbs and its outline does not hide them.
        photo = draw_truth(photo, in_photo(joints_true_img), labelled, skeleton, outline=False)
    return _centre_on(photo, tile_size_wh)


def contact_sheet(tiles, columns, tile_size_wh, captions=None, legend=True):
    """Return a sheet of tiles in rows.

    tiles: RGB pictures of any sizes, made to fit. columns: tiles in a full row.
    captions: a text under each tile, shortened in its middle where it is too long, or None.
    legend: whether a strip at the foot explains the colours.
    Raises ValueError without tiles, or with a number of captions that is not theirs.
    """
    if not tiles or (captions is not None and len(captions) != len(tiles)):
        raise ValueError(f'expected tiles and as many captions, found {len(tiles)} and {len(captions or ())}')
    width, height = tile_size_wh
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    row_height = height + _GAP + (_STRIP_HEIGHT if captions is not None else 0)
    sheet = _blank(columns * (width + _GAP) + _GAP, rows * row_height + _GAP)
    for index, tile in enumerate(tiles):
        x, y = _GAP + index % columns * (width + _GAP), _GAP + index // columns * row_height
        sheet[y : y + height, x : x + width] = _centre_on(_fit(_checked(tile), tile_size_wh)[0], tile_size_wh)
        if captions is not None:
            _write_text(sheet, captions[index], x, y + height + _STRIP_HEIGHT // 2, width, centred=True)
    return np.concatenate([sheet, legend_strip(sheet.shape[1])]) if legend else sheet


def legend_strip(width, predicted=True):
    """Return a strip of the given width that explains the colours of skeletons.

    predicted: whether predictions are in colour and labels in white; else there are labels alone, in colour.
    """
    strip = _blank(width, _STRIP_HEIGHT + _GAP)
    entries = [
        (f'{"predicted" if predicted else "labelled"} right', SIDE_COLOURS['right'], 4),
        ('left', SIDE_COLOURS['left'], 4),
        ('middle', SIDE_COLOURS['middle'], 4),
    ]
    if predicted:
        entries.append(('labelled', TRUTH_COLOUR, 2))
    x, y = _GAP, _STRIP_HEIGHT // 2
    for text, colour, thickness in entries:
        _draw_line(strip, (x, y), (x + 22, y), colour, thickness)
        _draw_disc(strip, (x + 11, y), thickness, colour)
        x += 30 + _write_text(strip, text, x + 30, y, width - x - 30 - _GAP) + 2 * _GAP
    return strip


def write_png(path, image_rgb):
    """Write a picture as PNG; the file appears whole or not at all. Raises UserError if that fails."""
    encoded, content = cv2.imencode('.png', cv2.cvtColor(_checked(image_rgb), cv2.COLOR_RGB2BGR))
    if not encoded:
        raise UserError(f'{path}: a picture of {image_rgb.shape[:2]} pixels cannot be written as PNG')
    write_whole(path, content.tobytes())


def _checked(image_rgb):
    image_rgb = np.asarray(image_rgb)
    if image_rgb.dtype != np.uint8 or image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or 0 in image_rgb.shape:
        raise ValueError(f'expected a uint8 RGB picture (H, W, 3), found {image_rgb.dtype} {image_rgb.shape}')
    return image_rgb


def _prepare(image_rgb, joints_img, shown):
    points = np.asarray(joints_img, np.float64)
    shown = np.asarray(shown, bool) & np.isfinite(points).all(axis=1)
    points = np.clip(np.where(shown[:, None], points, 0.0), -_FARTHEST, _FARTHEST)
    return np.array(_checked(image_rgb), order='C'), points, shown


def _fitting_thickness(canvas, points, shown):
    """Limbs of one part in 90 of the pose or the picture, whichever is smaller, and 1 pixel more."""
    size = np.sqrt(canvas.shape[0] * canvas.shape[1])
    if shown.sum() > 1:
        size = min(size, 1.2 * np.linalg.norm(np.ptp(points[shown], axis=0)))
    return int(round(size / 90.0)) + 1


def _limb_side(skeleton, a, b):
    sides = {skeleton.side(a), skeleton.side(b)} - {'middle'}
    return sides.pop() if len(sides) == 1 else 'middle'


def _fixed_point(point):
    return tuple(int(round(value * 2**_FRACTION_BITS)) for value in point)


def _draw_line(canvas, start, end, colour, thickness):
    cv2.line(canvas, _fixed_point(start), _fixed_point(end), colour, thickness, cv2.LINE_AA, _FRACTION_BITS)


def _draw_disc(canvas, centre, radius, colour):
    cv2.circle(
        canvas,
        _fixed_point(centre),
        int(round(radius * 2**_FRACTION_BITS)),
        colour,
        cv2.FILLED,
        cv2.LINE_AA,
        _FRACTION_BITS,
    )


def _blank(width, height):
    return np.full((height, width, 3), _BACKGROUND, np.uint8)


def _cut(image_rgb, box_img):
    """Return the part of the picture in the box widened by an eighth on each side, and its origin (x, y)."""
    height, width = image_rgb.shape[:2]
    if box_img is None:
        return image_rgb, np.zeros(2)
    x0, y0, x1, y1 = np.asarray(box_img, np.float64)
    margin = 0.125 * max(x1 - x0, y1 - y0)
    left, top = int(np.clip(x0 - margin, 0, width - 1)), int(np.clip(y0 - margin, 0, height - 1))
    right, bottom = int(np.clip(x1 + margin, left, width - 1)), int(np.clip(y1 + margin, top, height - 1))
    return image_rgb[top : bottom + 1, left : right + 1], np.array([left, top], np.float64)


def _fit(image_rgb, size_wh):
    """Return the picture resized to fit, and by which factors (x, y)."""
    height, width = image_rgb.shape[:2]
    factor = min(size_wh[0] / width, size_wh[1] / height)
    fitted_wh = max(1, int(round(width * factor))), max(1, int(round(height * factor)))
    if fitted_wh != (width, height):
        interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        image_rgb = cv2.resize(image_rgb, fitted_wh, interpolation=interpolation)
    return image_rgb, np.array([fitted_wh[0] / width, fitted_wh[1] / height])


def _centre_on(photo, size_wh):
    tile = _blank(*size_wh)
    height, width = photo.shape[:2]
    x, y = (size_wh[0] - width) // 2, (size_wh[1] - height) // 2
    tile[y : y + height, x : x + width] = photo
    return tile


def _write_text(canvas, text, x, y_centre, max_width, centred=False):
    """Write a line of text, shortened in its middle to fit, and return the width it takes."""

    def size(candidate):
        return cv2.getTextSize(candidate, _FONT, 0.45, 1)[0]

    kept = len(text)
    shortened = text
    while size(shortened)[0] > max_width and kept > 0:
        kept -= 1
        shortened = f'{text[: (kept + 1) // 2]}..{text[len(text) - kept // 2 :]}'
    if centred:
        x += (max_width - size(shortened)[0]) // 2
    cv2.putText(canvas, shortened, (x, y_centre + size('X')[1] // 2), _FONT, 0.45, _TEXT, 1, cv2.LINE_AA)
    return size(shortened)[0]
