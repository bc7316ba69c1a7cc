"""Annotated persons of pairs of annotation file and image folder, with the checks that all formats share."""

import os
import re
from dataclasses import dataclass
from typing import Tuple

from hourglass_pose.annotations.dataset_txt import read_dataset_txt
from hourglass_pose.annotations.gzip_files import open_bytes
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_lines import is_header, read_person_lines
from hourglass_pose.errors import AnnotationError, ImageError
from hourglass_pose.images import image_size

# First bytes of files that "prepare" turns into annotations, and what they are.
_TO_PREPARE = (
    (re.compile(rb'MATLAB 5\.0 MAT-file'), 'a MATLAB file'),
    (re.compile(rb'\x89HDF\r\n'), 'an HDF5 file'),
    (re.compile(rb'(\xef\xbb\xbf)?\s*(\[\s*(\{|$)|\{\s*("|$))'), 'JSON'),
)

_LISTED_PROBLEMS = 10
_LONGEST_HEADER = 1 << 16  # bytes


@dataclass(frozen=True, eq=False)
class AnnotationSet:
    """The persons of one or more annotation files, in the order of the files.

    persons: those without problems; (source, person_id) is unique.
    problems: one `FILE:LINE: what` for each person that was left out and each file without persons.
    sources: (annotation file, image folder) by Person.source.
    """

    persons: Tuple[Person, ...]
    problems: Tuple[str, ...]
    sources: Tuple[Tuple[str, str], ...]

    def describe(self):
        """Return one line such as '4,945 persons in 4,945 images from 2 files, 0 problems'."""
        images = len({(person.source, person.image) for person in self.persons})
        return '{} in {} from {}, {}'.format(
            _counted(len(self.persons), 'person'),
            _counted(images, 'image'),
            _counted(len(self.sources), 'file'),
            _counted(len(self.problems), 'problem'),
        )


def read_annotations(
    annotation_files,
    image_folders,
    num_joints,
    on_error='strict',
    check_sizes=False,
    joint_names=None,
    need_images=True,
    needs_centre=False,
):
    """Read every person of the annotation files into an AnnotationSet.

    annotation_files, image_folders: a path each, or sequences of the same length; image_folders None does not look
    for images. A file is dataset.txt or this project's own lines of JSON, which its content tells; either may be
    gzipped. num_joints: joints of a person, J. on_error: 'strict' raises AnnotationError after reading everything,
    with the first ten problems; 'skip' leaves the persons with problems out. check_sizes: also open the header of
    every image to find boxes and joints far outside of it. joint_names: the names of the J joints, which files that
    name theirs have to have. need_images: False takes persons whose image file is missing, too. needs_centre: persons
    without a centre and a scale have a problem, too, as CropRule.needs_centre says.

    A person has a problem where its line is malformed, its person_id occurred before in the same file, it has
    no labelled joint and is not one of a test split, its box is inside out or off the image, or its image file is
    missing.

    Raises AnnotationError also for a missing file or folder and where no person is left; ValueError for
    another on_error.
    """
    if on_error not in ('strict', 'skip'):
        raise ValueError(f"on_error is 'strict' or 'skip', not {on_error!r}")
    sources = _paired(annotation_files, image_folders)
    listing = _ImageListing() if need_images and image_folders is not None else None
    sizes = {} if check_sizes else None
    persons, problems = [], []
    for source, (path, folder) in enumerate(sources):
        read = _read(path, num_joints, folder, source, joint_names)
        empty = True
        for found, problem in _checked(path, read, listing, sizes, needs_centre):
            empty = False
            if problem is None:
                persons.append(found)
            else:
                problems.append(problem)
        if empty:
            problems.append(f'{path}: no persons; a line for each person is needed')
    if problems and (on_error == 'strict' or not persons):
        raise AnnotationError(_listed(problems, len(persons)))
    return AnnotationSet(tuple(persons), tuple(problems), sources)


def problem_in_image(person, width, height):
    """Return what is wrong with a person in an image of width x height pixels, or None.

    The box has to share a pixel with the image. Joints may lie outside, as some of MPII do, by at most the
    image's width or height.
    """
    x0, y0, x1, y1 = person.box_img
    if x1 < 0 or y1 < 0 or x0 > width - 1 or y0 > height - 1:
        return 'the box %s lies outside of the image of %d x %d pixels; they have to overlap' % (
            _box(person),
            width,
            height,
        )
    for index in person.labelled.nonzero()[0]:
        x, y = person.joints_img[index]
        if not (-width <= x <= 2 * width - 1 and -height <= y <= 2 * height - 1):
            return (
                'joint %d at %g %g is further outside of the image of %d x %d pixels than its size; '
                'mend it or mark it as missing' % (index + 1, x, y, width, height)
            )
    return None


def _paired(annotation_files, image_folders):
    """Return ((annotation file, image folder), ...) after checking that each exists."""
    files = _as_paths(annotation_files)
    folders = ('',) * len(files) if image_folders is None else _as_paths(image_folders)
    if not files or len(files) != len(folders):
        raise AnnotationError(
            '{} and {} of images; give one or more files and one folder for each'.format(
                _counted(len(files), 'annotation file'), _counted(len(folders), 'folder')
            )
        )
    for path in files:
        if not os.path.isfile(path):
            raise AnnotationError(
                f'no annotation file at {os.path.abspath(path)}; make it, or name another as '
                'DataSetHG.training_txt_file or --annotations'
            )
    for folder in folders if image_folders is not None else ():
        if not os.path.isdir(folder):
            raise AnnotationError(
                f'no folder of images at {os.path.abspath(folder)}; make it, or name another as '
                'DataSetHG.img_directory or --images'
            )
    return tuple(zip(files, folders))


def _as_paths(paths):
    paths = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    return tuple(map(os.fspath, paths))


def _read(path, num_joints, image_folder, source, joint_names):
    """Return an iterable of (line number, Person or AnnotationError) of a file whose content tells its format."""
    with open_bytes(path) as stream:
        # A file of another kind may be a single line of 100 MB.
        first = stream.readline(_LONGEST_HEADER)
    if is_header(first):
        return read_person_lines(path, num_joints, image_folder, source, joint_names)
    for start, what in _TO_PREPARE:
        if start.match(first):
            raise AnnotationError(
                f'{path}: this is {what}; turn it into annotations by "python -m hourglass_pose prepare"'
            )
    return read_dataset_txt(path, num_joints, image_folder, source)


def _checked(path, read, listing, sizes, needs_centre):
    """Yield (Person, None) or (None, problem with its place) for each thing that a reader yields."""
    first_lines = {}
    for line, found in read:
        if isinstance(found, AnnotationError):
            yield None, str(found)
            continue
        first = first_lines.setdefault(found.person_id, line)
        if first != line:
            problem = '%r is the name of line %d, too; the persons of an image need letters of their own' % (
                found.person_id,
                first,
            )
        else:
            problem = _problem(found, needs_centre) or (listing and listing.problem(found.image_path))
        if problem is None and sizes is not None:
            problem = _problem_by_size(found, sizes)
        if problem is None:
            yield found, None
        else:
            yield None, '%s:%d: %s' % (path, line, problem)


def _problem(person, needs_centre):
    """Return what is wrong with a person wherever the image is, or None."""
    x0, y0, x1, y1 = person.box_img
    if x1 < x0 or y1 < y0:
        return f'the box {_box(person)} ends before it starts; xmin <= xmax and ymin <= ymax are needed'
    if x1 < 0 or y1 < 0:
        return f'the box {_box(person)} lies outside of the image; it has to reach pixels from 0 on'
    if not person.labelled.any() and person.split != 'test':
        return 'all %d joints are missing; at least one is needed' % len(person.labelled)
    if needs_centre and (person.centre_img is None or person.scale is None):
        return (
            "no %s, which crops by DataSetHG.crop_rule 'centre_scale' need; take a file that has it, or rule 'box'"
            % ('centre' if person.centre_img is None else 'scale')
        )
    return None


def _problem_by_size(person, sizes):
    try:
        if person.image_path not in sizes:
            sizes[person.image_path] = image_size(person.image_path)
    except ImageError as error:
        return str(error)
    return problem_in_image(person, *sizes[person.image_path])


class _ImageListing:
    """Which image files exist, by one listing of a folder instead of a question to the disk for each file."""

    def __init__(self):
        self._names = {}

    def problem(self, path):
        """Return that an image file is missing, with the nearest name there is, or None."""
        folder, name = os.path.split(path)
        if folder not in self._names:
            self._names[folder] = self._list(folder)
        # File systems that ignore case or normalise Unicode open names that the listing spells otherwise.
        if name in self._names[folder] or _exists(path):
            return None
        stem = os.path.splitext(name)[0].lower()
        alike = sorted(other for other in self._names[folder] if os.path.splitext(other)[0].lower() == stem)
        hint = f'; did you mean {alike[0]}' if alike else ''
        return f'there is no image {os.path.abspath(path)}{hint}'

    @staticmethod
    def _list(folder):
        try:
            return frozenset(os.listdir(folder or '.'))
        except OSError:
            return frozenset()


def _exists(path):
    try:
        return os.path.exists(path)
    except ValueError:
        return False


def _listed(problems, num_good):
    listed = problems[:_LISTED_PROBLEMS]
    title = _counted(len(problems), 'problem') + ' in the annotations'
    if len(problems) > len(listed):
        title += ', the first %d' % len(listed)
    if num_good:
        advice = "mend them, or go on with the other {} by DataSetHG.on_bad_annotation='skip'".format(
            _counted(num_good, 'person')
        )
    else:
        advice = 'no person is left; mend them'
    return '\n  '.join([title + ':'] + listed) + '\n' + advice


def _counted(number, noun):
    return '{:,} {}{}'.format(number, noun, '' if number == 1 else 's')


def _box(person):
    return '{:g} {:g} {:g} {:g}'.format(*tuple(person.box_img))
