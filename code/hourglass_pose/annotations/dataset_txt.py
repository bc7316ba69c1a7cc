"""Reader and writer of dataset.txt, the line-based annotation format of the original TensorFlow code.

A line is `NAME[LETTER] xmin ymin xmax ymax x1 y1 ... xJ yJ`: the image file, a letter to tell the persons of
an image apart, the box and the joints in pixels, -1 -1 for a joint that is not labelled. Numbers are taken as
they stand, as 0-based pixels. The writer writes integers; the reader takes decimals too. Either may be gzipped.
"""

import os
from collections import defaultdict

import numpy as np

from hourglass_pose.annotations.gzip_files import create_bytes, open_bytes
from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import AnnotationError
from hourglass_pose.images import IMAGE_EXTENSIONS

_BOX_NUMBERS = ('xmin', 'ymin', 'xmax', 'ymax')
_MISSING = -1

# Pixels. More than any picture has in a row, and few enough that float32 holds every integer.
_LARGEST = 1000000

_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
_SUFFIXES = tuple(_LETTERS) + tuple(first + second for first in _LETTERS for second in _LETTERS)

# People write .jpg, .JPG and .Jpg; in `x.tifF` the F is therefore a person's letter.
_USUAL_EXTENSIONS = frozenset(
    spelling
    for extension in IMAGE_EXTENSIONS
    for spelling in (extension, extension.upper(), f'.{extension[1:].capitalize()}')
)


def read_dataset_txt(path, num_joints, image_folder='', source=0):
    """Yield (line number from 1, Person), or (line number, AnnotationError) for a line that is malformed.

    The file is read line by line; empty lines are passed over. Only the form of a line is checked here:
    UTF-8, the count of numbers, their form and size. image_folder goes before the name in image_path;
    source is Person.source.

    Raises AnnotationError where the file cannot be read.
    """
    with open_bytes(path) as stream:
        for number, line in enumerate(stream, 1):
            try:
                text = _decode(line[3:] if number == 1 and line.startswith(b'\xef\xbb\xbf') else line)
                if text:
                    yield number, _parse(text, num_joints, image_folder, source)
            except AnnotationError as error:
                yield number, AnnotationError('%s:%d: %s' % (path, number, error))


def write_dataset_txt(path, persons):
    """Write an iterable of Person as they come and return their number; `path` appears whole or not at all.

    Coordinates are rounded to integers; head boxes are not held by the format. A person_id that is the image
    with at most two capital letters is written as it is; persons with another id get A, B, ..., Z, AA, ... in
    the order of their image. A labelled joint that rounds to -1 -1, the mark of a missing one, is written as
    0 -1.

    Raises AnnotationError where nothing is to be written or the file cannot be, ValueError for persons of
    more than one source (a file goes with one folder of images), of different numbers of joints, or with a
    coordinate or a name that would not be read back.
    """
    with create_bytes(path) as stream:
        count = _write_lines(stream, persons)
        if not count:
            raise AnnotationError(f'{os.fspath(path)}: no persons to write; the file is left as it was')
    return count


def image_of(person_id):
    """Return the image file of `NAME[LETTER]`: the name less one or two capitals after a known extension."""
    if person_id[person_id.rfind('.') :] in _USUAL_EXTENSIONS:
        return person_id
    for length in (1, 2):
        image, letters = person_id[:-length], person_id[-length:]
        if letters in _SUFFIXES and image[image.rfind('.') :].lower() in IMAGE_EXTENSIONS:
            return image
    return person_id


def person_name(image, index):
    """Return NAME[LETTER] of the person at a place among those of its image: A, ..., Z, AA, ..., ZZ, and then #702."""
    return image + (_SUFFIXES[index] if index < len(_SUFFIXES) else '#%d' % index)


def _decode(line):
    try:
        text = line.decode('utf-8')
    except UnicodeDecodeError as error:
        raise AnnotationError(
            'byte 0x%02x in column %d is not UTF-8 text; save the file as UTF-8' % (line[error.start], error.start + 1)
        )
    if '\0' in text:
        raise AnnotationError(
            'a NUL byte in column %d; a text file is needed; save it as UTF-8' % (text.index('\0') + 1)
        )
    return text.strip()


def _parse(text, num_joints, image_folder, source):
    expected = 4 + 2 * num_joints
    fields = text.rsplit(None, expected)
    numbers = [_number(field) for field in fields[1:]]
    if len(numbers) != expected or None in numbers or _number(fields[0].rsplit(None, 1)[-1]) is not None:
        raise AnnotationError(_malformed(text, num_joints))
    for index, number in enumerate(numbers):
        if not -_LARGEST <= number <= _LARGEST:
            raise AnnotationError(
                '%s is %s; pixels from %d to %d are allowed'
                % (_name_of_number(index), fields[1 + index], -_LARGEST, _LARGEST)
            )
    image = image_of(fields[0])
    joints_img = np.array(numbers[4:], np.float32).reshape(num_joints, 2)
    labelled = (joints_img != _MISSING).any(axis=1)
    joints_img[~labelled] = 0
    return Person(
        image=image,
        image_path=os.path.join(image_folder, image),
        person_id=fields[0],
        box_img=np.array(numbers[:4], np.float64),
        joints_img=joints_img,
        labelled=labelled,
        source=source,
    )


def _number(text):
    """Return a float, or None where the text is no number."""
    try:
        # float() takes 1_000, which no other program writes.
        return None if '_' in text else float(text)
    except ValueError:
        return None


def _malformed(text, num_joints):
    """Return what is wrong with a line that is not a name and 4 + 2 * num_joints numbers."""
    words = text.split()
    known = [
        index
        for index, word in enumerate(words)
        if _number(word) is None and image_of(word).lower().endswith(IMAGE_EXTENSIONS)
    ]
    if known:
        start = known[-1] + 1
    else:
        start = len(words)
        while start > 0 and _number(words[start - 1]) is not None:
            start -= 1
        if start == 0:
            return (
                f'no image name before the numbers, the line starts with {words[0]!r}; '
                'NAME[LETTER] xmin ymin xmax ymax x1 y1 ... is needed'
            )
    numbers, expected = words[start:], 4 + 2 * num_joints
    if len(numbers) != expected:
        message = '%d numbers after the name; %d are needed, 4 of the box and 2 of each of %d joints' % (
            len(numbers),
            expected,
            num_joints,
        )
        if len(numbers) > 4 and len(numbers) % 2 == 0:
            message += '; %d fit %d joints' % (len(numbers), (len(numbers) - 4) // 2)
        return message
    index = [_number(word) for word in numbers].index(None)
    return f'{_name_of_number(index)} is {numbers[index]!r}; a number is needed'


def _name_of_number(index):
    if index < 4:
        return _BOX_NUMBERS[index]
    return '%s%d' % ('xy'[index % 2], (index - 4) // 2 + 1)


def _write_lines(stream, persons):
    count, form, letters_used = 0, None, defaultdict(int)
    for person in persons:
        form = form or (person.source, len(person.joints_img))
        if (person.source, len(person.joints_img)) != form:
            raise ValueError(
                '%s: source %d and %d joints after persons of source %d and %d joints'
                % ((person.person_id, person.source, len(person.joints_img)) + form)
            )
        stream.write(_line(person, letters_used).encode('utf-8'))
        count += 1
    return count


def _line(person, letters_used):
    """Return the line of one person; letters_used counts by image the letters that have been tried."""
    name = person.person_id
    if image_of(name) != person.image:
        name = _lettered(person.image, letters_used)
    numbers = _integers(person)
    line = f'{name} {" ".join(map(str, numbers))}'
    if (
        '\n' in line
        or '\0' in line
        or line != line.strip()
        or line.rsplit(None, len(numbers))[0] != name
        or _number(name.rsplit(None, 1)[-1]) is not None
    ):
        raise ValueError(
            f'{name!r}: a name with a line break, with space around it or with a number at its end '
            'would not be read back'
        )
    return f'{line}\n'


def _lettered(image, letters_used):
    while letters_used[image] < len(_SUFFIXES):
        name = image + _SUFFIXES[letters_used[image]]
        letters_used[image] += 1
        # x.TIF with an F would be read as the image x.TIFF.
        if image_of(name) == image:
            return name
    raise ValueError(
        '%r: no letter is left for another person; a name ends in one of %s and has at most %d '
        'persons' % (image, ' '.join(IMAGE_EXTENSIONS), len(_SUFFIXES))
    )


def _integers(person):
    """Return the list of 4 + 2J integers of a person."""
    joints = np.rint(person.joints_img.astype(np.float64))
    like_missing = person.labelled & (joints == _MISSING).all(axis=1)
    joints[like_missing, 0] = 0
    joints[~person.labelled] = _MISSING
    numbers = np.concatenate([np.rint(person.box_img), joints.ravel()])
    if not np.isfinite(numbers).all() or np.abs(numbers).max() > _LARGEST:
        raise ValueError('%s: a coordinate that is not within %d pixels' % (person.person_id, _LARGEST))
    return numbers.astype(np.int64).tolist()
