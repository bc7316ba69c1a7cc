"""What annotated persons show of mistakes that hurt a training, found without opening a picture."""

import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import Tuple

import numpy as np

from hourglass_pose import geometry

# A few labels outside of the crop are usual: limbs cut off by a photo, boxes drawn a little tight.
MOST_OUTSIDE = 0.05

# A pose of fewer labelled joints says little of its person's size.
_JOINTS_OF_A_SIZE = 6

# Crop side over the longer side of the pose: a person that fills a tenth of the crop is 6 cells of a 64-cell heatmap.
# Crouching persons, who are small beside the height that sets the crop, stay below it.
_LARGEST_CROP = 10.0
_SMALLEST_CROP_PX = 24.0
_ODD_SCALE = 4.0
MOST_ODD = 0.05


@dataclass(frozen=True)
class Finding:
    """Something about data or settings that a person should know.

    check: the check that found it, such as 'split'. harmful: whether it will hurt the training; the others are worth a
    look. message: one line. names: the persons or files that it is about, none where it is about all.
    """

    check: str
    harmful: bool
    message: str
    names: Tuple[str, ...] = ()


def check_split(split):
    """Return Findings: pictures and persons that are on both sides of a split.

    split: as split_persons returns it. Pictures are told apart by the name of their file, persons by their labels: two
    with the same labelled joints in the same places are one person, whatever their pictures are called.
    """
    by_picture = _names_by_side(split, lambda person: os.path.basename(person.image.replace('\\', '/')))
    by_labels = _names_by_side(split, _labels_of)
    findings = []
    for noun, groups in (('picture', by_picture), ('person by its labels', by_labels)):
        shared = [names for names in groups.values() if all(names.values())]
        if shared:
            findings.append(
                Finding(
                    'split',
                    True,
                    f'{counted(len(shared), noun)} trained on and validated with, so that the validation flatters',
                    tuple(name for names in shared for side in names.values() for name in side),
                )
            )
    repeated = [sum(names.values(), []) for names in by_labels.values()]
    repeated = [names for names in repeated if len(names) > 1]
    if repeated:
        findings.append(
            Finding(
                'split',
                False,
                '{} with the very labels of another'.format(
                    counted(sum(len(names) - 1 for names in repeated), 'person')
                ),
                tuple(sum(repeated, [])),
            )
        )
    return findings


def check_joints(persons, joints, kept):
    """Return Findings about joints that hardly anybody has, and about heads that PCKh needs.

    joints: their names. kept: bool (J,), those that are learnt.
    """
    labelled = np.array([person.labelled for person in persons])
    findings = []
    never = [name for name, count, wanted in zip(joints, labelled.sum(axis=0), kept) if wanted and not count]
    if never:
        findings.append(
            Finding(
                'joints',
                True,
                'nobody has {} labelled, so the network learns nothing of it; leave it '
                'out by DataSetHG.remove_joints'.format(', '.join(never)),
                tuple(never),
            )
        )
    rare = [name for name, share, wanted in zip(joints, labelled.mean(axis=0), kept) if wanted and 0 < share < 0.02]
    if rare:
        findings.append(
            Finding(
                'joints', False, 'fewer than 2 % of the persons have {} labelled'.format(', '.join(rare)), tuple(rare)
            )
        )
    if not {'neck', 'head'} <= set(joints) and all(person.head_box_img is None for person in persons):
        findings.append(
            Finding(
                'joints', False, 'no head boxes, and no joints named neck and head: PCKh has no unit and is left out'
            )
        )
    return findings


def check_crops(persons, rule):
    """Return Findings about labels outside of the evaluation crops: nothing can find them there. rule: CropRule."""
    outside, labelled, names = 0, 0, []
    for person in persons:
        joints = geometry.transform_points(rule.person_affine(person), person.joints_img)[person.labelled]
        out = int((~((joints >= -0.5) & (joints < rule.crop_size - 0.5)).all(axis=1)).sum())
        outside += out
        labelled += len(joints)
        if out:
            names.append(person.person_id)
    if not outside:
        return []
    share = outside / float(labelled)
    advice = '; widen the crops by DataSetHG.box_margin or mend the boxes' if share > MOST_OUTSIDE else ''
    return [
        Finding(
            'crops',
            share > MOST_OUTSIDE,
            '{} of {} ({:.2f} %) outside of the crop{}'.format(
                counted(outside, 'label'), counted(len(names), 'person'), 100 * share, advice
            ),
            tuple(names),
        )
    ]


def check_scales(persons, rule):
    """Return Findings about persons much too small in their crops, tiny crops, and scales that contradict the pose."""
    sides = np.array([crop_side_img(rule, person) for person in persons])
    poses = np.array([_pose_side(person) for person in persons])
    known = np.isfinite(poses)
    tiny_pose = known & (sides > _LARGEST_CROP * np.where(known, poses, np.inf))
    tiny_crop = sides < _SMALLEST_CROP_PX
    findings = _odd(persons, tiny_pose, f'in a crop more than {_LARGEST_CROP:g} times as large as the pose')
    findings += _odd(persons, tiny_crop, f'in a crop of less than {_SMALLEST_CROP_PX:g} px of the photo')
    scales = np.array([np.nan if person.scale is None else person.scale for person in persons], np.float64)
    given = np.array([person.scale is not None for person in persons])
    positive = np.isfinite(scales) & (np.where(np.isfinite(scales), scales, 0) > 0)
    findings += _odd(persons, given & ~positive, 'whose scale is no positive number')
    usable = known & positive
    if usable.any():
        # What a scale of 1 stands for is up to the data; that it is the same for everybody is not.
        ratios = np.full(len(persons), np.nan)
        ratios[usable] = scales[usable] / poses[usable]
        ratios = ratios / np.median(ratios[usable])
        off = np.abs(np.log(np.where(usable, ratios, 1.0)))
        odd = off > np.log(_ODD_SCALE)
        findings += _odd(persons, odd, f"whose scale fits the pose {_ODD_SCALE:g} times worse than the median's")
    return findings


def crop_side_img(rule, person):
    """Return the side of a person's evaluation crop in photo pixels."""
    return rule.crop_size / np.sqrt(abs(np.linalg.det(rule.person_affine(person)[:, :2])))


def counted(number, noun):
    """Return such as '1 person' and '1,234 persons'."""
    first, _, rest = noun.partition(' ')
    return '{:,} {}{}{}'.format(number, first, '' if number == 1 else 's', rest and ' ' + rest)


def _names_by_side(split, key):
    """Return {key of persons: {side: [person_id]}}, the keys None left out."""
    groups = OrderedDict()
    for side, persons in split.items():
        for person in persons:
            found = key(person)
            if found is not None:
                names = groups.setdefault(found, OrderedDict((name, []) for name in split))
                names[side].append(person.person_id)
    return groups


def _labels_of(person):
    """Return what is the same for persons with the same labels, or None where there are too few to tell."""
    if person.labelled.sum() < _JOINTS_OF_A_SIZE:
        return None
    return person.labelled.tobytes() + np.asarray(person.joints_img[person.labelled], np.float32).tobytes()


def _pose_side(person):
    """Return the longer side of the box of the labelled joints in pixels, NaN where too few are labelled."""
    if person.labelled.sum() < _JOINTS_OF_A_SIZE:
        return np.nan
    return float(np.ptp(person.joints_img[person.labelled], axis=0).max()) + 1.0


def _odd(persons, mask, what):
    """Return [Finding] about the persons of a mask, harmful where they are many, or [] where there are none."""
    names = tuple(persons[index].person_id for index in np.flatnonzero(mask))
    if not names:
        return []
    share = len(names) / float(len(persons))
    return [
        Finding(
            'scales',
            share > MOST_ODD,
            '{} ({:.2f} %) {}'.format(counted(len(names), 'person'), 100 * share, what),
            names,
        )
    ]
