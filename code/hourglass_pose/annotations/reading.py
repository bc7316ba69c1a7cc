"""Reading of annotated persons from annotation files with image folders, with the checks that all formats share."""

import os
from dataclasses import dataclass
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

from hourglass_pose.annotations.checking import problem_of_use
from hourglass_pose.annotations.dataset_txt import read_dataset_txt
from hourglass_pose.annotations.gzip_files import read_head
from hourglass_pose.annotations.image_listing import ImageListing
from hourglass_pose.annotations.packs import is_pack, open_pack
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_lines import is_header, read_person_lines
from hourglass_pose.annotations.person_table import PersonTable
from hourglass_pose.errors import AnnotationError, counted
from hourglass_pose.files import kind_of_bytes
from hourglass_pose.invocation import command

# Kinds of files that "prepare" converts to annotations.
_TO_PREPARE = {'matlab': 'a MATLAB file', 'matlab73': 'a MATLAB file', 'hdf5': 'an HDF5 file', 'json': 'JSON'}

Paths = Union[str, 'os.PathLike[str]', Sequence[Union[str, 'os.PathLike[str]']]]
NumberedItem = Tuple[int, Union[Person, AnnotationError]]
"""(line number, a person or what is wrong with the line)."""

_LISTED_PROBLEMS = 10


@dataclass(frozen=True, eq=False)
class AnnotationSet:
    """The persons of one or more annotation files, in the order of the files.

    persons: the persons without problems; (source, person_id) is unique. A PersonTable if all are of one pack.
    problems: one `FILE:LINE: problem` for each person that was left out and each file without persons.
    sources: (annotation file, image folder) by Person.source.
    """

    persons: Sequence[Person]
    problems: Tuple[str, ...]
    sources: Tuple[Tuple[str, str], ...]

    def describe(self) -> str:
        """Return one line such as '4,945 persons in 4,945 images from 2 files, 0 problems'."""
        if isinstance(self.persons, PersonTable):
            images = self.persons.num_images
        else:
            images = len({(person.source, person.image) for person in self.persons})
        return (
            f'{counted(len(self.persons), "person")} in {counted(images, "image")} from '
            f'{counted(len(self.sources), "file")}, {counted(len(self.problems), "problem")}'
        )


def read_annotations(
    annotation_files: Paths,
    image_folders: Optional[Paths],
    num_joints: int,
    on_error: str = 'strict',
    joint_names: Optional[Sequence[str]] = None,
    need_images: bool = True,
    needs_centre: bool = False,
) -> AnnotationSet:
    """Read every person of the annotation files into an AnnotationSet.

    annotation_files, image_folders: a path each, or sequences of the same length; image_folders None does not check
    images. A file is dataset.txt or this project's JSON lines, recognised by its content; both may be gzipped. It may
    also be the folder of a pack, which needs no images and was checked when it was made.
    num_joints: joints of a person, J. on_error: 'strict' raises AnnotationError after reading everything, with the
    first ten problems; 'skip' leaves out the persons with problems. joint_names: the names of the J joints, which a
    file that names its joints must have. need_images: False accepts persons whose image file is missing.
    needs_centre: whether a missing centre or scale is a problem, see CropRule.needs_centre.

    A person has a problem if its line is malformed, its person_id occurred before in the same file, it has no labelled
    joint and is not in the test split, its box is reversed or outside the image, or its image file is missing.

    Raises AnnotationError also for a missing file or folder and if no person is left; ValueError for another on_error.
    """
    if on_error not in ('strict', 'skip'):
        raise ValueError(f"on_error is 'strict' or 'skip', not {on_error!r}")
    sources = _paired(annotation_files, image_folders)
    if len(sources) == 1 and is_pack(sources[0][0]):
        table = open_pack(sources[0][0], num_joints, 0, joint_names)
        return AnnotationSet(_with_centres(table, sources[0][0]) if needs_centre else table, (), sources)
    listing = ImageListing() if need_images and image_folders is not None else None
    persons: List[Person] = []
    problems: List[str] = []
    for source, (path, folder) in enumerate(sources):
        items = _read(path, num_joints, folder, source, joint_names)
        empty = True
        for checked in _checked(path, items, None if is_pack(path) else listing, needs_centre):
            empty = False
            if isinstance(checked, Person):
                persons.append(checked)
            else:
                problems.append(checked)
        if empty:
            problems.append(f'{path}: no persons; expected one line for each person')
    if problems and (on_error == 'strict' or not persons):
        raise AnnotationError(_listed(problems, len(persons)))
    return AnnotationSet(tuple(persons), tuple(problems), sources)


def _paired(annotation_files: Paths, image_folders: Optional[Paths]) -> Tuple[Tuple[str, str], ...]:
    """Return ((annotation file, image folder), ...) after checking that each exists."""
    files = _as_paths(annotation_files)
    folders = ('',) * len(files) if image_folders is None else _as_paths(image_folders)
    if not files or len(files) != len(folders):
        raise AnnotationError(
            f'{len(files)} annotation file(s) and {len(folders)} folder(s) of images; expected one or '
            'more files and one folder for each'
        )
    for path in files:
        if not os.path.isfile(path) and not is_pack(path):
            raise AnnotationError(
                f'no annotation file at {os.path.abspath(path)}{", which is a folder" if os.path.isdir(path) else ""}; '
                'create it, or set another by '
                'DataSetHG.training_txt_file or --annotations'
            )
    for folder in folders if image_folders is not None else ():
        if not os.path.isdir(folder):
            raise AnnotationError(
                f'no folder of images at {os.path.abspath(folder)}; create it, or set another by '
                'DataSetHG.img_directory or --images'
            )
    return tuple(zip(files, folders))


def _as_paths(paths: Paths) -> Tuple[str, ...]:
    given = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    return tuple(os.fspath(path) for path in given)


def _read(
    path: str, num_joints: int, image_folder: str, source: int, joint_names: Optional[Sequence[str]]
) -> Iterable[NumberedItem]:
    """Return an iterable of (line number, Person or AnnotationError) of a file; its content determines its format."""
    if is_pack(path):
        return enumerate(open_pack(path, num_joints, source, joint_names), 1)
    head = read_head(path)
    if is_header(head):
        return read_person_lines(path, num_joints, image_folder, source, joint_names)
    kind = kind_of_bytes(head)
    if kind in _TO_PREPARE:
        raise AnnotationError(f'{path}: this is {_TO_PREPARE[kind]}; convert it with "{command("prepare")}"')
    return read_dataset_txt(path, num_joints, image_folder, source)


def _with_centres(table: PersonTable, path: str) -> PersonTable:
    """Return a table. Raises AnnotationError for a person without centre and scale."""
    without = table.without_centre()
    if without:
        problem = problem_of_use(table[without[0]], needs_centre=True)
        raise AnnotationError(f'{path}: {counted(len(without), "person")} with {problem}')
    return table


def _checked(
    path: str, items: Iterable[NumberedItem], listing: Optional[ImageListing], needs_centre: bool
) -> Iterator[Union[Person, str]]:
    """Yield a Person, or a problem with its file and line, for each item that a reader yields."""
    first_lines: Dict[str, int] = {}
    for line, item in items:
        if isinstance(item, AnnotationError):
            yield str(item)
            continue
        first = first_lines.setdefault(item.person_id, line)
        if first != line:
            yield (
                f'{path}:{line}: {item.person_id!r} is also the name in line {first}; give each person of an image '
                'its own letter'
            )
            continue
        problem = problem_of_use(item, needs_centre) or (listing and listing.problem(item.image_path))
        yield f'{path}:{line}: {problem}' if problem else item


def _listed(problems: Sequence[str], num_good: int) -> str:
    listed = list(problems[:_LISTED_PROBLEMS])
    title = counted(len(problems), 'problem') + ' in the annotations'
    if len(problems) > len(listed):
        title += f', the first {len(listed)}'
    if num_good:
        others = counted(num_good, 'person')
        advice = f"correct them, or continue with the other {others} by DataSetHG.on_bad_annotation='skip'"
    else:
        advice = 'no person is left; correct them'
    return '\n  '.join([title + ':'] + listed) + '\n' + advice
