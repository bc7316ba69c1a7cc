"""A division of persons that is given as a list: a text file of those to validate with."""

from dataclasses import replace

from hourglass_pose.annotations.dataset_txt import image_of
from hourglass_pose.annotations.gzip_files import open_bytes
from hourglass_pose.errors import AnnotationError

_LISTED = 3


def read_split_list(path):
    """Return the set of the entries of a list: one image name or NAME[LETTER] a line; empty lines are passed over.

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


def split_by_list(persons, path):
    """Yield the persons with the split 'valid' where a list has them or their image, else 'train'.

    An image of which the list has some persons is not trained on: None comes in place of its others. Persons of the
    split 'test' and None pass as they are. Raises AnnotationError for entries that fit nobody.
    """
    entries = read_split_list(path)
    images = {image_of(entry) for entry in entries}
    fitting = set()
    for person in persons:
        if person is None or person.split == 'test':
            yield person
            continue
        found = entries & {person.image, person.person_id}
        fitting |= found
        if found:
            yield replace(person, split='valid')
        else:
            yield None if person.image in images else replace(person, split='train')
    lost = sorted(entries - fitting)
    if lost:
        raise AnnotationError(
            '%s: %d entries fit nobody, such as %s; one image name or NAME[LETTER] a line is needed, '
            'as in the annotations' % (path, len(lost), ', '.join(map(repr, lost[:_LISTED])))
        )
