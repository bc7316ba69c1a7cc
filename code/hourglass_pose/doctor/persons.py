"""What annotated persons show of mistakes that hurt a training, found without opening an image."""

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

# A pose of fewer labelled joints says little of its person's size.
_JOINTS_OF_A_SIZE = 6

# A joint that fewer of the persons have is rare.
_RARE = 0.02

# Crop side over the longer side of the pose: a person that fills a tenth of the crop is 6 cells of a 64-cell heatmap.
# Crouching persons, who are small beside the height that sets the crop, stay below it.
_LARGEST_CROP = 10.0
_SMALLEST_CROP_PX = 24.0
_ODD_SCALE = 4.0


def check_lines(problems: Sequence[str], num_persons: int, strict: bool) -> List[Finding]:
    """Return Findings about lines of annotations that cannot be used. strict: whether training stops at one."""
    if not problems:
        return []
    advice = ", so training refuses to start; correct them or set DataSetHG.on_bad_annotation='skip'" if strict else ''
    harmful = strict or len(problems) > MOST_ODD * num_persons
    return [Finding('lines', harmful, f'{counted(len(problems), "line")} cannot be used{advice}', tuple(problems))]


def check_split(split: Mapping[str, Sequence[Person]]) -> List[Finding]:
    """Return Findings: images and persons that are on both sides of a split.

    split: as split_persons returns it. An image is told apart by its path, a person by its labels: two with the same
    labelled joints at the same pixels are one person, whatever their images are called.
    """
    by_image = _names_by_side(split, lambda person: os.path.normpath(person.image_path))
    by_labels = _names_by_side(split, _labels_of)
    findings = []
    for noun, groups in (('image', by_image), ('person by its labels', by_labels)):
        shared = [names for names in groups.values() if all(names.values())]
        if shared:
            message = f'{counted(len(shared), noun)} trained on and validated with, so that the validation flatters'
            findings.append(Finding('split', True, message, tuple(name for names in shared for name in _all(names))))
    repeated = [_all(names) for names in by_labels.values() if len(_all(names)) > 1]
    if repeated:
        message = f'{counted(sum(len(names) - 1 for names in repeated), "person")} with the very labels of another'
        findings.append(Finding('split', False, message, tuple(name for names in repeated for name in names)))
    return findings + _check_base_names(split)


def _check_base_names(split: Mapping[str, Sequence[Person]]) -> List[Finding]:
    """Return a note on images of one file name in several folders that are on both sides of the split."""
    paths: Dict[str, Dict[str, Set[str]]] = {}
    for side, persons in split.items():
        for person in persons:
            name = os.path.basename(image_identity(person.image))
            paths.setdefault(name, {other: set() for other in split})[side].add(os.path.normpath(person.image_path))
    alike = [name for name, sides in paths.items() if all(sides.values()) and len(set.union(*sides.values())) > 1]
    if not alike:
        return []
    message = (
        f'{counted(len(alike), "image")} of the same file name in several folders, trained on and validated with; if '
        "the folders are videos or persons, keep each on one side by DataSetHG.split_by='folder'"
    )
    return [Finding('split', False, message, tuple(alike))]


def check_joints(persons: Sequence[Person], skeleton: Skeleton, kept: np.ndarray) -> List[Finding]:
    """Return Findings about joints that hardly anybody has, and about sizes that metrics need.

    kept: bool (J,), the joints that are learnt.
    """
    labelled = np.array([person.labelled for person in persons])
    findings = []
    columns = list(zip(skeleton.joints, labelled.mean(axis=0), kept))
    never = tuple(name for name, share, wanted in columns if wanted and not share)
    if never:
        message = (
            f'nobody has {", ".join(never)} labelled, so the network learns nothing of it; leave it out by '
            'DataSetHG.remove_joints'
        )
        findings.append(Finding('joints', True, message, never))
    rare = tuple(name for name, share, wanted in columns if wanted and 0 < share < _RARE)
    if rare:
        message = f'fewer than {100 * _RARE:g} % of the persons have {", ".join(rare)} labelled'
        findings.append(Finding('joints', False, message, rare))
    if skeleton.head_pair is None and all(person.head_box_img is None for person in persons):
        message = 'no head boxes, and no joints named neck and head: PCKh has no unit and is left out'
        if not skeleton.torso_pairs:
            message += '; no shoulder and hip of opposite sides: PCK by torso is left out, too'
        findings.append(Finding('joints', False, message))
    return findings


def check_crops(persons: Sequence[Person], rule: CropRule) -> List[Finding]:
    """Return Findings about labels outside of the evaluation crops, where nothing can find them."""
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
    share = outside / labelled
    advice = '; widen the crops by DataSetHG.box_margin or correct the boxes' if share > MOST_OUTSIDE else ''
    message = (
        f'{counted(outside, "label")} of {counted(len(names), "person")} ({100 * share:.2f} %) outside of the '
        f'crop{advice}'
    )
    return [Finding('crops', share > MOST_OUTSIDE, message, tuple(names))]


def check_scales(persons: Sequence[Person], rule: CropRule) -> List[Finding]:
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


def crop_side_img(rule: CropRule, person: Person) -> float:
    """Return the side of a person's evaluation crop in photo pixels."""
    return rule.crop_size / np.sqrt(abs(np.linalg.det(rule.person_affine(person)[:, :2])))


def _names_by_side(
    split: Mapping[str, Sequence[Person]], key: Callable[[Person], Optional[Hashable]]
) -> Dict[Hashable, Dict[str, List[str]]]:
    """Return {key of persons: {side: [person_id]}}, the keys None left out."""
    groups: Dict[Hashable, Dict[str, List[str]]] = {}
    for side, persons in split.items():
        for person in persons:
            found = key(person)
            if found is not None:
                groups.setdefault(found, {name: [] for name in split})[side].append(person.person_id)
    return groups


def _all(names: Dict[str, List[str]]) -> List[str]:
    return [name for side in names.values() for name in side]


def _labels_of(person: Person) -> Optional[bytes]:
    """Return what is the same for persons with the same labels, or None where there are too few to tell."""
    if person.labelled.sum() < _JOINTS_OF_A_SIZE:
        return None
    return person.labelled.tobytes() + np.asarray(person.joints_img[person.labelled], np.float32).tobytes()


def _pose_side(person: Person) -> float:
    """Return the longer side of the box of the labelled joints in pixels, NaN where too few are labelled."""
    if person.labelled.sum() < _JOINTS_OF_A_SIZE:
        return np.nan
    return float(np.ptp(person.joints_img[person.labelled], axis=0).max()) + 1.0


def _odd(persons: Sequence[Person], mask: np.ndarray, what: str) -> List[Finding]:
    """Return [Finding] about the persons of a mask, harmful where they are many, or [] where there are none."""
    names: Tuple[str, ...] = tuple(person.person_id for person, odd in zip(persons, mask) if odd)
    return about_share('scales', names, len(persons), MOST_ODD, what)
