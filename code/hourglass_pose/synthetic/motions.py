"""Motions of rendered people: standing, walking, running, squatting, raising the arms, as angles over a cycle."""

import math
from dataclasses import dataclass
from typing import Callable, Dict, Sequence, Tuple

import numpy as np

from hourglass_pose.synthetic.bodies import Figure, camera_frame, joint_points, rotation

Angles = Tuple[float, ...]

# Degrees of hip flexion and knee bend at each tenth of a stride from heel strike. Walking after Winter, Biomechanics
# and Motor Control of Human Movement, level gait at a natural cadence; running in its manner with a deeper swing.
_HIP_WALKING = (20, 18, 12, 4, -4, -10, -6, 8, 18, 21)
_KNEE_WALKING = (4, 15, 17, 11, 6, 13, 38, 60, 52, 20)
_HIP_RUNNING = (35, 30, 18, 3, -12, -18, -8, 15, 38, 45)
_KNEE_RUNNING = (20, 38, 42, 32, 20, 25, 60, 100, 95, 50)


@dataclass(frozen=True, eq=False)
class Posture:
    """Angles of a body in degrees: legs and arms by side as in bodies.joint_points, and the bend of the trunk."""

    legs: Dict[str, Angles]
    arms: Dict[str, Angles]
    bend_deg: float = 0.0


@dataclass(frozen=True, eq=False)
class Motion:
    """A motion that repeats.

    posture: from the phase, 1 a cycle, to a Posture. cycles_per_s: of a person of mean speed.
    speed: statures per second forward. yaw_deg: range of the turn from facing the camera.
    """

    posture: Callable[[float], Posture]
    cycles_per_s: float
    speed: float
    yaw_deg: Tuple[float, float]


def figure_in_motion(lengths: Dict[str, float], posture: Posture, yaw_deg: float, pitch_deg: float) -> Figure:
    """Return the Figure of a body in a posture.

    lengths: as bodies.SEGMENTS. yaw_deg: as Figure's. pitch_deg: by which the camera looks down.
    """
    pelvis = camera_frame(0.0, pitch_deg).dot(rotation(1, yaw_deg))
    trunk = pelvis.dot(rotation(0, posture.bend_deg))
    head = trunk.dot(rotation(0, -0.6 * posture.bend_deg))
    points = joint_points(lengths, pelvis, trunk, head, posture.legs, posture.arms)
    return Figure(points, {'pelvis': pelvis, 'trunk': trunk, 'head': head}, yaw_deg, 'moving')


def _periodic(values: Sequence[float]) -> Callable[[float], float]:
    """Return the smooth function of period 1 through values at equal distances."""
    terms = np.fft.rfft(values) / len(values)

    def at(phase: float) -> float:
        angles = 2 * math.pi * phase * np.arange(len(terms))
        # The term of half the sampling rate occurs once in the sum, every other one as a pair.
        weights = np.where((np.arange(len(terms)) == 0) | (2 * np.arange(len(terms)) == len(values)), 1.0, 2.0)
        return float((weights * (terms.real * np.cos(angles) - terms.imag * np.sin(angles))).sum())

    return at


def _gait(
    hip: Sequence[float], knee: Sequence[float], swing_deg: float, elbow_deg: float, bend_deg: float
) -> Callable[[float], Posture]:
    hip_at, knee_at = _periodic(hip), _periodic(knee)

    def posture(phase: float) -> Posture:
        legs: Dict[str, Angles] = {}
        arms: Dict[str, Angles] = {}
        for side, shift in (('l', 0.0), ('r', 0.5)):
            legs[side] = (3.0, hip_at(phase + shift), max(knee_at(phase + shift), 0.0))
            # An arm swings with the other leg.
            forward = swing_deg * math.cos(2 * math.pi * (phase + shift + 0.5))
            arms[side] = (10.0, forward, -12.0, elbow_deg + 0.4 * max(forward, 0.0))
        return Posture(legs, arms, bend_deg)

    return posture


def _standing(phase: float) -> Posture:
    sway = math.sin(2 * math.pi * phase)
    return Posture(
        {'l': (6.0, 2.0 + 0.4 * sway, 4.0), 'r': (8.0, 4.0 - 0.4 * sway, 8.0)},
        {'l': (14.0, 4.0 + sway, -12.0, 14.0), 'r': (16.0, 2.0 - sway, -12.0, 18.0)},
        2.0 + 0.4 * sway,
    )


def _squatting(phase: float) -> Posture:
    depth = 0.5 - 0.5 * math.cos(2 * math.pi * phase)
    leg = (6.0 + 12.0 * depth, 98.0 * depth, 118.0 * depth)
    arm = (10.0, 75.0 * depth, -5.0, 12.0)
    return Posture({'l': leg, 'r': leg}, {'l': arm, 'r': arm}, 30.0 * depth)


def _raising(phase: float) -> Posture:
    height = 0.5 - 0.5 * math.cos(2 * math.pi * phase)
    arm = (14.0 + 150.0 * height, 2.0, 20.0 * height, 12.0)
    return Posture({'l': (6.0, 2.0, 4.0), 'r': (8.0, 3.0, 6.0)}, {'l': arm, 'r': arm}, 2.0)


MOTIONS: Dict[str, Motion] = {
    'walk': Motion(_gait(_HIP_WALKING, _KNEE_WALKING, 20.0, 16.0, 3.0), 0.9, 0.7, (60, 80)),
    'run': Motion(_gait(_HIP_RUNNING, _KNEE_RUNNING, 34.0, 85.0, 9.0), 1.4, 1.6, (60, 80)),
    'stand': Motion(_standing, 0.25, 0.0, (0, 40)),
    'squat': Motion(_squatting, 0.4, 0.0, (20, 45)),
    'raise': Motion(_raising, 0.4, 0.0, (0, 25)),
}
