"""Boxes of persons from a file: our annotations, COCO's JSON of detections or annotations, or CSV, by its content."""

import csv
import io
import json
import os
import re
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from hourglass_pose.annotations.checking import LARGEST
from hourglass_pose.annotations.dataset_txt import read_dataset_txt
from hourglass_pose.annotations.gzip_files import open_bytes, read_head
from hourglass_pose.annotations.person_lines import is_header, read_person_lines
from hourglass_pose.errors import AnnotationError, counted, excerpt
from hourglass_pose.files import kind_of_bytes, parse_json
from hourglass_pose.rules import is_number

COLUMNS = ('image', 'x', 'y', 'width', 'height')
"""Columns of a CSV; `score` may follow."""

_PERSON_CATEGORY = 1  # in COCO
_EXPECTED = "this program's annotations, COCO's JSON, or CSV with the columns image,x,y,width,height"

Image = Union[str, int]
"""File name as a path below the folder of images, or the number that COCO gives an image."""
Box = Tuple[float, float, float, float]


class ImageBox(NamedTuple):
    """A person's box (x, y, width, height) in pixels. score: of a detector, 1 without one."""

    image: Image
    box: Box
    score: float


class BoxFile:
    """The boxes of a file by image.

    path: of the file. least_score: boxes with a lower one are left out.
    Raises AnnotationError for a file that cannot be read, has a wrong entry or no box.
    """

    def __init__(self, path: str, least_score: float = 0.0) -> None:
        self.path, self.least_score = path, least_score
        self.by_image: Dict[Image, List[Box]] = {}
        self.left_out = 0
        boxes = read_boxes(path)
        if not boxes:
            raise AnnotationError(f'{path}: no boxes of persons; expected {_EXPECTED}')
        for each in boxes:
            if each.score < least_score:
                self.left_out += 1
            else:
                self.by_image.setdefault(_plain(each.image), []).append(each.box)

    def notes(self, photos: Sequence[str]) -> List[str]:
        """Return lines on what is not used. Raises AnnotationError if no photo has a box."""
        lacking = [photo for photo in photos if not self.of(photo)]
        several = 'es' if self.left_out > 1 else ''
        low = f'{self.left_out} box{several} with a score below {self.least_score:g} left out'
        if len(lacking) == len(photos):
            some = next(iter(self.by_image), None)
            raise AnnotationError(
                f'{self.path}: no boxes for {photos[0]}{" and the other photos" if len(photos) > 1 else ""}; '
                + (low if some is None else f'names are paths below the folder of the photos; the first is {some}')
            )
        lines = [f'{self.path}: {low}'] if self.left_out else []
        if lacking:
            lines.append(f'{self.path}: no boxes for {counted(len(lacking), "photo")}, the first is {lacking[0]}')
        return lines

    def of(self, photo: str) -> List[Box]:
        """Return the boxes (x, y, width, height) of a photo, [] for a photo that the file does not have.

        Of the file's names the longest counts that the photo's path ends in: for `a/b/c.jpg` this is `a/b/c.jpg`,
        otherwise `b/c.jpg`, otherwise `c.jpg`. COCO's number of an image is the number at the end of its name.
        """
        parts = os.path.abspath(photo).replace(os.sep, '/').strip('/').split('/')
        for first in range(len(parts)):
            found = self.by_image.get('/'.join(parts[first:]))
            if found is not None:
                return found
        digits = re.search(r'\d+$', os.path.splitext(parts[-1])[0])
        return self.by_image.get(int(digits.group()), []) if digits else []


def read_boxes(path: str) -> List[ImageBox]:
    """Return the persons' boxes of a file, in its order. Raises AnnotationError that names the first wrong entry."""
    head = read_head(path)
    kind = kind_of_bytes(head)
    if is_header(head):
        return list(_of_persons(read_person_lines(path, _joints_of_header(head))))
    if kind == 'json':
        return list(_of_coco(path, _load_json(path)))
    if kind is not None:
        raise AnnotationError(f'{path}: not a file of boxes; expected {_EXPECTED}')
    lines = [line for line in head.decode('utf-8', 'replace').splitlines() if line.strip()]
    if lines and lines[0].count(',') >= len(COLUMNS) - 1:
        return list(_of_csv(path))
    return list(_of_persons(read_dataset_txt(path, _joints_of_line(lines[0] if lines else ''))))


def _of_persons(numbered: Iterable[Tuple[int, Any]]) -> Iterator[ImageBox]:
    for _, person in numbered:
        if isinstance(person, AnnotationError):
            raise person
        x0, y0, x1, y1 = [float(value) for value in person.box_img]
        yield ImageBox(person.image, (x0, y0, x1 - x0 + 1, y1 - y0 + 1), 1.0)


def _joints_of_header(head: bytes) -> int:
    joints = parse_json(head.splitlines()[0]).get('joints')
    return len(joints) if isinstance(joints, list) else 0


def _joints_of_line(line: str) -> int:
    """Return the number of joints of a line of dataset.txt: a name, four numbers of a box and two of each joint."""
    numbers = re.search(r'(?:\s+-?[\d.]+(?:[eE][-+]?\d+)?)*\s*$', line)
    return max(0, (len(numbers.group().split()) if numbers else 0) - 4) // 2


def _of_csv(path: str) -> Iterator[ImageBox]:
    with open_bytes(path) as stream:
        text = stream.read().decode('utf-8-sig', 'replace')
    columns: Sequence[str] = COLUMNS + ('score',)
    for number, row in enumerate(_csv_rows(path, text), 1):
        row = [field.strip() for field in row]
        if number == 1 and all(_number(field) is None for field in row[1:]):
            columns = [name.lower() for name in row]
            missing = [name for name in COLUMNS if name not in columns]
            if missing:
                raise AnnotationError(f'{path}:1: no column {", ".join(missing)}; expected {",".join(COLUMNS)}')
        elif any(row):
            named = dict(zip(columns, row))
            values = [_number(named.get(name, '')) for name in COLUMNS[1:]]
            yield _checked(f'{path}:{number}', named.get('image'), values, _number(named.get('score') or '1'))


def _csv_rows(path: str, text: str) -> Iterator[List[str]]:
    rows = csv.reader(io.StringIO(text, newline=''))
    try:
        yield from rows
    except csv.Error as error:
        raise AnnotationError(f'{path}:{rows.line_num}: no CSV ({error}); write the file again as UTF-8')


def _of_coco(path: str, content: Any) -> Iterator[ImageBox]:
    entries = content.get('annotations') if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise AnnotationError(f'{path}: JSON without boxes; expected a list of detections, or "annotations" of COCO')
    described = content if isinstance(content, dict) else {}
    images = [image for image in _dicts(described.get('images')) if _is_name(image.get('id'))]
    names = {image['id']: image.get('file_name') for image in images}
    categories = [each.get('id') for each in _dicts(described.get('categories')) if each.get('name') == 'person']
    category = categories[0] if categories else _PERSON_CATEGORY
    for number, entry in enumerate(entries, 1):
        where = f'{path}: entry {number}'
        if not isinstance(entry, dict):
            raise AnnotationError(f'{where} is {excerpt(json.dumps(entry))}; expected an object with image_id and bbox')
        if entry.get('category_id', category) != category or entry.get('iscrowd'):
            continue
        image = entry.get('file_name', entry.get('image'))
        if image is None:
            image = entry.get('image_id')
            image = names.get(image, image) if _is_name(image) else None
        yield _checked(where, image, entry.get('bbox'), entry.get('score', 1.0))


def _checked(where: str, image: Any, values: Any, score: Any) -> ImageBox:
    if not _is_name(image):
        raise AnnotationError(f'{where}: no name or number of an image; write the file again')
    is_list = isinstance(values, list) and len(values) == 4
    if not is_list or not all(is_number(value, -LARGEST, LARGEST) for value in values) or min(values[2:]) <= 0:
        raise AnnotationError(
            f'{where}: the box is {excerpt(str(values))}; expected x, y, width, height in pixels, an area above 0'
        )
    if not is_number(score, -LARGEST, LARGEST):
        raise AnnotationError(f'{where}: the score is {excerpt(str(score))}; expected a number')
    x, y, width, height = [float(value) for value in values]
    return ImageBox(image, (x, y, width, height), float(score))


def _dicts(value: Any) -> List[Dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _load_json(path: str) -> Any:
    try:
        with open_bytes(path) as stream:
            return parse_json(stream.read())
    except ValueError as error:
        raise AnnotationError(f'{path}: damaged JSON ({" ".join(str(error).split())[:100]}); write the file again')


def _number(text: str) -> Optional[float]:
    try:
        return float(text)
    except ValueError:
        return None


def _is_name(value: Any) -> bool:
    """Return whether a value is an Image."""
    return (isinstance(value, str) and value != '') or (isinstance(value, int) and not isinstance(value, bool))


def _plain(image: Image) -> Image:
    if isinstance(image, int):
        return image
    return os.path.normpath(image.replace('\\', '/')).replace(os.sep, '/').lstrip('/')
