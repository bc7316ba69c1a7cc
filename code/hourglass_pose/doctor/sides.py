"""Detection of exchanged left and right labels by geometry: torsos, crossed limbs, and whole files.

A single person with all labels exchanged cannot be detected: the pose is that of a person who faces the other way. A
whole file can, because most people in photos face the camera.
"""

from typing import List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.doctor.findings import Finding, about_share
from hourglass_pose.errors import ConfigError, counted
from hourglass_pose.skeleton import Skeleton, require_sides

# Least width of shoulders and hips in torso lengths; narrower ones are side views, whose sign is noise.
CLEAR_WIDTH = 0.2

# A pair of limbs counts as exchanged if exchanging its far ends shortens the limbs to less than this fraction.
CLEAR_GAIN = 0.7

# Fractions of persons that correct labels do not exceed. Measured: torsos 0.8 % in Leeds Sports Pose,
# 1.4 % in MPII and 4.7 % in Leeds Sports Pose extended, whose labels are known to be inexact; limbs 1.0, 1.1 and 1.8 %.
MOST_TORSOS, MOST_LIMBS = 0.10, 0.05

# Measured: 70 % of the clear torsos face the camera in Leeds Sports Pose, 76 % in MPII, 77 % in the extended one.
USUALLY_FACING = 0.65

# Number of standard errors by which a fraction must deviate to be reported.
CERTAIN = 4.0

_LIMBS = (('shoulder', 'elbow'), ('elbow', 'wrist'), ('hip', 'knee'), ('knee', 'ankle'))


def check_mirroring(skeleton: Skeleton, flip_prob: float, flip_test: bool) -> List[Finding]:
    """Return Findings on joints without a left/right partner if images are mirrored."""
    try:
        require_sides(skeleton, flip_prob, flip_test)
    except ConfigError as error:
        return [Finding('sides', True, str(error))]
    if skeleton.unpaired and (flip_prob > 0 or flip_test):
        message = (
            f'no partner for {", ".join(skeleton.unpaired)}, which a mirrored image needs; add it, or name pairs by '
            'DataSetHG.flip_pairs'
        )
        return [Finding('sides', False, message, skeleton.unpaired)]
    return []


def check_sides(
    persons: Sequence[Person], skeleton: Skeleton, sources: Optional[Sequence[Tuple[str, str]]] = None
) -> List[Finding]:
    """Return Findings on left and right. sources: (annotation file, image folder) by Person.source, for names."""
    joints = np.array([person.joints_img for person in persons], np.float64)
    labelled = np.array([person.labelled for person in persons])
    shoulders, hips = torso_widths(joints, labelled, skeleton)
    crossed = crossed_limbs(joints, labelled, skeleton)
    opposite = opposed_torsos(shoulders, hips)
    findings = _share(persons, opposite, MOST_TORSOS, 'whose shoulders and hips disagree on left and right')
    findings += _share(persons, crossed, MOST_LIMBS, 'whose elbows, wrists, knees or ankles fit better when exchanged')
    by_source = np.array([person.source for person in persons])
    for source in np.unique(by_source):
        chosen = by_source == source
        name = str(sources[source][0]) if sources else f'file {source + 1}'
        findings += _check_facing(name, *facing_votes(shoulders[chosen], hips[chosen]))
    return findings


def _check_facing(name: str, seen: int, facing: int) -> List[Finding]:
    """Return Findings on a file in which `facing` of `seen` torsos face the camera."""
    message = f'{name}: only {100.0 * facing / max(seen, 1):.0f} % of {counted(seen, "person")} face the camera, '
    # With correct labels at least half of them would. The standard error of the count is sqrt(n) / 2 persons.
    if seen and seen - 2 * facing > CERTAIN * np.sqrt(seen):
        return [
            Finding(
                'sides',
                True,
                message + 'while most people in photos do: left and right are probably exchanged in the whole file',
                (name,),
            )
        ]
    if seen and USUALLY_FACING * seen - facing > CERTAIN * np.sqrt(seen) / 2:
        return [
            Finding(
                'sides',
                False,
                message + '70 % or more is usual: left and right may be exchanged in a part of the file',
                (name,),
            )
        ]
    return []


def torso_widths(joints_img: np.ndarray, labelled: np.ndarray, skeleton: Skeleton) -> Tuple[np.ndarray, np.ndarray]:
    """Return (shoulders, hips): float64 (N,), signed widths in lengths of the torso, NaN where a joint is missing.

    The sign is that of the angle from the trunk's upward direction to the line from right to left joint: positive for a
    person who faces the camera, independent of the rotation of the body in the image.
    """
    names = ('r_shoulder', 'l_shoulder', 'r_hip', 'l_hip')
    corners = [index for index in map(skeleton.index, names) if index is not None]
    if len(corners) < len(names):
        unknown = np.full(len(joints_img), np.nan)
        return unknown, unknown
    r_shoulder, l_shoulder, r_hip, l_hip = [np.asarray(joints_img[:, index], np.float64) for index in corners]
    up = (r_shoulder + l_shoulder - r_hip - l_hip) / 2
    length = np.linalg.norm(up, axis=1)
    known = labelled[:, corners].all(axis=1) & (length > 0)
    square = np.where(known, length, 1.0) ** 2
    shoulders, hips = (
        np.where(known, (up[:, 0] * across[:, 1] - up[:, 1] * across[:, 0]) / square, np.nan)
        for across in (l_shoulder - r_shoulder, l_hip - r_hip)
    )
    return shoulders, hips


def opposed_torsos(shoulders: np.ndarray, hips: np.ndarray) -> np.ndarray:
    """Return bool (N,): whether the widths of shoulders and hips, from torso_widths, clearly differ in sign."""
    clear = np.minimum(np.abs(np.nan_to_num(shoulders)), np.abs(np.nan_to_num(hips))) > CLEAR_WIDTH
    return clear & (np.nan_to_num(shoulders) * np.nan_to_num(hips) < 0)


def facing_votes(shoulders: np.ndarray, hips: np.ndarray) -> Tuple[int, int]:
    """Return (number of persons whose torso clearly shows front or back, number of those who face the camera)."""
    shoulders, hips = np.nan_to_num(shoulders), np.nan_to_num(hips)
    clear = (np.minimum(np.abs(shoulders), np.abs(hips)) > CLEAR_WIDTH) & (shoulders * hips > 0)
    return int(clear.sum()), int((clear & (shoulders > 0)).sum())


def crossed_limbs(joints_img: np.ndarray, labelled: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Return bool (N,): whether a pair of limbs is clearly shorter with its far ends exchanged."""
    crossed = np.zeros(len(joints_img), bool)
    for near, far in _LIMBS:
        names = [side + name for name in (near, far) for side in ('r_', 'l_')]
        indices = [index for index in map(skeleton.index, names) if index is not None]
        if len(indices) < len(names):
            continue
        r_near, l_near, r_far, l_far = [np.asarray(joints_img[:, index], np.float64) for index in indices]

        def length(start: np.ndarray, end: np.ndarray) -> np.ndarray:
            return np.linalg.norm(start - end, axis=1)

        kept = length(r_near, r_far) + length(l_near, l_far)
        exchanged = length(r_near, l_far) + length(l_near, r_far)
        crossed |= labelled[:, indices].all(axis=1) & (exchanged < CLEAR_GAIN * kept)
    return crossed


def _share(persons: Sequence[Person], mask: np.ndarray, most: float, what: str) -> List[Finding]:
    names = [person.person_id for person, affected in zip(persons, mask) if affected]
    return about_share('sides', names, len(persons), most, what)
