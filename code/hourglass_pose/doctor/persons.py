"""Checks of annotated persons that need no image: lines, split, joints, crops and scales."""

import os
from typing import Callable, Dict, Hashable, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np

from hourglass_pose import geometry
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.splits import image_identity
from hourglass_pose.doctor.findings import MOST_ODD, MOST_OUTSIDE, Finding, about_share
from hourglass_pose.errors import counted
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.skeleton import Skeleton

# With fewer labelled joints, a pose does not show the person's size.
_JOINTS_OF_A_SIZE = 6

# A joint that a smaller fraction of the persons has is rare.
_RARE = 0.02

# Crop side / longer side of the pose: a person that fills a tenth of the crop is 6 cells of a 64-cell heatmap.
# Crouching persons, who are small relative to the height that determines the crop, stay below this limit.
_LARGEST_CROP = 10.0
_SMALLEST_CROP_PX = 24.0
_ODD_SCALE = 4.0


def check_lines(problems: Sequence[str], num_persons: int, strict: bool) -> List[Finding]:
    """Return Findings on annotation lines that cannot be used. strict: whether training stops at one."""
    if not problems:
        return []
    advice = ", so training refuses to start; correct them or set DataSetHG.on_bad_annotation='skip'" if strict else ''
    harmful = strict or len(problems) > MOST_ODD * num_persons
    return [Finding('lines', harmful, f'{counted(len(problems), "line")} cannot be used{advice}', tuple(problems))]


def check_split(split: Mapping[str, Sequence[Person]]) -> List[Finding]:
    """Return Findings on images and persons that are in both training and validation.

    split: as split_persons returns it. Images are compared by path, persons by their labels: two persons with the same
    labelled joints at the same pixels are one person, also if the names of their images differ.
    """
    by_image = _names_by_split(split, lambda person: os.path.normpath(person.image_path))
    by_labels = _names_by_split(split, _labels_of)
    findings = []
    for noun, groups in (('image', by_image), ('person by its labels', by_labels)):
        shared = [names for names in groups.values() if all(names.values())]
        if shared:
            message = f'{counted(len(shared), noun)} used for both training and validation, so validation is too good'
            findings.append(Finding('split', True, message, tuple(name for names in shared for name in _all(names))))
    repeated = [_all(names) for names in by_labels.values() if len(_all(names)) > 1]
    if repeated:
        message = f'{counted(sum(len(names) - 1 for names in repeated), "person")} with exactly the labels of another'
        findings.append(Finding('split', False, message, tuple(name for names in repeated for name in names)))
    return findings + _check_base_names(split)


def _check_base_names(split: Mapping[str, Sequence[Person]]) -> List[Finding]:
    """Return a note on images with one file name in several folders, in both training and validation."""
    paths: Dict[str, Dict[str, Set[str]]] = {}
    for subset, persons in split.items():
        for person in persons:
            name = os.path.basename(image_identity(person.image))
            paths.setdefault(name, {other: set() for other in split})[subset].add(os.path.normpath(person.image_path))
    repeated = [
        name for name, by_split in paths.items() if all(by_split.values()) and len(set.union(*by_split.values())) > 1
    ]
    if not repeated:
        return []
    message = (
        f'{counted(len(repeated), "image")} of the same file name in several folders, in both training and validation; '
        "if the folders are videos or persons, keep each in one split by DataSetHG.split_by='folder'"
    )
    return [Finding('split', False, message, tuple(repeated))]


def check_joints(persons: Sequence[Person], skeleton: Skeleton, kept: np.ndarray) -> List[Finding]:
    """Return Findings on joints that few persons have, and on missing sizes that metrics need.

    kept: bool (J,), the joints that are trained.
    """
    labelled = np.array([person.labelled for person in persons])
    findings = []
    columns = list(zip(skeleton.joints, labelled.mean(axis=0), kept))
    never = tuple(name for name, share, is_kept in columns if is_kept and not share)
    if never:
        message = (
            f'no person has {", ".join(never)} labelled, so the network cannot learn it; exclude it by '
            'DataSetHG.remove_joints'
        )
        findings.append(Finding('joints', True, message, never))
    rare = tuple(name for name, share, is_kept in columns if is_kept and 0 < share < _RARE)
    if rare:
        message = f'fewer than {100 * _RARE:g} % of the persons have {", ".join(rare)} labelled'
        findings.append(Finding('joints', False, message, rare))
    if skeleton.head_pair is None and all(person.head_box_img is None for person in persons):
        message = 'no head boxes, and no joints named neck and head: PCKh cannot be measured'
        if not skeleton.torso_pairs:
            message += '; without shoulder and hip of opposite sides, PCK by torso cannot be measured either'
        findings.append(Finding('joints', False, message))
    return findings


def check_crops(persons: Sequence[Person], rule: CropRule) -> List[Finding]:
    """Return Findings on labels outside the evaluation crops, where the network cannot find them."""
    outside, labelled, names = 0, 0, []
    for person in persons:
        joints = geometry.transform_points(rule.person_affine(person), person.joints_img)[person.labelled]
        out = int((~geometry.inside_crop(joints, rule.crop_size)).sum())
        outside += out
        labelled += len(joints)
        if out:
            names.append(person.person_id)
    if not outside:
        return []
    share = outside / labelled
    advice = '; widen the crops by DataSetHG.box_margin or correct the boxes' if share > MOST_OUTSIDE else ''
    message = (
        f'{counted(outside, "label")} of {counted(len(names), "person")} ({100 * share:.2f} %) outside the crop{advice}'
    )
    return [Finding('crops', share > MOST_OUTSIDE, message, tuple(names))]


def check_scales(persons: Sequence[Person], rule: CropRule) -> List[Finding]:
    """Return Findings on persons that are too small in their crops, tiny crops, and scales that contradict the pose."""
    sides = np.array([crop_side_img(rule, person) for person in persons])
    poses = np.array([_pose_side(person) for person in persons])
    known = np.isfinite(poses)
    tiny_pose = known & (sides > _LARGEST_CROP * np.where(known, poses, np.inf))
    tiny_crop = sides < _SMALLEST_CROP_PX
    findings = _odd(persons, tiny_pose, f'in a crop more than {_LARGEST_CROP:g} times as large as the pose')
    findings += _odd(persons, tiny_crop, f'in a crop of less than {_SMALLEST_CROP_PX:g} px of the image')
    scales = np.array([np.nan if person.scale is None else person.scale for person in persons], np.float64)
    given = np.array([person.scale is not None for person in persons])
    positive = np.isfinite(scales) & (np.where(np.isfinite(scales), scales, 0) > 0)
    findings += _odd(persons, given & ~positive, 'whose scale is not a positive number')
    usable = known & positive
    if usable.any():
        # A data set may define the unit of scale, but it must be the same for all persons.
        ratios = np.full(len(persons), np.nan)
        ratios[usable] = scales[usable] / poses[usable]
        ratios = ratios / np.median(ratios[usable])
        off = np.abs(np.log(np.where(usable, ratios, 1.0)))
        odd = off > np.log(_ODD_SCALE)
        findings += _odd(
            persons,
            odd,
            f'whose ratio of scale and pose differs from the median by a factor of more than {_ODD_SCALE:g}',
        )
    return findings


def crop_side_img(rule: CropRule, person: Person) -> float:
    """Return the side of a person's evaluation crop in image pixels."""
    return rule.crop_size / np.sqrt(abs(np.linalg.det(rule.person_affine(person)[:, :2])))


def _names_by_split(
    split: Mapping[str, Sequence[Person]], key: Callable[[Person], Optional[Hashable]]
) -> Dict[Hashable, Dict[str, List[str]]]:
    """Return {key of persons: {split: [person_id]}} without the key None."""
    groups: Dict[Hashable, Dict[str, List[str]]] = {}
    for subset, persons in split.items():
        for person in persons:
            value = key(person)
            if value is not None:
                groups.setdefault(value, {name: [] for name in split})[subset].append(person.person_id)
    return groups


def _all(names: Dict[str, List[str]]) -> List[str]:
    return [name for of_split in names.values() for name in of_split]


def _labels_of(person: Person) -> Optional[bytes]:
    """Return a key that is equal for persons with equal labels, or None if too few joints are labelled."""
    if person.labelled.sum() < _JOINTS_OF_A_SIZE:
        return None
    return person.labelled.tobytes() + np.asarray(person.joints_img[person.labelled], np.float32).tobytes()


def _pose_side(person: Person) -> float:
    """Return the longer side of the box of the labelled joints in pixels, NaN if too few are labelled."""
    if person.labelled.sum() < _JOINTS_OF_A_SIZE:
        return np.nan
    return float(np.ptp(person.joints_img[person.labelled], axis=0).max()) + 1.0


def _odd(persons: Sequence[Person], mask: np.ndarray, what: str) -> List[Finding]:
    """Return [Finding] on the persons of a mask, harmful if there are many, or [] if there are none."""
    names: Tuple[str, ...] = tuple(person.person_id for person, odd in zip(persons, mask) if odd)
    return about_share('scales', names, len(persons), MOST_ODD, what)
