"""The split of persons into training and validation: as annotated, otherwise by a hash of image and seed."""

import hashlib
import heapq
import io
import itertools
import json
import posixpath
import re
from typing import Any, Dict, Iterable, Iterator, Mapping, Sequence

import numpy as np

from hourglass_pose.annotations.checking import SPLITS
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_table import PersonTable, keys_of, named_images, split_codes
from hourglass_pose.errors import AnnotationError

_TRAIN, _VALID = SPLITS.index('train'), SPLITS.index('valid')

# Values of split_by, the unit that is never divided -> its name in messages.
_UNITS = {'image': 'image', 'folder': 'folder of images'}

_BLOCK = 2**15  # lines

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
    return 'valid' if _share(_key(image_identity(unit), seed)) < valid_fraction else 'train'


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
    if not 0 <= valid_fraction <= 1:
        raise ValueError(f'valid_fraction is in [0, 1], not {valid_fraction!r}')
    if not isinstance(persons, PersonTable):
        persons = list(persons)
    given, (images, names) = split_codes(persons), named_images(persons)
    keys, units = np.unique(
        np.fromiter((_key(_unit(name, split_by), seed) for name in names), np.uint64), return_inverse=True
    )
    units = units.astype(np.int32)[images]
    codes = np.where(given >= 0, given, _codes_of_units(keys, units, given, valid_fraction, seed, split_by)[units])
    rows = {name: np.flatnonzero(codes == code) for name, code in (('train', _TRAIN), ('valid', _VALID))}
    if 0 < valid_fraction < 1 and not all(map(len, rows.values())):
        raise AnnotationError(
            f'{len(rows["train"])} person(s) to train on and {len(rows["valid"])} to validate with, as '
            'annotated; expected at least one of each'
        )
    if isinstance(persons, PersonTable):
        return {name: persons.take(chosen) for name, chosen in rows.items()}
    return {name: [persons[row] for row in chosen.tolist()] for name, chosen in rows.items()}


def _codes_of_units(
    keys: np.ndarray, units: np.ndarray, given: np.ndarray, valid_fraction: float, seed: int, split_by: str
) -> np.ndarray:
    """Return (U,) the index in SPLITS of the split that persons without an annotated one get.

    keys: (U,) of the units, in ascending order. units, given: (N,) unit and annotated split of each person.
    """
    codes = np.where(_share(keys) < valid_fraction, _VALID, _TRAIN)
    # The folder of images itself is ordered by its name '', and divided by its identity '.'.
    codes[keys == _key('', seed)] = SPLITS.index(split_of('', seed, valid_fraction))
    if 0 < valid_fraction < 1 and not (given >= 0).any():
        if len(keys) < 2:
            advice = (
                "annotate two or more, or set DataSetHG.split_by='image'"
                if split_by == 'folder'
                else 'annotate two or more'
            )
            raise AnnotationError(
                f'{len(keys)} {_UNITS[split_by]}(s) cannot be divided into training and validation; {advice}'
            )
        codes[0], codes[-1] = _VALID, _TRAIN
    # If the persons of a unit have several annotated splits, the last in this order counts, so that no image with an
    # evaluated person is trained on.
    for code in range(len(SPLITS)):
        codes[units[given == code]] = code
    return codes


def split_hash(split: Mapping[str, Sequence[Person]]) -> str:
    """Return the SHA-256 (64 hex digits) of which persons are in which split, independent of their order.

    split: as split_persons returns it. The hashed text is the sorted JSON lines [split, source, person_id].
    """
    digest, separator = hashlib.sha256(), b''
    for side in sorted(split):
        # The text of json.dumps([side, source, person_id]), made in a third of the time.
        lines = (f'["{side}", {source}, {json.dumps(name)}]'.encode('ascii') for source, name in keys_of(split[side]))
        for line in _sorted(lines):
            digest.update(separator + line.rstrip())
            separator = b'\n'
    return digest.hexdigest()


def _sorted(lines: Iterator[bytes]) -> Iterable[bytes]:
    """Return lines of JSON in order, some with a line end; blocks of them are kept as one text each."""
    blocks = iter(lambda: sorted(itertools.islice(lines, _BLOCK)), [])
    return heapq.merge(*[io.BytesIO(b'\n'.join(block)) for block in blocks])


def _unit(image: str, split_by: str) -> str:
    identity = image_identity(image)
    return identity if split_by == 'image' else posixpath.dirname(identity)


def _key(unit: str, seed: int) -> int:
    """Return the hash of a unit: the first 64 bits of SHA-256, of which the upper 48 decide.

    Units of equal keys would count as one. They are on the same side anyway, unless one has an annotated split.
    """
    digest = hashlib.sha256(f'{seed}:{unit}'.encode('utf-8', 'surrogateescape')).digest()
    return int.from_bytes(digest[:8], 'big')


def _share(keys: Any) -> Any:
    """Return a key, or uint64 keys, as numbers in [0, 1): 48 bits, exact as floats."""
    return (keys >> 16) / 2.0**48
