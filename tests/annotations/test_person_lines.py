"""The project's own annotation format: nothing is lost, wrong lines are named, memory is constant."""

import gzip
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_lines import read_person_lines, write_person_lines
from hourglass_pose.errors import AnnotationError

NAMES = ('head', 'neck')
HEADER = {'format': 'hourglass-pose persons', 'version': 1, 'joints': list(NAMES)}
GOOD = {'image': 'a.jpg', 'id': 'a.jpgA', 'box': [0, 0, 9, 9], 'joints': [[1, 2], None]}


def person(**changes):
    return replace(
        Person(
            'a.jpg',
            'a.jpg',
            'a.jpgA',
            np.array([0.0, 1, 9, 8]),
            np.array([[1.5, 2], [0, 0]], np.float32),
            np.array([True, False]),
        ),
        **changes,
    )


def read(path, *lines, **settings):
    """Return what the reader yields for lines given as dictionaries, text or bytes."""
    texts = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
    with open(str(path), 'wb') as stream:
        stream.write(b'\n'.join(text if isinstance(text, bytes) else text.encode('utf-8') for text in texts))
    return list(read_person_lines(str(path), len(NAMES), **settings))


def assert_same(a, b):
    for field in ('image', 'person_id', 'scale', 'split', 'person_index', 'area'):
        assert getattr(a, field) == getattr(b, field)
    for field in ('box_img', 'joints_img', 'labelled', 'head_box_img', 'visible', 'centre_img'):
        first, second = getattr(a, field), getattr(b, field)
        assert (first is None) == (second is None)
        if first is not None:
            np.testing.assert_array_equal(first, second)
            assert first.dtype == second.dtype


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / 'people.jsonl')


pixels = st.floats(-1e6, 1e6, allow_nan=False)
narrow_pixels = st.floats(-1e6, 1e6, width=32)
boxes = st.lists(pixels, min_size=4, max_size=4).map(np.array)


@st.composite
def persons(draw):
    labelled = np.array(draw(st.lists(st.booleans(), min_size=2, max_size=2)))
    joints = np.array(draw(st.lists(narrow_pixels, min_size=4, max_size=4)), np.float32).reshape(2, 2)
    joints[~labelled] = 0
    maybe = lambda strategy: draw(st.none() | strategy)  # noqa: E731
    return Person(
        draw(st.text(st.characters(blacklist_categories=['Cs'], blacklist_characters='\0'), min_size=1)),
        '',
        draw(st.text(st.characters(blacklist_categories=['Cs'], blacklist_characters='\0'), min_size=1)),
        draw(boxes),
        joints,
        labelled,
        maybe(boxes),
        visible=maybe(st.lists(st.booleans(), min_size=2, max_size=2).map(lambda values: np.array(values, bool))),
        centre_img=maybe(st.lists(pixels, min_size=2, max_size=2).map(np.array)),
        scale=maybe(st.floats(0, 1e6, exclude_min=True)),
        split=maybe(st.sampled_from(['train', 'valid', 'test'])),
        person_index=maybe(st.integers(0, 10**6)),
        area=maybe(st.floats(0, 1e12, exclude_min=True)),
    )


@pytest.mark.parametrize('ending', ['.jsonl', '.jsonl.gz'])
def test_a_write_and_a_read_lose_nothing_that_a_person_holds(tmp_path, ending):
    path = str(tmp_path / (f'people{ending}'))

    @settings(max_examples=60, deadline=None)
    @given(st.lists(persons(), min_size=1, max_size=3))
    def check(written):
        assert write_person_lines(path, written, NAMES) == len(written)
        found = list(read_person_lines(path, 2))
        assert [line for line, _ in found] == list(range(2, 2 + len(written)))
        for (_, a), b in zip(found, written):
            assert_same(a, b)

    check()


def test_gzip_is_written_by_name_and_read_by_content(tmp_path):
    for ending in ('jsonl', 'jsonl.gz'):
        write_person_lines(str(tmp_path / (f'p.{ending}')), [person()], NAMES)
    plain, packed = (tmp_path / 'p.jsonl').read_bytes(), (tmp_path / 'p.jsonl.gz').read_bytes()
    assert gzip.decompress(packed) == plain
    (tmp_path / 'misnamed.txt').write_bytes(packed)
    ((_, found),) = read_person_lines(str(tmp_path / 'misnamed.txt'), 2)
    assert_same(found, person())


def test_the_same_persons_make_the_same_bytes(tmp_path):
    for name in ('a.gz', 'b.gz'):
        write_person_lines(str(tmp_path / name), [person()], NAMES)
    assert (tmp_path / 'a.gz').read_bytes() == (tmp_path / 'b.gz').read_bytes()


def test_the_header_identifies_the_format(path):
    write_person_lines(path, [person()], NAMES)
    with open(path) as stream:
        header = json.loads(stream.readline())
        record = json.loads(stream.readline())
    assert header['format'] == 'hourglass-pose persons' and header['version'] == 1
    assert header['joints'] == list(NAMES) and '0-based' in header['frame']
    # What is not known is not written.
    assert record == {'image': 'a.jpg', 'id': 'a.jpgA', 'box': [0, 1, 9, 8], 'joints': [[1.5, 2], None]}


def test_joints_are_taken_by_name_where_names_are_asked_for(path):
    lines = HEADER, dict(GOOD, joints=[[1, 2], [3, 4]], visible=[1, 0])
    ((_, found),) = read(path, *lines, joint_names=('neck', 'head'))
    assert found.joints_img.tolist() == [[3, 4], [1, 2]] and found.visible.tolist() == [False, True]
    with pytest.raises(AnnotationError, match='people.jsonl:1: no joint elbow among head, neck'):
        read(path, *lines, joint_names=('neck', 'elbow'))


def test_the_image_is_opened_in_its_folder(path):
    ((_, found),) = read(path, HEADER, GOOD, image_folder='photos', source=3)
    assert found.image_path.replace('\\', '/') == 'photos/a.jpg' and found.source == 3


@pytest.mark.parametrize(
    'header, message',
    [
        (dict(HEADER, version=2), 'version 2 of the format; expected version 1'),
        (dict(HEADER, joints=['head']), '1 joints; expected 2'),
        (dict(HEADER, joints=3), '"joints" is 3'),
        ({'image': 'a.jpg'}, 'expected the first line'),
        ('', 'expected the first line'),
    ],
)
def test_a_wrong_header_stops_the_reading(path, header, message):
    with pytest.raises(AnnotationError, match=f'people.jsonl:1: .*{message}'):
        read(path, header, GOOD)


@pytest.mark.parametrize(
    'line, message',
    [
        ('{"image": ', 'not JSON'),
        ('3', r'expected \{.*found 3'),
        (b'{"image": "\xff"}', 'byte 0xff in column 12'),
        (dict(GOOD, image=3), 'image is 3; expected a text'),
        (dict(GOOD, id=''), "id is ''"),
        (dict(GOOD, box=[0, 0, 9]), r'box is \[0, 0, 9\]; expected a list of 4 numbers'),
        (dict(GOOD, box=None), 'box is null'),
        (dict(GOOD, box=[0, 0, 9, float('nan')]), 'box is'),
        (dict(GOOD, box=[0, 0, 9, 2e6]), 'box is'),
        (dict(GOOD, box=[0, 0, True, 9]), 'box is'),
        (dict(GOOD, joints=[[1, 2]]), 'joints is 1 entries; expected a list of 2'),
        (dict(GOOD, joints=[[1, 2], [3]]), r'joint 2 is \[3\]; expected \[x, y\]'),
        (dict(GOOD, visible=[1]), 'visible is 1 entries'),
        (dict(GOOD, visible=[1, 2]), 'expected 1 or 0'),
        (dict(GOOD, head_box=3), 'head_box is 3'),
        (dict(GOOD, centre=[1]), r'centre is \[1\]'),
        (dict(GOOD, scale=0), 'scale is 0; expected a number > 0'),
        (dict(GOOD, area=-4), 'area is -4; expected a number > 0'),
        (dict(GOOD, split='val'), "split is 'val'; expected one of 'train'"),
        (dict(GOOD, person_index=-1), 'person_index is -1'),
        (dict(GOOD, person_index=1.0), 'person_index is 1.0'),
    ],
)
def test_a_wrong_line_is_named_and_the_next_one_read(path, line, message):
    (number, error), (_, found) = read(path, HEADER, line, GOOD)
    assert number == 2 and isinstance(error, AnnotationError) and found.person_id == 'a.jpgA'
    with pytest.raises(AnnotationError, match=f'people.jsonl:2: .*{message}'):
        raise error


def test_keys_of_other_programs_and_empty_lines_are_ignored(path):
    ((number, found),) = read(path, dict(HEADER, author='me'), '', dict(GOOD, colour='red'), '')
    assert number == 3 and found.labelled.tolist() == [True, False]


def test_a_broken_gzip_file_is_reported_after_what_could_be_read(tmp_path):
    path = tmp_path / 'p.gz'
    write_person_lines(str(path), [person(person_id=f'a.jpg{index}') for index in range(3000)], NAMES)
    path.write_bytes(path.read_bytes()[:-2000])
    found = read_person_lines(str(path), 2)
    assert next(found)[1].person_id == 'a.jpg0'
    with pytest.raises(AnnotationError, match='p.gz: the gzip data are truncated'):
        list(found)


def test_a_failed_write_leaves_no_file(path):
    write_person_lines(path, [person()], NAMES)
    before = open(path, 'rb').read()
    with pytest.raises(AnnotationError, match='no persons to write'):
        write_person_lines(path, [], NAMES)
    for wrong in (
        person(image='a\0.jpg'),
        person(scale=-1.0),
        person(box_img=np.array([0, 0, np.nan, 1])),
        person(joints_img=np.zeros((3, 2)), labelled=np.ones(3, bool)),
    ):
        with pytest.raises(ValueError):
            write_person_lines(path, [person(), wrong], NAMES)
    assert open(path, 'rb').read() == before


def test_reading_and_writing_hold_one_person_at_a_time(tmp_path):
    path = str(tmp_path / 'many.jsonl.gz')
    tracemalloc.start()
    try:
        write_person_lines(path, (person(person_id=f'a.jpg{index}') for index in range(4000)), NAMES)
        assert sum(1 for _ in read_person_lines(path, 2)) == 4000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # 4,000 persons of a few arrays each would take more than 4 MB.
    assert peak < 1000000
