"""MPII in whatever file it comes: the content of a file chooses its reader."""

from dataclasses import replace

from hourglass_pose.annotations.dataset_txt import read_dataset_txt
from hourglass_pose.annotations.gzip_files import open_bytes
from hourglass_pose.annotations.person_lines import is_header, read_person_lines
from hourglass_pose.converters.mpii_json import read_mpii_json
from hourglass_pose.converters.mpii_mat import read_mpii_mat
from hourglass_pose.converters.newell_h5 import read_newell_h5
from hourglass_pose.errors import AnnotationError
from hourglass_pose.skeleton import MPII_JOINTS

_LONGEST_HEADER = 1 << 16  # bytes


def read_mpii(path, boxes='joints'):
    """Yield a Person of MPII, or None for one without anything to use, in the order of the file.

    Read are the official .mat, mpii_annotations.json and the JSON files of HRNet, either perhaps gzipped, Newell's
    .h5, this project's own lines, and a dataset.txt of MPII. Of the latter two the boxes are the file's own, of the
    others they follow from `boxes`, see official.box_of.

    Raises AnnotationError for a file of another content, and for the first wrong line of one of lines.
    """
    with open_bytes(path) as stream:
        # JSON may be a single line of 100 MB.
        first = stream.readline(_LONGEST_HEADER)
    if first.startswith(b'MATLAB 5.0'):
        return read_mpii_mat(path, boxes)
    if first.startswith(b'\x89HDF\r\n'):
        return read_newell_h5(path, boxes)
    if is_header(first):
        return _of_lines(read_person_lines(path, len(MPII_JOINTS), joint_names=MPII_JOINTS))
    if first.lstrip(b'\xef\xbb\xbf \t\r\n')[:1] in (b'[', b'{'):
        return read_mpii_json(path, boxes)
    if first.startswith(b'MATLAB 7.3'):
        raise AnnotationError(f'{path}: a MATLAB file of version 7.3; load it in MATLAB and save it by -v7')
    return map(_from_one, _of_lines(read_dataset_txt(path, len(MPII_JOINTS))))


def _of_lines(read):
    for _, found in read:
        if isinstance(found, AnnotationError):
            raise found
        yield found


def _from_one(person):
    """Return a person of a dataset.txt of MPII in our frame.

    Such a file holds the official numbers, which count from 1, cut to whole pixels. Other dataset.txt count from 0.
    """
    joints_img = person.joints_img - 1
    joints_img[~person.labelled] = 0
    return replace(person, box_img=person.box_img - 1.0, joints_img=joints_img)
