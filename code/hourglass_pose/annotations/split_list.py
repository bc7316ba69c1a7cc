"""A split that is given as a list: a text file of the persons to validate with."""

from dataclasses import replace
from typing import Iterable, Iterator, Set, Union

from hourglass_pose.annotations.checking import Skipped
from hourglass_pose.annotations.dataset_txt import image_of
from hourglass_pose.annotations.gzip_files import open_bytes
from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import AnnotationError

_LISTED = 3


def read_split_list(path: str) -> Set[str]:
    """Return the entries of a list: one image name or NAME[LETTER] a line; empty lines are passed over.

    Raises AnnotationError for a file that cannot be read or is no UTF-8 text, and for one without an entry.
    """
    try:
        with open_bytes(path) as stream:
            entries = {line.strip() for line in stream.read().decode('utf-8-sig').splitlines()} - {''}
    except UnicodeDecodeError as error:
        raise AnnotationError(f'{path}: no UTF-8 text ({error}); one image name or NAME[LETTER] a line is needed')
    if not entries:
        raise AnnotationError(f'{path}: an empty list; one image name or NAME[LETTER] a line is needed')
    return entries


def split_by_list(persons: Iterable[Union[Person, Skipped]], path: str) -> Iterator[Union[Person, Skipped]]:
    """Yield the persons with the split 'valid' where a list has them or their image, otherwise 'train'.

    An image of which the list has some persons is not trained on: its other persons are skipped. Persons of the split
    'test' and what was skipped before pass as they are. Raises AnnotationError for entries that fit no person.
    """
    entries = read_split_list(path)
    images = {image_of(entry) for entry in entries}
    fitting: Set[str] = set()
    for person in persons:
        if isinstance(person, Skipped) or person.split == 'test':
            yield person
            continue
        found = entries & {person.image, person.person_id}
        fitting |= found
        if found:
            yield replace(person, split='valid')
        elif person.image in images:
            yield Skipped('the split list has others of their image and not them')
        else:
            yield replace(person, split='train')
    lost = sorted(entries - fitting)
    if lost:
        raise AnnotationError(
            f'{path}: {len(lost)} entries fit nobody, such as {", ".join(map(repr, lost[:_LISTED]))}; one image name '
            'or NAME[LETTER] a line is needed, as in the annotations'
        )
