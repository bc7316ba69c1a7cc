"""Splits given as a list: a text file of the persons to validate with."""

from dataclasses import replace
from typing import Iterable, Iterator, Set, Union

from hourglass_pose.annotations.checking import Skipped
from hourglass_pose.annotations.dataset_txt import image_of
from hourglass_pose.annotations.gzip_files import open_bytes
from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import AnnotationError

_LISTED = 3


def read_split_list(path: str) -> Set[str]:
    """Return the entries of a list: one image name or NAME[LETTER] per line; empty lines are skipped.

    Raises AnnotationError for a file that cannot be read, is not UTF-8 text or has no entry.
    """
    try:
        with open_bytes(path) as stream:
            entries = {line.strip() for line in stream.read().decode('utf-8-sig').splitlines()} - {''}
    except UnicodeDecodeError as error:
        raise AnnotationError(f'{path}: not UTF-8 text ({error}); expected one image name or NAME[LETTER] per line')
    if not entries:
        raise AnnotationError(f'{path}: the list is empty; expected one image name or NAME[LETTER] per line')
    return entries


def split_by_list(persons: Iterable[Union[Person, Skipped]], path: str) -> Iterator[Union[Person, Skipped]]:
    """Yield the persons with the split 'valid' if a list has them or their image, otherwise with 'train'.

    If the list has only some persons of an image, its other persons are skipped, so that the image is not trained on.
    Persons of the split 'test' and records skipped before pass unchanged. Raises AnnotationError for entries that match
    no person.
    """
    entries = read_split_list(path)
    images = {image_of(entry) for entry in entries}
    matched: Set[str] = set()
    for person in persons:
        if isinstance(person, Skipped) or person.split == 'test':
            yield person
            continue
        matching = entries & {person.image, person.person_id}
        matched |= matching
        if matching:
            yield replace(person, split='valid')
        elif person.image in images:
            yield Skipped('the split list has only other persons of their image')
        else:
            yield replace(person, split='train')
    unmatched = sorted(entries - matched)
    if unmatched:
        raise AnnotationError(
            f'{path}: {len(unmatched)} entries match no person, such as '
            f'{", ".join(map(repr, unmatched[:_LISTED]))}; expected one image name or NAME[LETTER] per line, as in the '
            'annotations'
        )
