"""Division of persons into training and validation: as the data say, else by a hash of image name and seed."""

import hashlib
import json
import os
from collections import OrderedDict

from hourglass_pose.errors import AnnotationError

SIDES = ('train', 'valid')


def split_of(image_name, seed, valid_fraction):
    """Return 'valid' for a share valid_fraction of all image names, else 'train'.

    Depends on the file name without its folder, the integer seed and the fraction alone, so it is the same on
    every machine.
    Raises ValueError where valid_fraction is not in [0, 1].
    """
    if not 0 <= valid_fraction <= 1:
        raise ValueError(f'valid_fraction is in [0, 1], not {valid_fraction!r}')
    return 'valid' if _draw(_file_name(image_name), seed) < valid_fraction else 'train'


def split_persons(persons, valid_fraction, seed):
    """Return OrderedDict {'train': [Person, ...], 'valid': [...]}, each side in the order of `persons`.

    A person whose data say 'train' or 'valid' is on that side, one that they say 'test' of is on neither. The others
    are divided by image: all persons of one file name fall on the same side, in whatever source it occurs, and where
    the data say something of another person of the image, on that one's side, or with its 'test' on neither. With
    0 < valid_fraction < 1 neither side is empty: where the hashes leave one empty, the image nearest to it changes
    sides.

    Raises AnnotationError where with such a fraction a side is empty all the same, for there is a single image (or
    none) to divide or the data say the same of all; ValueError where valid_fraction is not in [0, 1].
    """
    persons = list(persons)
    side_of = _sides_of_images(persons, valid_fraction, seed)
    split = OrderedDict((side, []) for side in SIDES)
    for person in persons:
        side = person.split or side_of[_file_name(person.image)]
        if side in split:
            split[side].append(person)
    if 0 < valid_fraction < 1 and not all(split.values()):
        raise AnnotationError(
            '%d person(s) to train on and %d to validate with, as the annotations say; both are '
            'needed' % (len(split['train']), len(split['valid']))
        )
    return split


def _sides_of_images(persons, valid_fraction, seed):
    """Return {file name: side} of the images that have persons of whom the data say nothing."""
    # Of several sides of one image the last in this order counts, so nobody is trained on beside a person measured.
    said = {}
    for side in ('train', 'valid', 'test'):
        said.update((_file_name(person.image), side) for person in persons if person.split == side)
    open_names = {_file_name(person.image) for person in persons if person.split is None}
    names = open_names - set(said)
    side_of = {name: split_of(name, seed, valid_fraction) for name in names}
    if 0 < valid_fraction < 1 and not said:
        if len(names) < 2:
            raise AnnotationError(
                '%d image(s) cannot be divided into training and validation; annotate two or more' % len(names)
            )
        ranked = sorted(names, key=lambda name: (_draw(name, seed), name))
        side_of[ranked[0]], side_of[ranked[-1]] = 'valid', 'train'
    side_of.update((name, said[name]) for name in open_names & set(said))
    return side_of


def split_hash(split):
    """Return the SHA-256 (64 hex digits) of which persons are on which side, whatever their order.

    split: as split_persons returns it. Hashed are the lines of JSON [side, source, person_id], sorted.
    """
    entries = sorted(
        json.dumps([side, person.source, person.person_id]) for side, persons in split.items() for person in persons
    )
    return hashlib.sha256('\n'.join(entries).encode('ascii')).hexdigest()


def _file_name(image_name):
    return os.path.basename(image_name.replace('\\', '/'))


def _draw(name, seed):
    """Return the number in [0, 1) that is drawn for a file name: 48 bits of SHA-256, exact as a float."""
    digest = hashlib.sha256(('%d:%s' % (seed, name)).encode('utf-8', 'surrogateescape')).digest()
    return int.from_bytes(digest[:6], 'big') / 2.0**48
