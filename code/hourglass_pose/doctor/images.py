"""Which pictures of annotated persons are missing, cannot be read, or are the same, and labels outside of them."""

import hashlib
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from hourglass_pose.annotations.reading import problem_in_image
from hourglass_pose.doctor.persons import MOST_OUTSIDE, Finding, counted
from hourglass_pose.errors import ImageError
from hourglass_pose.images import read_image


@dataclass(frozen=True)
class OpenedPicture:
    """A picture that was read: (width, height) in pixels, or None and what is wrong; digest of the file's bytes."""

    size_wh: Optional[Tuple[int, int]]
    problem: str
    digest: str


def missing_images(persons):
    """Return the set of paths of pictures that are not there, by one listing of each folder."""
    listed = {}
    missing = set()
    for path in sorted({person.image_path for person in persons}):
        folder, name = os.path.split(path)
        if folder not in listed:
            try:
                listed[folder] = frozenset(os.listdir(folder or '.'))
            except OSError:
                listed[folder] = frozenset()
        # File systems that ignore case or normalise Unicode open names that the listing spells otherwise.
        if name not in listed[folder] and not os.path.exists(path):
            missing.add(path)
    return missing


def open_images(paths, workers, progress=iter):
    """Return {path: OpenedPicture} of pictures that are read whole. progress: as tqdm, wraps the paths."""
    paths = list(paths)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        return OrderedDict(zip(progress(paths), pool.map(_open, paths)))


def check_missing(persons, missing, stops, max_unreadable):
    """Return Findings about missing pictures.

    missing: as missing_images returns it. stops: whether training refuses to start for one. max_unreadable: the share
    of the pictures that may be unusable else.
    """
    if not missing:
        return []
    total = len({person.image_path for person in persons})
    harmful = stops or len(missing) > max_unreadable * total
    return [
        Finding(
            'images',
            harmful,
            '{} of {} missing, with {}, in {}'.format(
                counted(len(missing), 'picture'),
                f'{total:,}',
                counted(sum(person.image_path in missing for person in persons), 'person'),
                ', '.join(sorted({os.path.dirname(path) or '.' for path in missing})),
            ),
            tuple(sorted(missing)),
        )
    ]


def check_opened(persons, opened, max_unreadable):
    """Return Findings about the pictures that were opened and the labels in them. opened: as open_images returns it."""
    unreadable = [picture.problem for picture in opened.values() if picture.problem]
    findings = []
    if unreadable:
        findings.append(
            Finding(
                'images',
                len(unreadable) > max_unreadable * len(opened),
                '%s of %d opened cannot be read' % (counted(len(unreadable), 'picture'), len(opened)),
                tuple(unreadable),
            )
        )
    return findings + _check_labels(persons, opened)


def check_copies(split, opened):
    """Return Findings about pictures under several names. split: as split_persons returns it."""
    groups = OrderedDict()
    for side, persons in split.items():
        for person in persons:
            picture = opened.get(person.image_path)
            if picture is not None and picture.digest:
                names = groups.setdefault(picture.digest, OrderedDict())
                names.setdefault(person.image_path, set()).add(side)
    copies = [names for names in groups.values() if len(names) > 1]
    shared = [names for names in copies if len(set().union(*names.values())) > 1]
    findings = []
    if shared:
        findings.append(
            Finding(
                'split',
                True,
                '{} under several names, trained on and validated with'.format(counted(len(shared), 'picture')),
                tuple(name for names in shared for name in names),
            )
        )
    alike = [names for names in copies if names not in shared]
    if alike:
        findings.append(
            Finding(
                'images',
                False,
                '{} under several names on one side of the split'.format(counted(len(alike), 'picture')),
                tuple(name for names in alike for name in names),
            )
        )
    return findings


def sample_of(items, count):
    """Return at most `count` of a list's items, spread evenly over it."""
    items = list(items)
    return [items[index] for index in np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).astype(int))]


def _open(path):
    try:
        height, width = read_image(path).shape[:2]
        with open(path, 'rb') as stream:
            return OpenedPicture((width, height), '', hashlib.sha256(stream.read()).hexdigest())
    except ImageError as error:
        return OpenedPicture(None, str(error), '')
    except OSError as error:
        return OpenedPicture(None, f'{path}: cannot be opened ({error.strerror})', '')


def _check_labels(persons, opened):
    """Return Findings about boxes and joints outside of the pictures that were opened."""
    absurd, outside, labelled, names = [], 0, 0, []
    for person in persons:
        picture = opened.get(person.image_path)
        if picture is None or picture.size_wh is None:
            continue
        problem = problem_in_image(person, *picture.size_wh)
        if problem:
            absurd.append(f'{person.person_id}: {problem}')
        joints = person.joints_img[person.labelled]
        out = int((~((joints >= -0.5) & (joints < np.array(picture.size_wh) - 0.5)).all(axis=1)).sum())
        outside += out
        labelled += len(joints)
        if out:
            names.append(person.person_id)
    findings = []
    if absurd:
        findings.append(
            Finding(
                'labels',
                True,
                '{} far outside of the picture; do labels and pictures belong together?'.format(
                    counted(len(absurd), 'person')
                ),
                tuple(absurd),
            )
        )
    if outside:
        share = outside / float(labelled)
        findings.append(
            Finding(
                'labels',
                share > MOST_OUTSIDE,
                '{} of {} ({:.2f} %) outside of the picture'.format(
                    counted(outside, 'label'), counted(len(names), 'person'), 100 * share
                ),
                tuple(names),
            )
        )
    return findings
