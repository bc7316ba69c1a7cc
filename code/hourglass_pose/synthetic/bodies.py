"""Random human bodies: proportions, poses and a camera, as chains of joints in three dimensions.

Lengths are fractions of the stature. A body's own axes are left, up, forward; a rotation about one of them is
positive from the next axis to the one after it, in the cyclic order (left, up, forward).
"""

import math
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Sequence, Tuple

import numpy as np

from hourglass_pose.skeleton import MPII_JOINTS

# Fractions of the stature after Drillis and Contini, Body Segment Parameters (New York University, 1964 to
# 1966), as in figure 4.1 of Winter, Biomechanics and Motor Control of Human Movement. Breadths are those of
# the outline.
SEGMENTS = {
    'thigh': 0.245,
    'shank': 0.246,
    'upper_arm': 0.186,
    'forearm': 0.146,
    'hand': 0.108,
    'foot': 0.152,
    'trunk': 0.288,
    'neck': 0.052,
    'head': 0.130,
    'shoulder_breadth': 0.259,
    'hip_breadth': 0.191,
    'ankle_height': 0.039,
}

# A joint's centre lies this far inside the outline of shoulders or hips.
SHOULDER_INSET = 0.028
HIP_INSET = 0.037

# MPII's upper neck, as a share of the way from the base of the neck to the height of the chin.
UPPER_NECK = 0.7

# People differ from the mean proportions by at most this share.
MAX_VARIATION = 0.06

# How often, and by which angles in degrees the body turns from the camera; 0 faces it, 180 shows the back.
_VIEWS = ((0.56, 0, 25), (0.18, 25, 48), (0.025, 60, 85), (0.045, 135, 155), (0.19, 155, 180))

# Ranges in degrees: raising sideways, raising forward, turning the upper arm outward, bending the elbow.
_ARMS = {
    'hanging': ((8, 26), (-8, 12), (-35, 10), (4, 30)),
    'on_hip': ((38, 55), (-22, -6), (-88, -66), (85, 108)),
    'raised': ((125, 172), (-10, 15), (0, 80), (5, 65)),
    'waving': ((70, 110), (-5, 12), (60, 100), (50, 110)),
    'sideways': ((55, 98), (-8, 12), (-60, 60), (2, 30)),
    'forward': ((2, 18), (45, 100), (-20, 15), (5, 50)),
    'folded': ((6, 22), (5, 40), (-55, 5), (65, 125)),
}

_ARM_CHANCES = (
    ('hanging', 0.36),
    ('on_hip', 0.15),
    ('raised', 0.15),
    ('waving', 0.12),
    ('sideways', 0.12),
    ('forward', 0.05),
    ('folded', 0.05),
)

_STANCES = (
    ('standing', 0.55),
    ('striding', 0.22),
    ('running', 0.025),
    ('sitting', 0.08),
    ('bent', 0.05),
    ('squatting', 0.015),
    ('kicking', 0.06),
)

# Ranges in degrees of one leg each: raising sideways, raising forward, bending the knee.
_LEGS = {
    'standing': (((3, 11), (-4, 7), (0, 9)), ((3, 15), (-4, 14), (0, 16))),
    'striding': (((3, 8), (14, 32), (3, 16)), ((3, 8), (-22, -8), (6, 32))),
    'running': (((0, 5), (45, 78), (60, 105)), ((0, 5), (-28, -4), (20, 85))),
    'sitting': (((3, 18), (72, 94), (65, 98)), ((3, 18), (72, 94), (65, 98))),
    'bent': (((3, 12), (-6, 8), (2, 22)), ((3, 12), (-6, 8), (2, 22))),
    'squatting': (((12, 30), (75, 105), (95, 128)), ((12, 30), (75, 105), (95, 128))),
    'kicking': (((4, 25), (25, 70), (5, 60)), ((0, 6), (-6, 4), (0, 12))),
}

_BEND = {
    'standing': (-4, 8),
    'striding': (-2, 9),
    'running': (6, 20),
    'sitting': (-8, 20),
    'bent': (25, 65),
    'squatting': (10, 35),
    'kicking': (-12, 8),
}


@dataclass(frozen=True, eq=False)
class Figure:
    """A posed body as an orthographic camera sees it; unit of length: the stature; the pelvis is the origin.

    points: name -> (3,) float64, x right and y down in the image, z towards the viewer. Names are those of
        MPII_JOINTS, 'chin' (its height, on the axis of the head) and, with prefix l_ or r_, 'hand' (finger
        tips), 'heel' and 'toe'.
    frames: 'pelvis', 'trunk', 'head', -> (3, 3) float64 whose columns are left, up, forward in those axes.
    yaw_deg: turn of the pelvis from facing the camera, in (-180, 180], positive to the right of the image.
    stance: pose of the legs, a key of _LEGS.
    """

    points: Dict[str, np.ndarray]
    frames: Dict[str, np.ndarray]
    yaw_deg: float
    stance: str

    def joints(self) -> np.ndarray:
        """Return the MPII joints, float64 (16, 3), in the axes of `points`."""
        return np.array([self.points[name] for name in MPII_JOINTS])


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def rotation(axis: int, degrees: float) -> np.ndarray:
    """Return the (3, 3) rotation by an angle about body axis 0 (left), 1 (up) or 2 (forward)."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    if axis == 0:
        return np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    if axis == 1:
        return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _pick(rng: np.random.RandomState, chances: Sequence[Tuple[Any, float]]) -> Any:
    """Return one name of ((name, chance), ...)."""
    remaining = rng.uniform() * sum(chance for _, chance in chances)
    for name, chance in chances:
        remaining -= chance
        if remaining < 0:
            return name
    return chances[-1][0]


def _sample_yaw(rng: np.random.RandomState) -> float:
    view = _pick(rng, [((low, high), chance) for chance, low, high in _VIEWS])
    return rng.uniform(*view) * (1 if rng.uniform() < 0.5 else -1)


def sample_lengths(rng: np.random.RandomState) -> Dict[str, float]:
    """Return SEGMENTS with a person's own variation; the same for both sides of a body."""
    variation = rng.normal(0, 0.025, len(SEGMENTS)).clip(-MAX_VARIATION, MAX_VARIATION).tolist()
    return {name: mean * (1 + share) for (name, mean), share in zip(SEGMENTS.items(), variation)}


def _sample_arms(rng: np.random.RandomState, stance: str, bend: float, legs: Any, facing: Any) -> Dict[str, Any]:
    """Return {side: (sideways, forward, outward, elbow)} in degrees, to match the pose of legs and trunk.

    facing: cosine of the turn from the camera.
    """
    arms: Dict[str, Any] = {}
    for side in 'lr':
        opposite_thigh = legs['r' if side == 'l' else 'l'][1]
        if stance == 'running':
            arms[side] = (
                rng.uniform(10, 25),
                0.8 * opposite_thigh - 20 + rng.uniform(-10, 10),
                rng.uniform(-25, 5),
                rng.uniform(70, 110),
            )
        elif stance == 'striding' and rng.uniform() < 0.65:
            arms[side] = (
                rng.uniform(8, 22),
                0.9 * opposite_thigh + rng.uniform(-10, 10),
                rng.uniform(-30, 5),
                rng.uniform(5, 45),
            )
        elif stance == 'bent' and rng.uniform() < 0.7:
            # The arms hang or reach forward from a trunk that leans by `bend`.
            arms[side] = (rng.uniform(2, 20), bend * rng.uniform(0.6, 1.3), rng.uniform(-30, 10), rng.uniform(5, 40))
        else:
            style = _pick(rng, _ARM_CHANCES)
            if (style == 'forward' and abs(facing) > 0.8) or (style == 'folded' and facing < 0):
                # The arm would be foreshortened, or hidden.
                style = 'hanging'
            arms[side] = tuple(rng.uniform(*span) for span in _ARMS[style])
    if stance in ('standing', 'sitting', 'kicking') and rng.uniform() < 0.3:
        arms['r'] = tuple(angle * rng.uniform(0.9, 1.1) for angle in arms['l'])
    return arms


def _limb(frame: np.ndarray, start: np.ndarray, length: float) -> np.ndarray:
    """Return the far end of a limb that hangs along the frame's down axis."""
    return start - frame[:, 1] * length


def _add_leg(
    points: Dict[str, np.ndarray], pelvis: np.ndarray, lengths: Dict[str, float], side: str, angles: Sequence[float]
) -> None:
    sign = 1 if side == 'l' else -1
    sideways, forward, knee = angles
    hip = pelvis[:, 0] * sign * (lengths['hip_breadth'] / 2 - HIP_INSET)
    thigh = pelvis.dot(rotation(2, sign * sideways)).dot(rotation(0, -forward))
    shank = thigh.dot(rotation(0, knee))
    points[f'{side}_hip'] = hip
    points[f'{side}_knee'] = _limb(thigh, hip, lengths['thigh'])
    ankle = points[f'{side}_ankle'] = _limb(shank, points[f'{side}_knee'], lengths['shank'])
    # The ankle bends so that the sole stays level with the ground as far as the joint allows.
    level = _within(0.85 * (forward - knee), -30, 25)
    foot = shank.dot(rotation(0, level)).dot(rotation(1, sign * 12))
    sole = ankle - foot[:, 1] * lengths['ankle_height'] * 0.6
    points[f'{side}_heel'] = sole - foot[:, 2] * lengths['foot'] * 0.22
    points[f'{side}_toe'] = sole + foot[:, 2] * lengths['foot'] * 0.66


def _add_arm(
    points: Dict[str, np.ndarray], trunk: np.ndarray, lengths: Dict[str, float], side: str, angles: Sequence[float]
) -> None:
    sign = 1 if side == 'l' else -1
    sideways, forward, outward, elbow = angles
    # The collar bone lifts the shoulder when the arm is raised above it.
    lift = 0.035 * _within((max(sideways, forward) - 60) / 110.0, 0, 1)
    half = lengths['shoulder_breadth'] / 2 - SHOULDER_INSET - 0.4 * lift
    shoulder = points['thorax'] + trunk.dot(np.array([sign * half, lift - 0.008, 0]))
    upper = trunk.dot(rotation(2, sign * sideways)).dot(rotation(0, -forward))
    upper = upper.dot(rotation(1, sign * outward))
    lower = upper.dot(rotation(0, -elbow))
    points[f'{side}_shoulder'] = shoulder
    points[f'{side}_elbow'] = _limb(upper, shoulder, lengths['upper_arm'])
    points[f'{side}_wrist'] = _limb(lower, points[f'{side}_elbow'], lengths['forearm'])
    points[f'{side}_hand'] = _limb(lower, points[f'{side}_wrist'], lengths['hand'] * 0.85)


def sample_figure(rng: np.random.RandomState) -> Figure:
    """Return a random Figure: proportions, stance, arms, view and camera come from the RandomState `rng`."""
    lengths = sample_lengths(rng)
    stance = _pick(rng, _STANCES)
    yaw = _sample_yaw(rng)
    low, high = _BEND[stance]
    if abs(math.sin(math.radians(yaw))) < 0.5:
        # Seen from the front or the back, a deep bend hides the trunk behind the head.
        high = min(high, 42)
    bend = rng.uniform(low, high)
    first = 'l' if rng.uniform() < 0.5 else 'r'
    legs = {side: tuple(rng.uniform(*span) for span in _LEGS[stance][side != first]) for side in 'lr'}
    arms = _sample_arms(rng, stance, bend, legs, math.cos(math.radians(yaw)))

    roll = _within(rng.normal(0, 5), -18, 18)
    pelvis = camera_frame(roll, rng.uniform(2, 16)).dot(rotation(1, yaw))
    spine = rotation(0, bend).dot(rotation(2, rng.normal(0, 4))).dot(rotation(1, rng.normal(0, 7)))
    trunk = pelvis.dot(spine)
    nod = -0.45 * max(bend, 0) + _within(rng.normal(0, 6), -14, 10)
    turn = _within(rng.normal(0, 11), -24, 24)
    head = trunk.dot(rotation(1, turn)).dot(rotation(0, nod)).dot(rotation(2, rng.normal(0, 5)))
    return Figure(
        joint_points(lengths, pelvis, trunk, head, legs, arms),
        {'pelvis': pelvis, 'trunk': trunk, 'head': head},
        yaw,
        stance,
    )


def camera_frame(roll_deg: float, pitch_deg: float) -> np.ndarray:
    """Return (3, 3), from the body's axes to the image's, of a camera that looks down by pitch_deg."""
    return np.diag([1.0, -1.0, 1.0]).dot(rotation(2, roll_deg)).dot(rotation(0, pitch_deg))


def joint_points(
    lengths: Dict[str, float],
    pelvis: np.ndarray,
    trunk: np.ndarray,
    head: np.ndarray,
    legs: Mapping[str, Sequence[float]],
    arms: Mapping[str, Sequence[float]],
) -> Dict[str, np.ndarray]:
    """Return Figure.points of a body.

    lengths: as SEGMENTS. pelvis, trunk, head: Figure.frames.
    legs: side 'l' or 'r' -> degrees of (raising sideways, raising forward, bending the knee).
    arms: side -> degrees of (raising sideways, raising forward, turning the upper arm outward, bending the elbow).
    """
    points = {'pelvis': np.zeros(3), 'thorax': trunk[:, 1] * lengths['trunk']}
    rise = (0.6 * trunk[:, 1] + 0.4 * head[:, 1]) * lengths['neck']
    points['neck'] = points['thorax'] + UPPER_NECK * rise
    points['chin'] = points['thorax'] + rise
    points['head'] = points['chin'] + head[:, 1] * lengths['head']
    for side in 'lr':
        _add_leg(points, pelvis, lengths, side, legs[side])
        _add_arm(points, trunk, lengths, side, arms[side])
    return points
