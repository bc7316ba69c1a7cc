"""Splits: by image, by hash, the same everywhere."""

import hashlib
import itertools
import json
import posixpath
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hourglass_pose.annotations.checking import SPLITS
from hourglass_pose.annotations.person_table import PersonTable, joined_names, record_type
from hourglass_pose.annotations.splits import image_identity, split_hash, split_of, split_persons
from hourglass_pose.errors import AnnotationError


def person(image, letter='A', source=0, split=None):
    return SimpleNamespace(image=image, person_id=image + letter, source=source, split=split)


def position(name, seed):
    """Return the position of a name in [0, 1) in another way, from hexadecimal digits of SHA-256."""
    return int(hashlib.sha256(f'{seed}:{name}'.encode('utf-8', 'surrogateescape')).hexdigest()[:12], 16) / 16.0**12


# The splits of other machines for a fraction of 0.5 must not change: checkpoints depend on them.
@pytest.mark.parametrize(
    'name, seed, side',
    [
        ('im0001.jpg', 0, 'train'),
        ('im0002.jpg', 0, 'valid'),
        ('im0003.jpg', 0, 'train'),
        ('im0001.jpg', 1, 'valid'),
        ('015601864.jpg', 0, 'valid'),
        ('015601864.jpg', 1, 'train'),
        ('照片.jpg', 0, 'train'),
    ],
)
def test_golden_split(name, seed, side):
    assert split_of(name, seed, 0.5) == side
    assert (position(name, seed) < 0.5) == (side == 'valid')


@settings(max_examples=100, deadline=None)
@given(
    name=st.text(st.characters(blacklist_characters='/\\', blacklist_categories=('Cs',)), min_size=1),
    seed=st.integers(-(2**63), 2**63),
    fraction=st.floats(0, 1),
)
def test_a_name_is_in_validation_where_its_hash_is_below_the_fraction(name, seed, fraction):
    assert split_of(name, seed, fraction) == ('valid' if position(name, seed) < fraction else 'train')


def test_the_fraction_of_validation_is_within_five_standard_deviations():
    count, fraction = 10000, 0.1
    for seed in (0, 1):
        found = sum(split_of(f'im{index:05d}.jpg', seed, fraction) == 'valid' for index in range(count))
        assert abs(found - count * fraction) < 5 * (count * fraction * (1 - fraction)) ** 0.5


def test_seeds_divide_independently():
    sides = [[split_of(f'im{index:05d}.jpg', seed, 0.5) for index in range(10000)] for seed in (1, 11)]
    agreeing = sum(a == b for a, b in zip(*sides))
    assert abs(agreeing - 5000) < 5 * 2500**0.5


def test_fractions_nest_so_that_a_larger_validation_set_holds_the_smaller():
    names = [f'{index}.png' for index in range(1000)]
    small, large = ({name for name in names if split_of(name, 3, share) == 'valid'} for share in (0.1, 0.3))
    assert small < large


def test_an_image_is_its_path_below_the_image_folder():
    spellings = 'seq1/im.jpg', './seq1/im.jpg', 'seq1//im.jpg', 'seq1\\im.jpg'
    assert {image_identity(spelling) for spelling in spellings} == {'seq1/im.jpg'}
    assert len({split_of(spelling, seed, 0.5) for spelling in spellings for seed in (0,)}) == 1
    # Directly in its folder an image has its base name, by which earlier runs were divided.
    assert image_identity('im.jpg') == 'im.jpg'
    sides = {split_of(f'seq{index}/im.jpg', 0, 0.5) for index in range(20)}
    assert sides == {'train', 'valid'}


def frames(sequences=40, count=10):
    return [person(f'seq{number:03d}/{frame:06d}.jpg') for number in range(sequences) for frame in range(count)]


def test_frames_of_equal_names_are_divided_one_by_one():
    split = split_persons(frames(), 0.3, 0)
    names = [{one.image.split('/')[1] for one in persons} for persons in split.values()]
    assert len(names[1]) == 10 and 0.2 < len(split['valid']) / 400 < 0.4


def test_a_sequence_stays_together_where_folders_are_divided():
    split = split_persons(frames(), 0.3, 0, 'folder')
    folders = [{one.image.split('/')[0] for one in persons} for persons in split.values()]
    assert not folders[0] & folders[1] and len(folders[0] | folders[1]) == 40
    assert 0.1 < len(folders[1]) / 40 < 0.5 and sum(map(len, split.values())) == 400
    # A person with an annotated split determines the split of its folder.
    given = [person('seq001/x.jpg', split='valid'), person('seq002/x.jpg', split='train')]
    found = split_persons(frames(3) + given, 0.3, 0, 'folder')
    assert {one.image[:6] for one in found['valid']} >= {'seq001'} and 'seq001' not in {
        one.image[:6] for one in found['train']
    }


def test_a_single_folder_cannot_be_divided_by_folder():
    with pytest.raises(AnnotationError, match="1 folder of images.*split_by='image'"):
        split_persons([person('a.jpg'), person('b.jpg')], 0.1, 0, 'folder')
    with pytest.raises(ValueError, match='split_by'):
        split_persons([person('a.jpg'), person('b.jpg')], 0.1, 0, 'video')


@settings(max_examples=50, deadline=None)
@given(
    images=st.lists(st.sampled_from([f'{index}.jpg' for index in range(12)]), min_size=2, max_size=40),
    fraction=st.floats(0.001, 0.999),
    seed=st.integers(0, 1000),
)
def test_both_splits_are_filled_in_order_and_share_no_image(images, fraction, seed):
    persons = [person(image, source=index % 2) for index, image in enumerate(images)]
    if len(set(images)) < 2:
        with pytest.raises(AnnotationError, match=r'1 image\(s\) cannot be divided'):
            split_persons(persons, fraction, seed)
        return
    split = split_persons(iter(persons), fraction, seed)
    assert list(split) == ['train', 'valid'] and split['train'] and split['valid']
    assert not {one.image for one in split['train']} & {one.image for one in split['valid']}
    order = {id(one): index for index, one in enumerate(persons)}
    for side in split.values():
        assert [order[id(one)] for one in side] == sorted(order[id(one)] for one in side)
    assert len(split['train']) + len(split['valid']) == len(persons)


def test_the_nearest_image_moves_to_a_split_that_would_be_empty():
    images = [f'{index}.jpg' for index in range(5)]
    ranked = sorted(images, key=lambda image: position(image, 7))
    few = split_persons(map(person, images), 1e-9, 7)
    assert [one.image for one in few['valid']] == ranked[:1]
    most = split_persons(map(person, images), 1 - 1e-9, 7)
    assert [one.image for one in most['train']] == ranked[-1:]


def test_fractions_of_zero_and_one_leave_a_split_empty():
    assert not split_persons([person('a.jpg'), person('b.jpg')], 0, 0)['valid']
    assert not split_persons([person('a.jpg')], 1, 0)['train']


def test_an_annotated_split_takes_precedence_over_the_hash():
    for wish in ('train', 'valid'):
        persons = [
            person(f'{index}.jpg', split=wish if index < 20 else ('valid', 'train')[wish == 'valid'])
            for index in range(24)
        ]
        split = split_persons(persons, 0.5, 0)
        assert split[wish] == persons[:20] and sum(map(len, split.values())) == 24


def test_a_person_of_the_test_split_is_in_neither():
    persons = [
        person('a.jpg', split='train'),
        person('b.jpg', split='valid'),
        person('c.jpg', split='test'),
        person('c.jpg', 'B'),
    ]
    split = split_persons(persons, 0.5, 0)
    assert split['train'] == persons[:1] and split['valid'] == persons[1:2]


def test_a_person_without_annotated_split_follows_its_image_or_the_hash():
    annotated = [person(f'{index}.jpg', split='valid' if index % 2 else 'train') for index in range(20)]
    others = [person(f'{index}.jpg', 'B') for index in range(40)]
    split = split_persons(annotated + others, 0.3, 7)
    for one in others[:20]:
        assert one in split['valid' if int(one.image[:-4]) % 2 else 'train']
    for one in others[20:]:
        assert one in split[split_of(one.image, 7, 0.3)]


def test_an_image_of_an_evaluated_person_is_not_trained_on():
    persons = [person('a.jpg', 'A', split='train'), person('a.jpg', 'B', split='valid'), person('a.jpg', 'C')]
    assert split_persons(persons, 0.1, 0)['valid'] == persons[1:]


@pytest.mark.parametrize(
    'annotated, message', [('train', '2 person.s. to train on and 0 to'), ('test', '0 person.s. to')]
)
def test_annotations_that_leave_a_split_empty_are_refused(annotated, message):
    with pytest.raises(AnnotationError, match=message):
        split_persons([person('a.jpg', split=annotated), person('b.jpg', split=annotated)], 0.5, 0)
    assert not split_persons([person('a.jpg', split='train')], 0, 0)['valid']


def test_no_persons_cannot_be_divided():
    with pytest.raises(AnnotationError, match=r'0 image\(s\)'):
        split_persons([], 0.1, 0)


@pytest.mark.parametrize('fraction', [-0.1, 1.1, float('nan')])
def test_a_fraction_outside_of_zero_to_one_is_refused(fraction):
    with pytest.raises(ValueError, match='valid_fraction'):
        split_persons([person('a.jpg'), person('b.jpg')], fraction, 0)


def divided(persons, fraction, seed, split_by):
    """Return the sides of split_persons, found unit by unit from lists."""
    units = {}
    for one in persons:
        path = posixpath.normpath(one.image.replace('\\', '/'))
        units.setdefault(posixpath.dirname(path) if split_by == 'folder' else path, []).append(one)
    annotated = any(one.split for one in persons)
    # The image folder itself is ranked by its name and divided by its identity.
    side = {unit: 'valid' if position(unit or '.', seed) < fraction else 'train' for unit in units}
    if not annotated:
        ranked = sorted(units, key=lambda unit: position(unit, seed))
        side.update({ranked[0]: 'valid', ranked[-1]: 'train'})
    for unit, members in units.items():
        given = {one.split for one in members}
        side[unit] = next((name for name in ('test', 'valid', 'train') if name in given), side[unit])
    sides = {id(one): one.split or side[unit] for unit, members in units.items() for one in members}
    return {name: [one for one in persons if sides[id(one)] == name] for name in ('train', 'valid')}


def tabled(persons):
    """Return the PersonTable of some persons, with names of images that nobody is in."""
    images = sorted({one.image for one in persons} | {'0', 'nobody.jpg', '~'})
    records = np.zeros(len(persons), record_type(1))
    records['image'] = [images.index(one.image) for one in persons]
    records['split'] = [-1 if one.split is None else SPLITS.index(one.split) for one in persons]
    return PersonTable(records, joined_names([*images, *(one.person_id for one in persons)]), [])


@settings(max_examples=100, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32), split_by=st.sampled_from(['image', 'folder']))
def test_lists_and_tables_are_divided_as_unit_by_unit(data, seed, split_by):
    part = st.text(
        st.characters(blacklist_characters='/\0', blacklist_categories=('Cs',)), min_size=1, max_size=3
    ) | st.sampled_from(['a', 'é', '\udc80'])
    path = st.lists(part, min_size=1, max_size=3).map('/'.join)
    images = data.draw(st.lists(path, min_size=1, max_size=6, unique=True))
    splits = data.draw(st.sampled_from([[None], [None, 'train', 'valid', 'test']]))
    chosen = st.tuples(st.sampled_from(images), st.sampled_from(splits), st.sampled_from(['', './', './/']))
    rows = data.draw(st.lists(chosen, min_size=2, max_size=20))
    persons = [person(prefix + image, str(row), split=split) for row, (image, split, prefix) in enumerate(rows)]
    fraction = data.draw(st.floats(0.01, 0.99))
    try:
        found = split_persons(persons, fraction, seed, split_by)
    except AnnotationError:
        with pytest.raises(AnnotationError):
            split_persons(tabled(persons), fraction, seed, split_by)
        return
    expected, table = (
        divided(persons, fraction, seed, split_by),
        split_persons(tabled(persons), fraction, seed, split_by),
    )
    assert found == expected
    for side in ('train', 'valid'):
        assert [key.person_id for key in table[side].keys()] == [one.person_id for one in expected[side]]
    lines = sorted(json.dumps([side, 0, one.person_id]) for side in expected for one in expected[side])
    assert split_hash(table) == split_hash(found) == hashlib.sha256('\n'.join(lines).encode()).hexdigest()


@pytest.mark.parametrize('count', [2**15, 2**15 + 1, 70000])
def test_many_persons_are_hashed_in_the_order_of_their_lines(count):
    ids = [f'{hashlib.md5(str(row).encode()).hexdigest()}' for row in range(count)]
    table = PersonTable(np.zeros(count, record_type(1)), joined_names(['image', *ids]), [])
    assert [key.person_id for key in table.keys()] == ids
    text = '\n'.join(f'["train", 0, "{name}"]' for name in sorted(ids))
    assert split_hash({'train': table, 'valid': table[:0]}) == hashlib.sha256(text.encode()).hexdigest()


def test_the_split_hash_ignores_order_and_nothing_more():
    a, b, c = person('a.jpg'), person('b.jpg'), person('c.jpg')
    reference = split_hash({'train': [a, b], 'valid': [c]})
    for order in itertools.permutations([a, b]):
        assert split_hash({'valid': [c], 'train': list(order)}) == reference
    others = [
        {'train': [a], 'valid': [b, c]},
        {'train': [a], 'valid': [c]},
        {'train': [c], 'valid': [a, b]},
        {'train': [a, b, b], 'valid': [c]},
        {'train': [a, b], 'valid': []},
        {'train': [a, person('b.jpg', 'B')], 'valid': [c]},
        {'train': [a, person('b.jpg', source=1)], 'valid': [c]},
    ]
    hashes = {split_hash(other) for other in others}
    assert len(hashes) == len(others) and reference not in hashes


def test_the_split_hash_is_that_of_its_documented_text():
    text = '["train", 0, "a.jpgA"]\n["valid", 1, "\\u00e9.jpgA"]'
    split = {'train': [person('a.jpg')], 'valid': [person('é.jpg', source=1)]}
    assert split_hash(split) == hashlib.sha256(text.encode('ascii')).hexdigest()
