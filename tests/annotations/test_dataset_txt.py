"""dataset.txt: names and letters, malformed lines, and what a write and a read keep."""

import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hourglass_pose.annotations.dataset_txt import image_of, read_dataset_txt, write_dataset_txt
from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import AnnotationError


def read(path, content, num_joints=2):
    """Return what the reader yields for a file of these bytes or characters."""
    with open(str(path), 'wb') as stream:
        stream.write(content if isinstance(content, bytes) else content.encode('utf-8'))
    return list(read_dataset_txt(str(path), num_joints))


def person(
    person_id='a.jpgA', image='a.jpg', box=(0, 0, 9, 9), joints=((1, 2), (3, 4)), labelled=(True, True), source=0
):
    return Person(
        image,
        image,
        person_id,
        np.array(box, np.float64),
        np.array(joints, np.float32),
        np.array(labelled),
        source=source,
    )


def assert_same(a, b):
    assert (a.image, a.person_id) == (b.image, b.person_id)
    for field in ('box_img', 'joints_img', 'labelled'):
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
        assert getattr(a, field).dtype == getattr(b, field).dtype


@pytest.fixture
def path(tmpdir):
    return str(tmpdir.join('dataset.txt'))


def test_a_line_is_read_unchanged(path):
    ((line, found),) = read(path, 'im1.jpgB -3 0 20.5 1e1 -1 -1 7 8.25\n')
    assert line == 1 and (found.image, found.person_id) == ('im1.jpg', 'im1.jpgB')
    assert found.box_img.dtype == np.float64 and found.box_img.tolist() == [-3, 0, 20.5, 10]
    assert found.joints_img.dtype == np.float32 and found.joints_img.tolist() == [[0, 0], [7, 8.25]]
    assert found.labelled.dtype == bool and found.labelled.tolist() == [False, True]
    assert found.head_box_img is None


def test_the_image_is_opened_in_its_folder_without_the_letter(path):
    read(path, 'below/im1.jpgB 0 0 9 9 1 2 3 4')
    ((_, found),) = read_dataset_txt(path, 2, image_folder='photos', source=3)
    assert found.image_path == os.path.join('photos', 'below/im1.jpg') and found.source == 3


def test_a_joint_is_missing_only_where_both_coordinates_are_minus_one(path):
    ((_, found),) = read(path, 'a.jpg 0 0 9 9 -1 5 -1.0 -1.0')
    assert found.labelled.tolist() == [True, False] and found.joints_img.tolist() == [[-1, 5], [0, 0]]


@pytest.mark.parametrize(
    'name, image',
    [
        ('im0001.jpgA', 'im0001.jpg'),
        ('im0001.jpg', 'im0001.jpg'),
        ('IMG.JPG', 'IMG.JPG'),
        ('IMG.JPGA', 'IMG.JPG'),
        ('IMG.Jpg', 'IMG.Jpg'),
        ('a.jPgC', 'a.jPg'),
        ('a.jPG', 'a.jPG'),
        ('a.jpegZ', 'a.jpeg'),
        ('a.JPEGG', 'a.JPEG'),
        ('a.bmpAA', 'a.bmp'),
        ('a.pngZZ', 'a.png'),
        ('a.tifF', 'a.tif'),
        ('a.tiffF', 'a.tiff'),
        ('a.TIFF', 'a.TIFF'),
        ('a.TIFA', 'a.TIF'),
        ('a.webpA', 'a.webp'),
        ('a.jpgABC', 'a.jpgABC'),
        ('a.jpga', 'a.jpga'),
        ('a.jpg1', 'a.jpg1'),
        ('frameA', 'frameA'),
        ('A', 'A'),
        ('a.b.c.jpgA', 'a.b.c.jpg'),
        ('my photo.jpgA', 'my photo.jpg'),
        ('below/a.jpgA', 'below/a.jpg'),
    ],
)
def test_a_letter_follows_a_known_extension_only(name, image):
    assert image_of(name) == image


@pytest.mark.parametrize('name', ['my photo.jpgA', 'a  b.jpgB', '12 34.jpg', 'snímek 7.pngA', '照片.jpgA'])
def test_names_may_hold_spaces_and_any_script(path, name):
    ((_, found),) = read(path, f'{name} 0 0 9 9 1 2 3 4')
    assert found.person_id == name and found.box_img.tolist() == [0, 0, 9, 9]


def test_empty_lines_tabs_carriage_returns_and_a_byte_order_mark_are_skipped(path):
    content = b'\xef\xbb\xbfa.jpgA 0 0 9 9 1 2 3 4\r\n\r\n  \n\tb.jpgA\t0 0 9 9  1 2 3 4 \n'
    assert [(line, found.person_id) for line, found in read(path, content)] == [(1, 'a.jpgA'), (4, 'b.jpgA')]


@pytest.mark.parametrize(
    'line, problem',
    [
        ('a.jpgA 0 0 9 9 1 2 3', '7 numbers after the name; expected 8, 4 of the box and 2 of each of 2 joints'),
        ('a.jpgA', '0 numbers after the name; expected 8'),
        ('my photo.jpgA 1 2 3', '3 numbers after the name; expected 8'),
        ('frame 0 0 9 9 1 2', '6 numbers after the name; expected 8'),
        (
            'a.jpgA 0 0 9 9 1 2 3 4 5 6',
            '10 numbers after the name; expected 8, 4 of the box and 2 of each of 2 joints; 10 fit 3 joints',
        ),
        (
            'a.jpgA 0 0 9 9 1 2',
            '6 numbers after the name; expected 8, 4 of the box and 2 of each of 2 joints; 6 fit 1 joints',
        ),
        ('a.jpgA 0 0 9 9 1 2 3 x', "y2 is 'x'; expected a number"),
        ('a.jpgA 0 0 nine 9 1 2 3 4', "xmax is 'nine'; expected a number"),
        ('a.jpgA 0 0 9 9 1,2 2 3 4', "x1 is '1,2'; expected a number"),
        ('a.jpgA 0 0 9 9 1_0 2 3 4', "x1 is '1_0'; expected a number"),
        ('a.jpgA 0 0 9 9 nan 2 3 4', 'joint 1 is nan 2; expected pixels from -1000000 to 1000000'),
        ('a.jpgA 0 -inf 9 9 1 2 3 4', 'box is 0 -inf 9 9; expected pixels'),
        ('a.jpgA 0 0 9 1e39 1 2 3 4', 'box is 0 0 9 1e+39; expected pixels'),
        ('0 0 9 9 1 2 3 4', "no image name before the numbers, the line starts with '0'"),
        ('0 0 0 9 9 1 2 3 4', "no image name before the numbers, the line starts with '0'"),
        (b'b\xe4r.jpgA 0 0 9 9 1 2 3 4', 'byte 0xe4 in column 2 is not UTF-8 text; save the file as UTF-8'),
        ('a.jpgA 0 0 9 9 1 2 3 4'.encode('utf-16-le'), 'a NUL byte in column 2; expected a text file'),
    ],
)
def test_a_malformed_line_is_named_and_the_next_is_read(path, line, problem):
    line = line if isinstance(line, bytes) else line.encode()
    good = b'b.jpg 0 0 9 9 1 2 3 4'
    (_, first), (number, error), (last, after) = read(path, b'\n'.join([good, line, good]))
    assert (number, last) == (2, 3) and first.person_id == after.person_id == 'b.jpg'
    assert isinstance(error, AnnotationError)
    assert str(error).startswith(f'{path}:2: {problem}')
    assert '\n' not in str(error)


@settings(max_examples=200, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(['a.jpgA', '1', '-1', '2.5', 'x', 'nan', '1e999', ' ', '\n', '\0', 'é', '_']), max_size=30
        ).map(' '.join),
    )
)
def test_any_file_gives_valid_persons_or_named_problems(tmpdir_factory, content):
    try:
        lines = read(tmpdir_factory.getbasetemp().join('any.txt'), content)
    except AnnotationError:
        # Only damaged gzip data make a whole file unreadable.
        assert content[:2] == b'\x1f\x8b'
        return
    for _, found in lines:
        if not isinstance(found, AnnotationError):
            assert np.isfinite(found.box_img).all() and np.isfinite(found.joints_img).all()
            assert found.joints_img.shape == (2, 2) and found.person_id.startswith(found.image)


def test_a_file_that_cannot_be_opened_is_an_annotation_error(tmpdir):
    with pytest.raises(AnnotationError, match='cannot be read'):
        list(read_dataset_txt(str(tmpdir.join('none.txt')), 2))


PIXEL = st.integers(-3000, 9000)
NAME = st.tuples(
    st.text(alphabet='aZ09 ._-é照', min_size=1, max_size=12).filter(lambda text: text == text.strip()),
    st.sampled_from(['.jpg', '.JPG', '.png', '.tif', '.jpeg']),
).map(''.join)


@st.composite
def integer_persons(draw):
    num_joints = draw(st.integers(1, 4))
    persons = []
    for image in draw(st.lists(NAME, min_size=1, max_size=5)):
        labelled = np.array(draw(st.lists(st.booleans(), min_size=num_joints, max_size=num_joints)))
        joints = np.array(
            draw(
                st.lists(
                    st.tuples(PIXEL, PIXEL).filter(lambda joint: joint != (-1, -1)),
                    min_size=num_joints,
                    max_size=num_joints,
                )
            ),
            np.float32,
        )
        joints[~labelled] = 0
        letters = draw(st.sampled_from(['', 'A', 'B', 'Z', 'AA', 'QZ']))
        persons.append(person(image + letters, image, draw(st.tuples(*[PIXEL] * 4)), joints, labelled))
    return persons


@settings(max_examples=100, deadline=None)
@given(persons=integer_persons())
def test_reading_what_was_written_gives_the_same_integer_persons(tmpdir_factory, persons):
    path = str(tmpdir_factory.getbasetemp().join('round_trip.txt'))
    assert write_dataset_txt(path, iter(persons)) == len(persons)
    found = [found for _, found in read_dataset_txt(path, len(persons[0].labelled))]
    assert len(found) == len(persons)
    for a, b in zip(persons, found):
        assert_same(a, b)


def test_decimals_are_rounded_to_the_nearest_integer(path):
    write_dataset_txt(path, [person(box=(0.4, 0.6, 9.2, 9.9), joints=((1.4, 1.6), (-0.4, -7.7)))])
    assert open(path).read() == 'a.jpgA 0 1 9 10 1 2 0 -8\n'


def test_a_labelled_joint_at_the_mark_of_a_missing_one_stays_labelled(path):
    write_dataset_txt(path, [person(joints=((-0.9, -1.2), (0, 0)), labelled=(True, False))])
    ((_, found),) = read_dataset_txt(path, 2)
    assert found.labelled.tolist() == [True, False] and found.joints_img[0].tolist() == [0, -1]


def test_more_than_26_persons_of_an_image_get_names_that_are_read_back(path):
    write_dataset_txt(path, (person(str(turn), image) for turn in range(60) for image in ('a.jpg', 'b.png')))
    found = [found for _, found in read_dataset_txt(path, 2)]
    assert [one.image for one in found] == ['a.jpg', 'b.png'] * 60
    assert len({one.person_id for one in found}) == 120
    assert [one.person_id for one in found[::2]][:28:9] == ['a.jpgA', 'a.jpgJ', 'a.jpgS', 'a.jpgAB']


def test_letters_that_would_make_another_extension_are_not_used(path):
    write_dataset_txt(path, (person(f'{index}', 'a.TIF') for index in range(702 - 27)))
    assert {found.image for _, found in read_dataset_txt(path, 2)} == {'a.TIF'}
    with pytest.raises(AnnotationError, match='no letter for another person'):
        write_dataset_txt(path, (person(f'{index}', 'a.TIF') for index in range(702 - 26)))


@pytest.mark.parametrize('image', ['a\nb.jpg', ' a.jpg', 'frame 7', '7', 'a\0.jpg', '', '\ud800.jpg'])
def test_a_name_that_would_not_be_read_back_is_refused(path, image):
    with pytest.raises(AnnotationError):
        write_dataset_txt(path, [person(image, image)])
    assert os.listdir(os.path.dirname(path)) == []


@pytest.mark.parametrize(
    'second',
    [
        person('b.jpg', 'b.jpg', source=1),
        person('b.jpg', 'b.jpg', joints=((1, 2),), labelled=(True,)),
        person('b.jpg', 'b.jpg', joints=((1, np.nan), (3, 4))),
        person('b.jpg', 'b.jpg', box=(0, 0, np.inf, 9)),
    ],
)
def test_persons_that_the_format_cannot_hold_are_refused(path, second):
    with pytest.raises(ValueError, match='b.jpg'):
        write_dataset_txt(path, [person(), second])


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(path):
    def failing():
        yield person('new.jpg', 'new.jpg')
        raise RuntimeError('stopped')

    write_dataset_txt(path, [person()])
    before = open(path).read()
    with pytest.raises(RuntimeError, match='stopped'):
        write_dataset_txt(path, failing())
    with pytest.raises(AnnotationError, match='no persons to write'):
        write_dataset_txt(path, [])
    assert open(path).read() == before and os.listdir(os.path.dirname(path)) == ['dataset.txt']


def test_an_unwritable_path_is_an_annotation_error(tmpdir):
    with pytest.raises(AnnotationError, match='cannot be written'):
        write_dataset_txt(str(tmpdir.join('none', 'dataset.txt')), [person()])


def test_line_ends_of_every_system_part_the_lines(path):
    lines = ['a.jpgA 0 0 9 9 1 2 3 4', '', 'b.jpgA 0 0 9 9 1 2 3 4']
    for end in ('\n', '\r\n', '\r'):
        found = read(path, end.join(lines))
        assert [(line, one.person_id) for line, one in found] == [(1, 'a.jpgA'), (3, 'b.jpgA')]


def test_memory_does_not_grow_with_the_file(tmpdir):
    def peak(count):
        path = str(tmpdir.join(f'{count}.txt'))
        tracemalloc.start()
        write_dataset_txt(path, (person(f'{index}.jpgA', f'{index}.jpg') for index in range(count)))
        assert sum(1 for _ in read_dataset_txt(path, 2)) == count
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(10)
    assert peak(3000) < peak(300) + 20000
