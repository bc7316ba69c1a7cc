"""PersonTable: persons as the columns of a memory-mapped file; a Person exists only while it is used."""

import math
import os
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union, overload

import numpy as np

from hourglass_pose.annotations.checking import SPLITS
from hourglass_pose.annotations.packed_crop import PackedCrop, Shard
from hourglass_pose.annotations.person import Person

RECORDS, NAMES, NAME_ENDS = 'persons.npy', 'names.npy', 'name_ends.npy'
"""The files of a table: a record a person, the UTF-8 text of all names, and where in it each name ends."""

_BLOCK = 2**14


def record_type(num_joints: int) -> np.dtype:
    """Return the type of a person's record: 166 + 10 x joints bytes. NaN and -1 stand for what is not known.

    image: number of the image's name. joints: float32. crop: where the crop is: affine_img_from_crop as the factors and
    the offsets of x and y; shard, start, length, checksum: of its bytes. size_wh: of the photo.
    """
    return np.dtype(
        [
            ('box', '<f8', 4),
            ('head_box', '<f8', 4),
            ('centre', '<f8', 2),
            ('scale', '<f8'),
            ('area', '<f8'),
            ('crop', '<f8', 4),
            ('start', '<u8'),
            ('joints', '<f4', (num_joints, 2)),
            ('image', '<u4'),
            ('shard', '<u4'),
            ('length', '<u4'),
            ('checksum', '<u4'),
            ('size_wh', '<u4', 2),
            ('person_index', '<i4'),
            ('split', 'i1'),
            ('knows_visible', '?'),
            ('labelled', '?', (num_joints,)),
            ('visible', '?', (num_joints,)),
        ]
    )


class Key(NamedTuple):
    """What names a person: Person.source and Person.person_id."""

    source: int
    person_id: str


class PersonTable(Sequence[Person]):
    """A sequence of Persons over records; taking some of them makes another table over the same records.

    records: (N,) of record_type, mapped or in memory. names: the names of M images and then the ids of N persons, as
    (uint8 text, int64 (M + N,) ends). shards: of the crops. chosen: joints to read, in this order, None for all.
    source: Person.source of everybody. rows: int32, the records of this table, None for all.
    """

    def __init__(
        self,
        records: np.ndarray,
        names: Tuple[np.ndarray, np.ndarray],
        shards: Sequence[Shard],
        chosen: Union[Sequence[int], np.ndarray, None] = None,
        source: int = 0,
        rows: Optional[np.ndarray] = None,
    ) -> None:
        self._records, self._shards, self.source = records, shards, source
        self._bytes = records.view(np.uint8).reshape(-1, records.dtype.itemsize)
        self._fields = records.dtype.names or ()
        self._text, self._ends = names
        self._chosen = None if chosen is None else np.asarray(chosen, int)
        self._rows = np.arange(len(records), dtype=np.int32) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, key: int) -> Person: ...

    @overload
    def __getitem__(self, key: slice) -> 'PersonTable': ...

    def __getitem__(self, key: Union[int, slice]) -> 'Union[Person, PersonTable]':
        if isinstance(key, slice):
            return self._of_rows(self._rows[key])
        return self._person(int(self._rows[key]))

    def take(self, indices: Union[Sequence[int], np.ndarray]) -> 'PersonTable':
        """Return the table of some of these persons."""
        return self._of_rows(self._rows[np.asarray(indices, np.int64)])

    def keys(self) -> Iterator[Key]:
        """Yield the Key of every person."""
        for person_id in self._names(self._num_names + self._rows):
            yield Key(self.source, person_id)

    def split_codes(self) -> np.ndarray:
        """Return split_codes of the persons."""
        return self._column('split')

    def named_images(self) -> Tuple[np.ndarray, Iterator[str]]:
        """Return named_images of the persons."""
        names, used = self._column('image'), self._used_names()
        numbers = np.cumsum(used, dtype=np.int32) - 1
        return numbers[names], self._names(np.flatnonzero(used))

    @property
    def num_images(self) -> int:
        """Number of images that the persons are in."""
        return int(np.count_nonzero(self._used_names()))

    def without_centre(self) -> List[int]:
        """Return the indices of the persons without a centre or a scale."""
        indices: List[int] = np.flatnonzero(
            np.isnan(self._column('scale')) | np.isnan(self._column('centre')[:, 0])
        ).tolist()
        return indices

    @property
    def _num_names(self) -> int:
        """Number of images' names, which ids of persons follow."""
        return len(self._ends) - len(self._records)

    def _used_names(self) -> np.ndarray:
        """Return bool: which of the images' names are those of persons of this table."""
        used = np.zeros(self._num_names, bool)
        used[self._column('image')] = True
        return used

    def _column(self, name: str) -> np.ndarray:
        # Records are mapped, so a column is gathered from all of the file; it is read once.
        column: np.ndarray = self._records[name][self._rows]
        return column

    def _of_rows(self, rows: np.ndarray) -> 'PersonTable':
        return PersonTable(self._records, (self._text, self._ends), self._shards, self._chosen, self.source, rows)

    def _name(self, number: int) -> str:
        start = int(self._ends[number - 1]) if number else 0
        return self._text[start : int(self._ends[number])].tobytes().decode('utf-8', 'surrogateescape')

    def _names(self, numbers: np.ndarray) -> Iterator[str]:
        """Yield many names; of a block of them, the part of the text is read at once."""
        for at in range(0, len(numbers), _BLOCK):
            block = numbers[at : at + _BLOCK].astype(np.int64)
            ends = self._ends[block]
            starts = np.where(block > 0, self._ends[block - 1], 0)
            first = int(starts.min())
            text = self._text[first : int(ends.max())].tobytes()
            for start, end in zip((starts - first).tolist(), (ends - first).tolist()):
                yield text[start:end].decode('utf-8', 'surrogateescape')

    def _person(self, row: int) -> Person:
        # A copy, so that a Person does not hold on to the file and can be changed. Copied as bytes, because NumPy
        # copies a record field by field.
        record = dict(zip(self._fields, self._bytes[row].copy().view(self._records.dtype)[0].item()))
        image = self._name(record['image'])
        joints, labelled, visible = record['joints'], record['labelled'], record['visible']
        if self._chosen is not None:
            joints, labelled, visible = joints[self._chosen], labelled[self._chosen], visible[self._chosen]
        shard, start = self._shards[record['shard']], record['start']
        crop = PackedCrop(
            shard,
            start,
            record['length'],
            record['checksum'],
            tuple(record['crop'].tolist()),
            tuple(record['size_wh'].tolist()),
        )
        split, person_index = record['split'], record['person_index']
        return Person(
            image=image,
            image_path=f'{shard.path}@{start}',
            person_id=self._name(self._num_names + row),
            box_img=record['box'],
            joints_img=joints,
            labelled=labelled,
            head_box_img=_known(record['head_box']),
            source=self.source,
            visible=visible if record['knows_visible'] else None,
            centre_img=_known(record['centre']),
            scale=_known_number(record['scale']),
            split=None if split < 0 else SPLITS[split],
            person_index=None if person_index < 0 else person_index,
            area=_known_number(record['area']),
            packed=crop,
        )


def keys_of(persons: Iterable[Person]) -> Iterable[Key]:
    """Return the Key of every person, of a PersonTable without making Persons."""
    if isinstance(persons, PersonTable):
        return persons.keys()
    return (Key(person.source, person.person_id) for person in persons)


def split_codes(persons: Sequence[Person]) -> np.ndarray:
    """Return int8 (N,): the index of each Person.split in SPLITS, -1 for None."""
    if isinstance(persons, PersonTable):
        return persons.split_codes()
    return np.array([-1 if person.split is None else SPLITS.index(person.split) for person in persons], np.int8)


def source_numbers(persons: Sequence[Person]) -> np.ndarray:
    """Return int32 (N,): Person.source of each person."""
    if isinstance(persons, PersonTable):
        return np.full(len(persons), persons.source, np.int32)
    return np.array([person.source for person in persons], np.int32)


def named_images(persons: Sequence[Person]) -> Tuple[np.ndarray, Iterator[str]]:
    """Return int32 (N,), a number from 0 for each person's image, and the different Person.image by their numbers."""
    if isinstance(persons, PersonTable):
        return persons.named_images()
    numbers: Dict[str, int] = {}
    of_persons = np.array([numbers.setdefault(person.image, len(numbers)) for person in persons], np.int32)
    return of_persons, iter(numbers)


def image_numbers(persons: Sequence[Person]) -> np.ndarray:
    """Return int32 (N,): the number from 0 of each person's image file; every crop of a pack is one of its own."""
    if isinstance(persons, PersonTable):
        return np.arange(len(persons), dtype=np.int32)
    numbers: Dict[str, int] = {}
    return np.array([numbers.setdefault(person.image_path, len(numbers)) for person in persons], np.int32)


def fill_record(record: Any, person: Person, image: int, crop: PackedCrop, shard: int) -> None:
    """Set a record of record_type to a person and its crop. image, shard: their numbers."""
    unknown = np.nan
    record['box'], record['joints'], record['labelled'] = person.box_img, person.joints_img, person.labelled
    record['head_box'] = unknown if person.head_box_img is None else person.head_box_img
    record['centre'] = unknown if person.centre_img is None else person.centre_img
    record['scale'] = unknown if person.scale is None else person.scale
    record['area'] = unknown if person.area is None else person.area
    record['knows_visible'] = person.visible is not None
    record['visible'] = False if person.visible is None else person.visible
    record['split'] = -1 if person.split is None else SPLITS.index(person.split)
    record['person_index'] = -1 if person.person_index is None else person.person_index
    record['image'], record['shard'], record['start'] = image, shard, crop.start
    record['length'], record['checksum'] = crop.length, crop.checksum
    record['crop'], record['size_wh'] = crop.img_from_crop, crop.size_wh


def joined_names(names: Sequence[str]) -> Tuple[np.ndarray, np.ndarray]:
    """Return names as (uint8 text, int64 ends), as a PersonTable has them."""
    encoded = [name.encode('utf-8', 'surrogateescape') for name in names]
    ends = np.cumsum([len(each) for each in encoded], dtype=np.int64)
    return np.frombuffer(b''.join(encoded), np.uint8), ends


def open_arrays(folder: str) -> Tuple[np.ndarray, Tuple[np.ndarray, np.ndarray]]:
    """Return the mapped (records, names) of a folder. Raises OSError or ValueError for missing or damaged files."""
    # Plain arrays over the mapped files: an access to np.memmap itself takes several times as long.
    records, text, ends = (
        np.asarray(np.load(os.path.join(folder, name), mmap_mode='r', allow_pickle=False))
        for name in (RECORDS, NAMES, NAME_ENDS)
    )
    if not len(records) or len(ends) <= len(records) or int(ends[-1]) != len(text):
        raise ValueError('its files do not fit each other')
    return records, (text, ends)


def _known(values: np.ndarray) -> Optional[np.ndarray]:
    return None if math.isnan(values[0]) else values


def _known_number(value: Any) -> Optional[float]:
    return None if math.isnan(value) else float(value)
