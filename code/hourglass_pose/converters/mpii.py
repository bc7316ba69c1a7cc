"""Reader of MPII in all of its file formats: the content of a file selects its reader."""

from dataclasses import replace
from typing import Iterable, Iterator, Tuple, Union

from hourglass_pose.annotations.checking import MALFORMED, Skipped
from hourglass_pose.annotations.dataset_txt import read_dataset_txt
from hourglass_pose.annotations.gzip_files import read_head
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_lines import is_header, read_person_lines
from hourglass_pose.converters.formats import ReadOptions, Records
from hourglass_pose.converters.mpii_json import read_mpii_json
from hourglass_pose.converters.mpii_mat import read_mpii_mat
from hourglass_pose.converters.newell_h5 import read_newell_h5
from hourglass_pose.errors import AnnotationError
from hourglass_pose.files import kind_of_bytes
from hourglass_pose.skeleton import MPII_JOINTS


def read(path: str, options: ReadOptions) -> Records:
    """Return the Records of a file of MPII. Raises AnnotationError for a file of other content."""
    return Records(MPII_JOINTS, read_mpii(path, options.boxes))


def read_mpii(path: str, boxes: str = 'joints') -> Iterator[Union[Person, Skipped]]:
    """Return an iterator of a Person or Skipped for each record, in the order of the file.

    Readable are the official .mat, mpii_annotations.json and HRNet's JSON files, both also gzipped, Newell's .h5, this
    project's own lines, and a dataset.txt of MPII. The last two have boxes of their own; for the others the boxes
    follow from `boxes`, see official.box_of.

    Raises AnnotationError for a file with other content.
    """
    head = read_head(path)
    if is_header(head):
        return _of_lines(read_person_lines(path, len(MPII_JOINTS), joint_names=MPII_JOINTS))
    kind = kind_of_bytes(head)
    if kind == 'matlab':
        return read_mpii_mat(path, boxes)
    if kind == 'hdf5':
        return read_newell_h5(path, boxes)
    if kind == 'json':
        return read_mpii_json(path, boxes)
    if kind == 'matlab73':
        raise AnnotationError(f'{path}: a MATLAB file of version 7.3; load it in MATLAB and save it with -v7')
    return map(_to_zero_based, _of_lines(read_dataset_txt(path, len(MPII_JOINTS))))


def _of_lines(lines: Iterable[Tuple[int, Union[Person, AnnotationError]]]) -> Iterator[Union[Person, Skipped]]:
    for _, item in lines:
        yield Skipped(MALFORMED, str(item)) if isinstance(item, AnnotationError) else item


def _to_zero_based(person: Union[Person, Skipped]) -> Union[Person, Skipped]:
    """Return a person of a dataset.txt of MPII in 0-based coordinates.

    Such a file holds the official 1-based coordinates truncated to whole pixels. Other dataset.txt files are 0-based.
    """
    if isinstance(person, Skipped):
        return person
    joints_img = person.joints_img - 1
    joints_img[~person.labelled] = 0
    return replace(person, box_img=person.box_img - 1.0, joints_img=joints_img)
