"""Checks of the images of annotated persons: missing, unreadable or duplicate images, and labels outside of them."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple, TypeVar

import numpy as np

from hourglass_pose.annotations.checking import problem_in_image
from hourglass_pose.annotations.image_listing import ImageListing
from hourglass_pose.annotations.person import Person
from hourglass_pose.doctor.findings import MOST_OUTSIDE, Finding
from hourglass_pose.errors import ImageError, counted
from hourglass_pose.files import file_sha256
from hourglass_pose.geometry import inside_image
from hourglass_pose.images import read_image

Item = TypeVar('Item')


@dataclass(frozen=True)
class OpenedImage:
    """An image that was read: size in pixels, or None and the problem; digest: SHA-256 of the file."""

    size_wh: Optional[Tuple[int, int]]
    problem: str
    digest: str


def missing_images(persons: Iterable[Person]) -> Set[str]:
    """Return the paths of missing images, by one listing of each folder."""
    listing = ImageListing()
    return {path for path in {person.image_path for person in persons} if listing.is_missing(path)}


def open_images(paths: Iterable[str], workers: int, progress: Callable[[Any], Any] = iter) -> Dict[str, OpenedImage]:
    """Return {path: OpenedImage}; each image is read whole. progress: as tqdm, wraps the paths."""
    paths = list(paths)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        return dict(zip(progress(paths), pool.map(_open, paths)))


def check_missing(persons: Sequence[Person], missing: Set[str], stops: bool, max_unreadable: float) -> List[Finding]:
    """Return Findings on missing images.

    missing: as missing_images returns it. stops: whether training refuses to start if an image is missing.
    max_unreadable: otherwise, the fraction of images that may be unusable.
    """
    if not missing:
        return []
    total = len({person.image_path for person in persons})
    affected = sum(person.image_path in missing for person in persons)
    folders = sorted({os.path.dirname(path) or '.' for path in missing})
    message = (
        f'{counted(len(missing), "image")} of {total:,} missing, with {counted(affected, "person")}, in '
        f'{", ".join(folders)}'
    )
    return [Finding('images', stops or len(missing) > max_unreadable * total, message, tuple(sorted(missing)))]


def check_opened(persons: Sequence[Person], opened: Mapping[str, OpenedImage], max_unreadable: float) -> List[Finding]:
    """Return Findings on the images that were opened and on their labels. opened: as open_images returns it."""
    unreadable = [image.problem for image in opened.values() if image.problem]
    findings = []
    if unreadable:
        message = f'{counted(len(unreadable), "image")} of {len(opened)} opened cannot be read'
        findings.append(Finding('images', len(unreadable) > max_unreadable * len(opened), message, tuple(unreadable)))
    return findings + _check_labels(persons, opened)


def check_copies(split: Mapping[str, Sequence[Person]], opened: Mapping[str, OpenedImage]) -> List[Finding]:
    """Return Findings on identical images with several names. split: as split_persons returns it."""
    groups: Dict[str, Dict[str, Set[str]]] = {}
    for name, persons in split.items():
        for person in persons:
            image = opened.get(person.image_path)
            if image is not None and image.digest:
                groups.setdefault(image.digest, {}).setdefault(person.image_path, set()).add(name)
    copies = [names for names in groups.values() if len(names) > 1]
    shared = [names for names in copies if len(set().union(*names.values())) > 1]
    within = [names for names in copies if names not in shared]
    findings = []
    for check, harmful, duplicates, where in (
        ('split', True, shared, 'used for both training and validation'),
        ('images', False, within, 'in one split'),
    ):
        if duplicates:
            message = f'{counted(len(duplicates), "image")} with several names, {where}'
            findings.append(Finding(check, harmful, message, tuple(name for names in duplicates for name in names)))
    return findings


def sample_of(items: Iterable[Item], count: int) -> List[Item]:
    """Return at most `count` of the items, spread evenly."""
    items = list(items)
    return [items[index] for index in np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).astype(int))]


def _open(path: str) -> OpenedImage:
    try:
        height, width = read_image(path).shape[:2]
        return OpenedImage((width, height), '', file_sha256(path))
    except ImageError as error:
        return OpenedImage(None, str(error), '')
    except OSError as error:
        return OpenedImage(None, f'{path}: cannot be opened ({error.strerror})', '')


def _check_labels(persons: Sequence[Person], opened: Mapping[str, OpenedImage]) -> List[Finding]:
    """Return Findings on boxes and joints outside the images that were opened."""
    absurd, outside, labelled, names = [], 0, 0, []
    for person in persons:
        image = opened.get(person.image_path)
        if image is None or image.size_wh is None:
            continue
        problem = problem_in_image(person, *image.size_wh)
        if problem:
            absurd.append(f'{person.person_id}: {problem}')
        joints = person.joints_img[person.labelled]
        out = int((~inside_image(joints, image.size_wh)).sum())
        outside += out
        labelled += len(joints)
        if out:
            names.append(person.person_id)
    findings = []
    if absurd:
        message = (
            f'{counted(len(absurd), "person")} far outside the image; check that labels and images belong together'
        )
        findings.append(Finding('labels', True, message, tuple(absurd)))
    if outside:
        share = outside / labelled
        message = (
            f'{counted(outside, "label")} of {counted(len(names), "person")} ({100 * share:.2f} %) outside the image'
        )
        findings.append(Finding('labels', share > MOST_OUTSIDE, message, tuple(names)))
    return findings
