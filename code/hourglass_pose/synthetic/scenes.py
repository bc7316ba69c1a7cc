"""Images of rendered people: their positions, the background, and objects that occlude parts of them."""

import math
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.skeleton import MPII_JOINTS
from hourglass_pose.synthetic.backgrounds import finish_image, paint_clutter, render_background
from hourglass_pose.synthetic.bodies import Figure, sample_figure
from hourglass_pose.synthetic.figures import FigurePainter
from hourglass_pose.synthetic.outfits import sample_cloth, sample_outfit
from hourglass_pose.synthetic.shapes import CIRCLE, fill, shade

# Increase it whenever render_image changes its result for the same seed and index.
RENDERING_VERSION = 2

MIN_SIDE_PX, MAX_SIDE_PX = 120, 260
# The head, 0.13 statures, then has 15 pixels or more before foreshortening.
MIN_STATURE_PX = 118

_PAIR_CHANCE = 0.15
_CUT_CHANCE = 0.05
_OCCLUDER_CHANCE = 0.22
_MAX_HIDDEN_JOINTS = 2
# Heads stay visible: without them left and right are ambiguous.
_MAY_BE_HIDDEN = [
    index for index, name in enumerate(MPII_JOINTS) if name[2:] in ('ankle', 'knee', 'hip', 'elbow', 'wrist')
]

# Body and clothes extend this far beyond the joints, the finger tips and the toes, in statures.
_MARGIN = 0.045
_BOX_MARGIN = 0.05


# A figure, its stature in pixels and its pelvis (2,) in the image.
_Placed = Tuple[Figure, float, np.ndarray]
# The size (width, height) of an image and its figures.
_Layout = Tuple[Tuple[int, int], List[_Placed]]


@dataclass(frozen=True, eq=False)
class SyntheticPerson:
    """One labelled person of a rendered image.

    joints_img: float32 (16, 2) in the order of skeleton.MPII_JOINTS, exact, also outside the image.
    labelled: bool (16,), true where the joint, rounded to whole pixels, is inside the image.
    box_img: float64 (4,), whole numbers (x0, y0, x1, y1), inclusive: round the labelled joints with a margin,
        inside the image.
    stature_px: height of the person standing upright.
    yaw_deg: turn from facing the camera, in (-180, 180], positive to the right of the image.
    """

    joints_img: np.ndarray
    labelled: np.ndarray
    box_img: np.ndarray
    stature_px: float
    yaw_deg: float


def render_image(seed: int, index: int) -> Tuple[np.ndarray, List[SyntheticPerson]]:
    """Render image `index` of the data set `seed`: a pure function of both.

    seed, index: ints in [0, 2**32). Returns a uint8 RGB image (H, W, 3), sides of 120 to 260 pixels, and a
    list of one or two SyntheticPerson. Raises ValueError for numbers out of range.
    """
    if not (0 <= seed < 2**32 and 0 <= index < 2**32):
        raise ValueError(f'seed and index must be in [0, 2**32), got {seed!r} and {index!r}')
    rng = np.random.RandomState([seed, index])
    (width, height), placed = _lay_out(rng)
    angle = rng.uniform(-2.4, -0.7)
    light = np.array([math.cos(angle), math.sin(angle)])

    ground = int(max(_lowest_row(person) for person in placed))
    image = render_background(rng, width, height, ground)
    paint_clutter(rng, image, ground)
    # A person whose feet are lower in the image is nearer.
    for figure, stature, origin in sorted(placed, key=_lowest_row):
        paint_footing(rng, image, figure, stature, origin)
        FigurePainter(figure, sample_outfit(rng), origin, stature, light).paint(image)
    persons = [_label(figure, stature, origin, width, height) for figure, stature, origin in placed]
    if rng.uniform() < _OCCLUDER_CHANCE:
        _paint_occluder(rng, image, persons)
    return finish_image(rng, image), persons


def outline_box(figure: Figure) -> np.ndarray:
    """Return (x0, y0, x1, y1) of a figure in statures from its pelvis."""
    points = np.array(list(figure.points.values()))[:, :2]
    return np.concatenate([points.min(axis=0) - _MARGIN, points.max(axis=0) + _MARGIN])


def _lowest_row(placed: _Placed) -> float:
    figure, stature, origin = placed
    return origin[1] + outline_box(figure)[3] * stature


def _lay_out(rng: np.random.RandomState) -> _Layout:
    """Return the size (width, height) and a list of (figure, stature in pixels, pelvis (2,)), A first."""
    if rng.uniform() < _PAIR_CHANCE:
        pair = _lay_out_pair(rng)
        if pair:
            return pair
    figure = sample_figure(rng)
    box = outline_box(figure)
    spans = box[2:] - box[:2]
    stature = min(rng.uniform(MIN_STATURE_PX, 210), 0.97 * MAX_SIDE_PX / spans.max())
    width, height = _sample_size(rng, spans * stature, rng.uniform(0.66, 0.93))
    slack = np.array([width, height]) - spans * stature
    corner = slack * (0.5 + 0.5 * rng.uniform(-1, 1, 2) * (1, 0.8))
    if rng.uniform() < _CUT_CHANCE:
        corner = _cut(rng, corner, slack, spans * stature)
    return (width, height), [(figure, stature, corner - box[:2] * stature)]


def _lay_out_pair(rng: np.random.RandomState) -> Optional[_Layout]:
    """Return the layout of two people side by side, or None if they are too wide for one image."""
    figures = [sample_figure(rng), sample_figure(rng)]
    boxes = [outline_box(figure) for figure in figures]
    stature = rng.uniform(MIN_STATURE_PX, 150)
    statures = [stature, max(stature * rng.uniform(0.88, 1.12), MIN_STATURE_PX)]
    spans = [(box[2:] - box[:2]) * size for box, size in zip(boxes, statures)]
    # Up to a sixth of their mean width may overlap.
    step = 0.5 * (spans[0][0] + spans[1][0]) * rng.uniform(0.84, 1.1)
    centres = np.array([0.0, step if rng.uniform() < 0.5 else -step])
    left = min(centre - 0.5 * span[0] for centre, span in zip(centres, spans))
    right = max(centre + 0.5 * span[0] for centre, span in zip(centres, spans))
    tall = max(span[1] for span in spans)
    if max(right - left, tall) > 0.98 * MAX_SIDE_PX:
        return None
    width, height = _sample_size(rng, np.array([right - left, tall]), rng.uniform(0.75, 0.95))
    ground = height - rng.uniform(0, 1) * (height - tall)
    placed = []
    for figure, size, box, centre, span in zip(figures, statures, boxes, centres, spans):
        x0 = centre - 0.5 * span[0] - left + 0.5 * (width - (right - left))
        y0 = ground - span[1] - rng.uniform(0, 0.04) * size
        placed.append((figure, size, np.array([x0, max(y0, 0)]) - box[:2] * size))
    return (width, height), placed


def _sample_size(rng: np.random.RandomState, spans_px: np.ndarray, share: float) -> Tuple[int, int]:
    """Return a width and height that hold `spans_px` (2,), the height about spans_px[1] / share."""
    least = np.maximum(np.ceil(spans_px) + 2, MIN_SIDE_PX)
    height = int(np.clip(spans_px[1] / share, least[1], MAX_SIDE_PX))
    width = int(np.clip(height * rng.uniform(0.62, 1.45), least[0], MAX_SIDE_PX))
    return width, height


def _cut(rng: np.random.RandomState, corner: np.ndarray, slack: np.ndarray, spans_px: np.ndarray) -> np.ndarray:
    """Return a corner (2,) of the person's box such that a part of the box is outside the image."""
    if rng.uniform() < 0.6:
        return np.array([corner[0], slack[1] + spans_px[1] * rng.uniform(0.08, 0.25)])
    hidden = spans_px[0] * rng.uniform(0.08, 0.2)
    return np.array([-hidden if rng.uniform() < 0.5 else slack[0] + hidden, corner[1]])


def _label(figure: Figure, stature: float, origin: np.ndarray, width: int, height: int) -> SyntheticPerson:
    joints = (origin + figure.joints()[:, :2] * stature).astype(np.float32)
    whole = np.rint(joints)
    labelled = np.all((whole >= 0) & (whole <= (width - 1, height - 1)), axis=1)
    margin = _BOX_MARGIN * stature
    low = np.floor(whole[labelled].min(axis=0) - margin)
    high = np.ceil(whole[labelled].max(axis=0) + margin)
    box = np.concatenate([np.maximum(low, 0), np.minimum(high, (width - 1, height - 1))]).astype(np.float64)
    return SyntheticPerson(joints, labelled, box, stature, figure.yaw_deg)


def paint_footing(
    rng: np.random.RandomState, image: np.ndarray, figure: Figure, stature: float, origin: np.ndarray
) -> None:
    """Paint a shadow on the ground, and a seat under a sitting person."""
    height, width = image.shape[:2]
    box = outline_box(figure) * stature
    soles = [figure.points[name][:2] for name in ('l_heel', 'l_toe', 'r_heel', 'r_toe')]
    feet = np.array(soles) * stature + origin
    centre = np.array([feet[:, 0].mean(), origin[1] + box[3] - 0.03 * stature])
    half = np.array([0.5 * (feet[:, 0].max() - feet[:, 0].min()) + 0.1 * stature, 0.03 * stature])
    column, row = (int(np.clip(value, 0, side - 1)) for value, side in zip(centre, (width, height)))
    ground = image[row, column].tolist()
    for share, brightness in ((1.0, 0.85), (0.75, 0.7)):
        fill(image, centre + CIRCLE * half * share, shade(ground, brightness), True)
    if figure.stance == 'sitting':
        cloth = sample_cloth(rng)
        half_width = rng.uniform(0.12, 0.2) * stature
        top = origin[1] + 0.05 * stature
        for low, high, brightness in ((top, centre[1], 0.7), (top, top + 0.05 * stature, 0.95)):
            left, right = origin[0] - half_width, origin[0] + half_width
            corners = np.array([(left, low), (right, low), (right, high), (left, high)])
            fill(image, corners, shade(cloth, brightness), True)


def _paint_occluder(rng: np.random.RandomState, image: np.ndarray, persons: Sequence[SyntheticPerson]) -> None:
    """Paint an object that hides one or two joints of a person, unless no position is found for it."""
    for _ in range(6):
        person = persons[rng.randint(len(persons))]
        joint = person.joints_img[_MAY_BE_HIDDEN[rng.randint(len(_MAY_BE_HIDDEN))]]
        half = rng.uniform(0.035, 0.11, 2) * person.stature_px
        centre = joint + rng.uniform(-0.6, 0.6, 2) * half
        hidden = [(np.abs(other.joints_img - centre) < half).all(axis=1).sum() for other in persons]
        if 0 < max(hidden) <= _MAX_HIDDEN_JOINTS:
            break
    else:
        return
    colour = sample_cloth(rng)
    if rng.uniform() < 0.5:
        box = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
        fill(image, centre + box, shade(colour, 0.75), True)
        fill(image, centre + box * (0.86, 0.8) - half * (0.05, 0.1), shade(colour, 1.0), True)
        return
    for share, brightness in ((1.0, 0.72), (0.82, 0.92), (0.45, 1.1)):
        fill(image, centre + (CIRCLE * share - (1 - share) * 0.4) * half, shade(colour, brightness), True)
