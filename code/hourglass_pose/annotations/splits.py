"""Division of persons into training and validation: as the data say, otherwise by a hash of image and seed."""

import hashlib
import json
import posixpath
from typing import Dict, Iterable, List, Mapping, Sequence

from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import AnnotationError

SIDES = ('train', 'valid')

# What falls on one side as a whole, and what it is called in messages.
_UNITS = {'image': 'image', 'folder': 'folder of images'}


def image_identity(image: str) -> str:
    """Return what an image is told apart by: its path below the image folder, with slashes."""
    return posixpath.normpath(image.replace('\\', '/'))


def split_of(unit: str, seed: int, valid_fraction: float) -> str:
    """Return 'valid' for a share valid_fraction of all names, otherwise 'train'.

    unit: the path of an image below the image folder, or of a folder of images. Depends on it, the integer seed and
    the fraction alone, so it is the same on every machine. Raises ValueError where valid_fraction is not in [0, 1].
    """
    if not 0 <= valid_fraction <= 1:
        raise ValueError(f'valid_fraction is in [0, 1], not {valid_fraction!r}')
    return 'valid' if _hash_share(image_identity(unit), seed) < valid_fraction else 'train'


def split_persons(
    persons: Iterable[Person], valid_fraction: float, seed: int, split_by: str = 'image'
) -> Dict[str, List[Person]]:
    """Return {'train': [Person, ...], 'valid': [...]}, each in the order of `persons`.

    A person whose data say 'train' or 'valid' is on that side, one whose data say 'test' is on neither. The others are
    divided by image, or with split_by 'folder' by the folder that holds their image (frames of one video): all persons
    of one unit fall on the same side, in whatever source they occur. Where the data say the side of another person of
    the unit, they follow that person, 'test' on neither side. With 0 < valid_fraction < 1 neither side is empty: where
    the hashes leave one empty, the unit nearest to it changes sides.

    Raises AnnotationError where with such a fraction a side is empty all the same, because there is a single unit (or
    none) to divide or the data say the same of all; ValueError where valid_fraction is not in [0, 1] or for another
    split_by.
    """
    if split_by not in _UNITS:
        raise ValueError(f'split_by is one of {", ".join(_UNITS)}, not {split_by!r}')
    everyone = list(persons)
    side_of = _sides_of_units(everyone, valid_fraction, seed, split_by)
    split: Dict[str, List[Person]] = {side: [] for side in SIDES}
    for person in everyone:
        side = person.split or side_of[_unit(person, split_by)]
        if side in split:
            split[side].append(person)
    if 0 < valid_fraction < 1 and not all(split.values()):
        raise AnnotationError(
            f'{len(split["train"])} person(s) to train on and {len(split["valid"])} to validate with, as the '
            'annotations say; both are needed'
        )
    return split


def _sides_of_units(persons: Sequence[Person], valid_fraction: float, seed: int, split_by: str) -> Dict[str, str]:
    """Return {unit: side} of the units that have persons whose data say no side."""
    # Of several sides of one unit the last in this order counts: nobody is trained on beside a person measured.
    given: Dict[str, str] = {}
    for side in ('train', 'valid', 'test'):
        given.update((_unit(person, split_by), side) for person in persons if person.split == side)
    undecided = {_unit(person, split_by) for person in persons if person.split is None}
    units = undecided - set(given)
    side_of = {unit: split_of(unit, seed, valid_fraction) for unit in units}
    if 0 < valid_fraction < 1 and not given:
        if len(units) < 2:
            advice = (
                "annotate two or more, or set DataSetHG.split_by='image'"
                if split_by == 'folder'
                else 'annotate two or more'
            )
            raise AnnotationError(
                f'{len(units)} {_UNITS[split_by]}(s) cannot be divided into training and validation; {advice}'
            )
        ranked = sorted(units, key=lambda unit: (_hash_share(unit, seed), unit))
        side_of[ranked[0]], side_of[ranked[-1]] = 'valid', 'train'
    side_of.update((unit, given[unit]) for unit in undecided & set(given))
    return side_of


def split_hash(split: Mapping[str, Sequence[Person]]) -> str:
    """Return the SHA-256 (64 hex digits) of which persons are on which side, whatever their order.

    split: as split_persons returns it. Hashed are the lines of JSON [side, source, person_id], sorted.
    """
    entries = sorted(
        json.dumps([side, person.source, person.person_id]) for side, persons in split.items() for person in persons
    )
    return hashlib.sha256('\n'.join(entries).encode('ascii')).hexdigest()


def _unit(person: Person, split_by: str) -> str:
    identity = image_identity(person.image)
    return identity if split_by == 'image' else posixpath.dirname(identity)


def _hash_share(unit: str, seed: int) -> float:
    """Return the number in [0, 1) that stands for a name: 48 bits of SHA-256, exact as a float."""
    digest = hashlib.sha256(f'{seed}:{unit}'.encode('utf-8', 'surrogateescape')).digest()
    return int.from_bytes(digest[:6], 'big') / 2.0**48
