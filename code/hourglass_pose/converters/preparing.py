"""Preparation of one annotation file from official files: read, split, filtered, named uniquely, written, counted."""

import os
from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Counter as CounterType
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Set, Union

from hourglass_pose.annotations.checking import MALFORMED, Skipped, problem_of_use
from hourglass_pose.annotations.dataset_txt import person_name, write_dataset_txt
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_lines import write_person_lines
from hourglass_pose.annotations.split_list import split_by_list
from hourglass_pose.converters.formats import FORMATS, ReadOptions, Records
from hourglass_pose.converters.official import NO_JOINTS
from hourglass_pose.errors import AnnotationError, UserError, counted

_SHOWN_MALFORMED = 3


@dataclass(frozen=True)
class Preparation:
    """The settings of a preparation.

    data_set: a name of FORMATS. annotations: its official files. images: the folder of the images, which need not exist
    yet. output: the file to write: dataset.txt if its name ends in .txt, otherwise JSON lines; .gz compresses it.
    head_boxes: file of head boxes. split_list: file of persons to validate with. boxes, joints: choices of the
    DataFormat, None for its defaults. existing_only: leave out persons whose image is not in the folder.
    """

    data_set: str
    annotations: Sequence[str]
    images: str
    output: str
    head_boxes: Optional[str] = None
    split_list: Optional[str] = None
    boxes: Optional[str] = None
    joints: Optional[str] = None
    existing_only: bool = False


def prepare(preparation: Preparation) -> List[str]:
    """Write the annotation file and return lines on what was written and what was left out.

    Raises UserError for choices that the data set does not have or an output that is one of the inputs,
    AnnotationError for files that cannot be read or yield no person.
    """
    _check(preparation)
    report = _Report(preparation.images, preparation.existing_only, _is_text(preparation.output))
    options = ReadOptions(
        preparation.boxes or FORMATS[preparation.data_set].boxes[0],
        preparation.joints or FORMATS[preparation.data_set].joints[0],
        preparation.images,
    )
    first = FORMATS[preparation.data_set].read(preparation.annotations[0], options)
    records: Iterator[Union[Person, Skipped]] = _of_all_files(preparation, options, first)
    if preparation.split_list:
        records = split_by_list(records, preparation.split_list)
    if preparation.head_boxes:
        from hourglass_pose.converters.head_boxes import add_head_boxes

        records = add_head_boxes(records, preparation.head_boxes)
    persons = report.named_uniquely(report.used(records))
    start = list(islice(persons, 1))
    if not start:
        raise AnnotationError(f'{preparation.output}: no persons to write; {report.reasons()}')
    if _is_text(preparation.output):
        count = write_dataset_txt(preparation.output, chain(start, persons))
    else:
        count = write_person_lines(preparation.output, chain(start, persons), first.joints)
    return [f'{preparation.output}: {report.describe(count)}'] + [f'note: {note}' for note in report.notes()]


def _is_text(path: str) -> bool:
    return path.lower().endswith(('.txt', '.txt.gz'))


def _check(preparation: Preparation) -> None:
    data_format = FORMATS[preparation.data_set]
    for option, value, allowed in (
        ('--boxes', preparation.boxes, data_format.boxes),
        ('--joints', preparation.joints, data_format.joints),
    ):
        if value and value not in allowed:
            raise UserError(f'{option} {value}: {preparation.data_set} allows {" or ".join(allowed)}')
    if preparation.head_boxes and not data_format.has_head_boxes:
        raise UserError(f'--head-boxes: only MPII has them; leave it out for {preparation.data_set}')
    inputs = [*preparation.annotations, preparation.head_boxes, preparation.split_list]
    for path in filter(None, inputs):
        if not os.path.isfile(path):
            raise AnnotationError(f'no file at {os.path.abspath(path)}; check the path')
        if os.path.realpath(path) == os.path.realpath(preparation.output) or (
            os.path.exists(preparation.output) and os.path.samefile(path, preparation.output)
        ):
            raise UserError(f'--output {preparation.output}: this file is an input; name another for the output')
    folder = os.path.dirname(os.path.abspath(preparation.output))
    if not os.path.isdir(folder):
        raise UserError(f'--output: there is no folder {folder}; create it first')
    if os.path.isdir(preparation.output):
        raise UserError(f'--output {preparation.output}: this is a folder; name a file in it')


def _of_all_files(preparation: Preparation, options: ReadOptions, first: Records) -> Iterator[Union[Person, Skipped]]:
    yield from first.items
    for path in preparation.annotations[1:]:
        records = FORMATS[preparation.data_set].read(path, options)
        if records.joints != first.joints:
            raise AnnotationError(
                f'{path}: its joints are {", ".join(records.joints)}; those of {preparation.annotations[0]} are '
                f'{", ".join(first.joints)}; prepare the files one by one'
            )
        yield from records.items


class _Report:
    """Counts the records that pass: persons by split, existing and missing images, and reasons for leaving out."""

    def __init__(self, folder: str, existing_only: bool, is_text: bool) -> None:
        self._folder = os.path.abspath(folder)
        self._existing_only = existing_only
        self._is_text = is_text
        self._splits: CounterType[Optional[str]] = Counter()
        self._exists: Dict[str, bool] = {}
        self._images: Set[str] = set()
        self._left_out: CounterType[str] = Counter()
        self._malformed: List[str] = []
        self._renamed = self._without_centre = 0

    def used(self, records: Iterable[Union[Person, Skipped]]) -> Iterator[Person]:
        """Yield the persons to write."""
        for record in records:
            record = self._checked(record)
            if isinstance(record, Skipped):
                self._left_out[record.reason] += 1
                if record.detail and len(self._malformed) < _SHOWN_MALFORMED:
                    self._malformed.append(record.detail)
            else:
                self._splits[record.split] += 1
                self._images.add(record.image)
                self._without_centre += record.centre_img is None or record.scale is None
                yield record

    def _checked(self, record: Union[Person, Skipped]) -> Union[Person, Skipped]:
        """Return a person to write, or the reason why a record is left out."""
        if isinstance(record, Skipped):
            return record
        if not record.labelled.any() and (self._is_text or record.split != 'test'):
            return Skipped(f'{NO_JOINTS}, which dataset.txt cannot hold' if self._is_text else NO_JOINTS)
        problem = problem_of_use(record)
        if problem:
            return Skipped(MALFORMED, f'{record.person_id}: {problem}')
        if record.image not in self._exists:
            self._exists[record.image] = os.path.exists(os.path.join(self._folder, record.image))
        if self._existing_only and not self._exists[record.image]:
            return Skipped(f'their image is not in {self._folder}')
        return record

    def named_uniquely(self, persons: Iterable[Person]) -> Iterator[Person]:
        """Yield the persons; a repeated name gets another letter."""
        names: Set[str] = set()
        next_index: Dict[str, int] = Counter()
        for person in persons:
            if person.person_id in names:
                self._renamed += 1
                while person_name(person.image, next_index[person.image]) in names:
                    next_index[person.image] += 1
                person = replace(person, person_id=person_name(person.image, next_index[person.image]))
            names.add(person.person_id)
            yield person

    def describe(self, count: int) -> str:
        """Return one line such as '25,204 persons in 17,408 images: 22,246 train, 2,958 valid'."""
        names = [(split, split or 'without a split') for split in ('train', 'valid', 'test', None)]
        parts = [f'{self._splits[split]:,} {name}' for split, name in names if self._splits[split]]
        return f'{counted(count, "person")} in {counted(len(self._images), "image")}: {", ".join(parts)}'

    def reasons(self) -> str:
        """Return why records were left out, in one line."""
        if not self._left_out:
            return 'there are no records in the files'
        parts = [f'{counted(number, "record")} left out: {reason}' for reason, number in self._left_out.most_common()]
        return '; '.join(parts + self._malformed[:1])

    def notes(self) -> Iterator[str]:
        """Yield one line for each fact that the user should know."""
        for reason, number in self._left_out.most_common():
            yield f'{counted(number, "record")} left out: {reason}'
        yield from self._malformed
        missing = sum(not self._exists[image] for image in self._images)
        if missing:
            yield (
                f'{missing:,} of {len(self._images):,} images are not in {self._folder}; download them before '
                'training, or add --existing-only'
            )
        if self._renamed:
            renamed = counted(self._renamed, 'person')
            yield f'{renamed} got another letter, because several files have persons of the same name'
        if self._without_centre:
            without = counted(self._without_centre, 'person')
            yield f"{without} without a centre and a scale; keep DataSetHG.crop_rule 'box'"
