"""The split of persons into training and validation: as annotated, otherwise by a hash of image and seed."""

import hashlib
import json
import posixpath
import re
from typing import Dict, Iterable, List, Mapping, Optional, Sequence

from hourglass_pose.annotations.checking import SPLITS
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_table import PersonTable, keys_of
from hourglass_pose.errors import AnnotationError

# Values of split_by, the unit that is never divided -> its name in messages.
_UNITS = {'image': 'image', 'folder': 'folder of images'}


# Names between single slashes, of which none begins with a dot: such a path is its own identity.
_PLAIN_PATH = re.compile(r'^[^/\\.][^/\\]*(/[^/\\.][^/\\]*)*$')


def image_identity(image: str) -> str:
    """Return the identity of an image: its path below the image folder, with slashes."""
    if _PLAIN_PATH.match(image):
        return image
    return posixpath.normpath(image.replace('\\', '/'))


def split_of(unit: str, seed: int, valid_fraction: float) -> str:
    """Return 'valid' for a fraction valid_fraction of all units, otherwise 'train'.

    unit: the path of an image below the image folder, or of a folder of images. The result depends only on the unit,
    the integer seed and the fraction, so it is the same on every machine. Raises ValueError if valid_fraction is not in
    [0, 1].
    """
    if not 0 <= valid_fraction <= 1:
        raise ValueError(f'valid_fraction is in [0, 1], not {valid_fraction!r}')
    return 'valid' if _hash_share(image_identity(unit), seed) < valid_fraction else 'train'


def split_persons(
    persons: Iterable[Person], valid_fraction: float, seed: int, split_by: str = 'image'
) -> Dict[str, Sequence[Person]]:
    """Return {'train': [Person, ...], 'valid': [...]}, each in the order of `persons`; tables of a PersonTable.

    A person annotated as 'train' or 'valid' keeps its split; a person annotated as 'test' is in neither. The others are
    divided by image, or with split_by 'folder' by the folder of their image (frames of one video): all persons of one
    unit get the same split, also if they come from several sources. If another person of the unit has an annotated
    split, they follow it, and are left out for 'test'. With 0 < valid_fraction < 1 neither split is empty: if the
    hashes leave one empty, the unit whose hash is nearest moves to it.

    Raises AnnotationError if with such a fraction a split is still empty, because there are fewer than two units to
    divide or all annotations name the same split; ValueError if valid_fraction is not in [0, 1] or for another
    split_by.
    """
    if split_by not in _UNITS:
        raise ValueError(f'split_by is one of {", ".join(_UNITS)}, not {split_by!r}')
    if isinstance(persons, PersonTable):
        given, images = persons.splits(), persons.images()
    else:
        persons = list(persons)
        given, images = [person.split for person in persons], [person.image for person in persons]
    unit_of_image = {image: _unit(image, split_by) for image in set(images)}
    units = [unit_of_image[image] for image in images]
    split_of_unit = _splits_of_units(units, given, valid_fraction, seed, split_by)
    rows: Dict[str, List[int]] = {'train': [], 'valid': [], 'test': []}
    for row, (unit, name) in enumerate(zip(units, given)):
        rows[name or split_of_unit[unit]].append(row)
    del rows['test']
    if 0 < valid_fraction < 1 and not all(rows.values()):
        raise AnnotationError(
            f'{len(rows["train"])} person(s) to train on and {len(rows["valid"])} to validate with, as '
            'annotated; expected at least one of each'
        )
    if isinstance(persons, PersonTable):
        return {name: persons.take(chosen) for name, chosen in rows.items()}
    return {name: [persons[row] for row in chosen] for name, chosen in rows.items()}


def _splits_of_units(
    units: Sequence[str], given_splits: Sequence[Optional[str]], valid_fraction: float, seed: int, split_by: str
) -> Dict[str, str]:
    """Return {unit: split} of the units with persons that have no annotated split; units, given_splits: of persons."""
    # If the persons of a unit have several annotated splits, the last in this order counts, so that no image with an
    # evaluated person is trained on.
    given: Dict[str, str] = {}
    for name in SPLITS:
        given.update((unit, name) for unit, split in zip(units, given_splits) if split == name)
    undecided = {unit for unit, split in zip(units, given_splits) if split is None}
    divided = undecided - set(given)
    if not 0 <= valid_fraction <= 1:
        raise ValueError(f'valid_fraction is in [0, 1], not {valid_fraction!r}')
    shares = {unit: _hash_share(unit, seed) for unit in divided}
    result = {unit: 'valid' if share < valid_fraction else 'train' for unit, share in shares.items()}
    if '' in result:  # the folder itself, whose identity is '.'
        result[''] = split_of('', seed, valid_fraction)
    if 0 < valid_fraction < 1 and not given:
        if len(divided) < 2:
            advice = (
                "annotate two or more, or set DataSetHG.split_by='image'"
                if split_by == 'folder'
                else 'annotate two or more'
            )
            raise AnnotationError(
                f'{len(divided)} {_UNITS[split_by]}(s) cannot be divided into training and validation; {advice}'
            )
        first, last = (end((share, unit) for unit, share in shares.items())[1] for end in (min, max))
        result[first], result[last] = 'valid', 'train'
    result.update((unit, given[unit]) for unit in undecided & set(given))
    return result


def split_hash(split: Mapping[str, Sequence[Person]]) -> str:
    """Return the SHA-256 (64 hex digits) of which persons are in which split, independent of their order.

    split: as split_persons returns it. The hashed text is the sorted JSON lines [split, source, person_id].
    """
    entries = sorted(json.dumps([side, *key]) for side, persons in split.items() for key in keys_of(persons))
    return hashlib.sha256('\n'.join(entries).encode('ascii')).hexdigest()


def _unit(image: str, split_by: str) -> str:
    identity = image_identity(image)
    return identity if split_by == 'image' else posixpath.dirname(identity)


def _hash_share(unit: str, seed: int) -> float:
    """Return the hash of a unit as a number in [0, 1): 48 bits of SHA-256, exact as a float."""
    digest = hashlib.sha256(f'{seed}:{unit}'.encode('utf-8', 'surrogateescape')).digest()
    return int.from_bytes(digest[:6], 'big') / 2.0**48
