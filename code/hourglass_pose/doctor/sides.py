"""Whether left and right are exchanged in labels, by a vote of geometry: torsos, crossed limbs, and whole files.

What cannot be seen: one person all of whose labels are exchanged looks like one who faces the other way. In a whole
file it shows, for most people in photos face the camera.
"""

import numpy as np

from hourglass_pose.doctor.persons import Finding, counted

# Widths of shoulders and hips, seen from the front, in lengths of the torso: narrower ones are side views, whose sign
# is noise.
CLEAR_WIDTH = 0.2

# A pair of limbs counts as exchanged where joining each joint with the other side's makes them this much shorter.
CLEAR_GAIN = 0.7

# Shares of the persons that are above what photos and careful labels give. Measured: torsos 0.8 % in Leeds Sports Pose,
# 1.4 % in MPII and 4.7 % in Leeds Sports Pose extended, whose labels are known to be rough; limbs 1.0, 1.1 and 1.8 %.
MOST_TORSOS, MOST_LIMBS = 0.10, 0.05

# Measured: 70 % of the clear torsos face the camera in Leeds Sports Pose, 76 % in MPII, 77 % in the extended one.
USUALLY_FACING = 0.65

# Standard errors by which a share has to be off before it is reported.
CERTAIN = 4.0

_LIMBS = (('shoulder', 'elbow'), ('elbow', 'wrist'), ('hip', 'knee'), ('knee', 'ankle'))


def check_sides(persons, skeleton, sources=None):
    """Return Findings about left and right. sources: (annotation file, image folder) by Person.source, for names."""
    joints = np.array([person.joints_img for person in persons], np.float64)
    labelled = np.array([person.labelled for person in persons])
    shoulders, hips = torso_widths(joints, labelled, skeleton)
    crossed = crossed_limbs(joints, labelled, skeleton)
    opposite = opposed_torsos(shoulders, hips)
    findings = _share(persons, opposite, MOST_TORSOS, 'whose shoulders and hips say opposite things of where right is')
    findings += _share(persons, crossed, MOST_LIMBS, 'whose elbows, wrists, knees or ankles would fit better exchanged')
    by_source = np.array([person.source for person in persons])
    for source in np.unique(by_source):
        chosen = by_source == source
        name = str(sources[source][0]) if sources else 'file %d' % (source + 1)
        findings += _check_facing(name, *facing_votes(shoulders[chosen], hips[chosen]))
    return findings


def _check_facing(name, seen, facing):
    """Return Findings about a file in which `facing` of `seen` torsos face the camera."""
    message = f'{name}: only {100.0 * facing / max(seen, 1):.0f} % of {counted(seen, "person")} face the camera, '
    # Were the labels right, at least every other one would; a chance share is off by its standard error, sqrt(n) / 2.
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
                message + '70 % and more are usual: left and right may be exchanged in a part of the file',
                (name,),
            )
        ]
    return []


def torso_widths(joints_img, labelled, skeleton):
    """Return (shoulders, hips): float64 (N,), signed widths in lengths of the torso, NaN where a joint is missing.

    The sign is that of the turn from the trunk's upward direction to the line from right to left joint: positive for
    somebody who faces the camera, however the body is turned in the picture.
    """
    corners = [skeleton.index(name) for name in ('r_shoulder', 'l_shoulder', 'r_hip', 'l_hip')]
    if None in corners:
        return np.full((2, len(joints_img)), np.nan)
    r_shoulder, l_shoulder, r_hip, l_hip = [np.asarray(joints_img[:, index], np.float64) for index in corners]
    up = (r_shoulder + l_shoulder - r_hip - l_hip) / 2
    length = np.linalg.norm(up, axis=1)
    known = labelled[:, corners].all(axis=1) & (length > 0)
    square = np.where(known, length, 1.0) ** 2
    return tuple(
        np.where(known, (up[:, 0] * across[:, 1] - up[:, 1] * across[:, 0]) / square, np.nan)
        for across in (l_shoulder - r_shoulder, l_hip - r_hip)
    )


def opposed_torsos(shoulders, hips):
    """Return bool (N,): shoulders and hips clearly point to opposite sides. Arguments as torso_widths returns."""
    clear = np.minimum(np.abs(np.nan_to_num(shoulders)), np.abs(np.nan_to_num(hips))) > CLEAR_WIDTH
    return clear & (np.nan_to_num(shoulders) * np.nan_to_num(hips) < 0)


def facing_votes(shoulders, hips):
    """Return (persons whose torso clearly faces the camera or clearly does not, how many of them face it)."""
    shoulders, hips = np.nan_to_num(shoulders), np.nan_to_num(hips)
    clear = (np.minimum(np.abs(shoulders), np.abs(hips)) > CLEAR_WIDTH) & (shoulders * hips > 0)
    return int(clear.sum()), int((clear & (shoulders > 0)).sum())


def crossed_limbs(joints_img, labelled, skeleton):
    """Return bool (N,): a pair of limbs is clearly shorter with its far ends exchanged between right and left."""
    crossed = np.zeros(len(joints_img), bool)
    for near, far in _LIMBS:
        indices = [skeleton.index(side + name) for name in (near, far) for side in ('r_', 'l_')]
        if None in indices:
            continue
        r_near, l_near, r_far, l_far = [np.asarray(joints_img[:, index], np.float64) for index in indices]

        def length(start, end):
            return np.linalg.norm(start - end, axis=1)

        kept = length(r_near, r_far) + length(l_near, l_far)
        exchanged = length(r_near, l_far) + length(l_near, r_far)
        crossed |= labelled[:, indices].all(axis=1) & (exchanged < CLEAR_GAIN * kept)
    return crossed


def _share(persons, mask, most, what):
    names = tuple(persons[index].person_id for index in np.flatnonzero(mask))
    if not names:
        return []
    share = len(names) / float(len(persons))
    return [Finding('sides', share > most, f'{counted(len(names), "person")} ({100 * share:.2f} %) {what}', names)]
