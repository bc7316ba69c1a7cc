"""Packs: their persons are those that were packed, few bytes are read, and damage is named in one line."""

import hashlib
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from hourglass_pose.annotations.packs import open_pack, read_manifest
from hourglass_pose.annotations.person_table import PersonTable, image_numbers, joined_names, record_type
from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.annotations.splits import split_hash, split_persons
from hourglass_pose.errors import AnnotationError, ImageError
from packed import JOINTS, packed, photographed

FIELDS = ('box_img', 'joints_img', 'labelled', 'head_box_img', 'visible', 'centre_img')
PLAIN = ('image', 'person_id', 'source', 'scale', 'split', 'person_index', 'area')


def assert_same_person(found, expected):
    for name in FIELDS:
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None)
        if other is not None:
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
    assert [getattr(found, name) for name in PLAIN] == [getattr(expected, name) for name in PLAIN]


@pytest.fixture
def persons(tmp_path):
    return photographed(tmp_path)


@pytest.fixture
def pack(tmp_path, persons):
    return packed(tmp_path, persons)


def test_a_pack_holds_the_persons_that_were_packed(pack, persons):
    table = open_pack(pack, len(JOINTS))
    assert len(table) == len(persons) and table.num_images == 3
    for found, expected in zip(table, persons):
        assert_same_person(found, expected)
    with pytest.raises(IndexError):
        table[len(persons)]
    part = table.take([2, 0])
    assert_same_person(part[0], persons[2])
    assert_same_person(part[1:][0], persons[0])
    assert [key.person_id for key in part.keys()] == [persons[2].person_id, persons[0].person_id]


def test_joints_are_chosen_by_their_names(pack, persons):
    found = open_pack(pack, 2, joint_names=('neck', 'r_wrist'))[1]
    np.testing.assert_array_equal(found.joints_img, persons[1].joints_img[[2, 0]])
    np.testing.assert_array_equal(found.labelled, persons[1].labelled[[2, 0]])
    with pytest.raises(AnnotationError, match='no joint tail among r_wrist, l_wrist, neck'):
        open_pack(pack, 1, joint_names=('tail',))
    with pytest.raises(AnnotationError, match='3 joints; expected 2'):
        open_pack(pack, 2)


@pytest.mark.parametrize('fraction', [0.3, 0.6])
def test_a_pack_is_split_as_its_annotations_are(pack, persons, fraction):
    table = read_annotations(pack, pack, len(JOINTS)).persons
    assert isinstance(table, PersonTable)
    expected, found = split_persons(persons, fraction, 3), split_persons(table, fraction, 3)
    for side in ('train', 'valid'):
        assert isinstance(found[side], PersonTable)
        assert [person.person_id for person in found[side]] == [person.person_id for person in expected[side]]
    assert split_hash(found) == split_hash(expected)


def test_a_person_of_a_table_belongs_to_its_user(pack):
    table = open_pack(pack, len(JOINTS))
    table[1].joints_img[:] = 7
    assert not (table[1].joints_img == 7).any()


def test_packs_and_other_files_are_read_together(pack, persons, tmp_path):
    both = read_annotations([pack, pack], [pack, pack], len(JOINTS)).persons
    assert [person.source for person in both] == [0] * 4 + [1] * 4
    assert_same_person(both[6], replace(persons[2], source=1))


def test_missing_centres_are_a_problem_where_they_are_needed(pack):
    with pytest.raises(AnnotationError, match='1 person with no centre, which DataSetHG.crop_rule'):
        read_annotations(pack, pack, len(JOINTS), needs_centre=True)


def test_the_manifest_has_the_sha256_of_every_file(pack):
    manifest = read_manifest(pack)
    for each in manifest.shards + manifest.index:
        with open(os.path.join(pack, each.name), 'rb') as stream:
            assert hashlib.sha256(stream.read()).hexdigest() == each.sha256


@pytest.mark.parametrize('name', ['crops-00000.bin', 'persons.npy', 'names.npy', 'name_ends.npy'])
def test_a_file_that_is_missing_or_cut_is_named_when_the_pack_is_opened(pack, name):
    path = os.path.join(pack, name)
    with open(path, 'r+b') as stream:
        stream.truncate(os.path.getsize(path) - 1)
    with pytest.raises(AnnotationError, match=f'{name}: [0-9,]+ bytes; expected [0-9,]+ bytes; copy the pack again'):
        open_pack(pack, len(JOINTS))
    os.remove(path)
    with pytest.raises(AnnotationError, match=f'{name}: missing; expected'):
        open_pack(pack, len(JOINTS))


@pytest.mark.parametrize('change', [dict(version=2), dict(format='other'), dict(shards=3), dict(persons=3)])
def test_another_manifest_is_refused(pack, change):
    path = os.path.join(pack, 'pack.json')
    with open(path) as stream:
        content = dict(json.load(stream), **change)
    with open(path, 'w') as stream:
        json.dump(content, stream)
    with pytest.raises(AnnotationError, match=r'pack\.json'):
        open_pack(pack, len(JOINTS))


def test_a_damaged_byte_of_a_shard_is_noticed_when_its_crop_is_read(pack):
    first, second = open_pack(pack, len(JOINTS))[:2]
    with open(os.path.join(pack, 'crops-00000.bin'), 'r+b') as stream:
        stream.seek(first.packed.length + 700)
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 1]))
    assert first.packed.decode(1)[0].ndim == 3
    with pytest.raises(ImageError) as caught:
        second.packed.decode(1)
    message = str(caught.value)
    assert '\n' not in message and 'crops-00000.bin: damaged at byte' in message and 'copy the pack again' in message


def test_a_damaged_index_is_refused(pack):
    for name, offset in (('persons.npy', 0), ('name_ends.npy', -8)):
        path = os.path.join(pack, name)
        with open(path, 'r+b') as stream:
            stream.seek(offset, os.SEEK_SET if offset >= 0 else os.SEEK_END)
            stream.write(b'\xff' * 7)
        with pytest.raises(AnnotationError, match='the index is damaged'):
            open_pack(pack, len(JOINTS))


def test_a_changed_number_of_the_index_is_noticed_when_the_pack_is_opened(pack):
    for name in ('persons.npy', 'names.npy', 'name_ends.npy'):
        path = os.path.join(pack, name)
        with open(path, 'rb') as stream:
            content = stream.read()
        for changed in (len(content) - 1, 11):
            with open(path, 'wb') as stream:
                stream.write(bytes(byte ^ (at == changed) for at, byte in enumerate(content)))
            with pytest.raises(AnnotationError, match=f'the index is damaged.*{name}') as caught:
                open_pack(pack, len(JOINTS))
            assert '\n' not in str(caught.value)
        with open(path, 'wb') as stream:
            stream.write(content)
    assert len(open_pack(pack, len(JOINTS))) == 4


def test_the_memory_of_a_table_is_that_of_its_rows():
    # 166 + 10 bytes a joint are in the file; what a table adds is an int32 a person.
    assert record_type(16).itemsize == 326
    count = 1000
    table = PersonTable(np.zeros(count, record_type(16)), joined_names(['a'] * (count + 1)), [])
    assert table._rows.nbytes == 4 * count and image_numbers(table).nbytes == 4 * count
