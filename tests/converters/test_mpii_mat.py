"""The official .mat: every oddity of it read, every number converted once, other files refused."""

import numpy as np
import pytest
import scipy.io

from hourglass_pose.annotations.checking import MALFORMED, Skipped
from hourglass_pose.converters.matlab_check import check_matlab_file
from hourglass_pose.converters.mpii import read_mpii
from hourglass_pose.converters.mpii_mat import read_mpii_mat
from hourglass_pose.errors import AnnotationError
from mpii_mat import EMPTY, point_of, random_images, rectangle_of, struct_array, write_mpii_mat


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / 'mpii.mat')


def read(path, *images, **settings):
    write_mpii_mat(path, images)
    return list(read_mpii_mat(path, **settings))


def test_every_person_of_a_file_with_all_oddities_is_found_with_its_numbers(path, rng):
    images, expected = random_images(rng, 120)
    found = read(path, *images)
    assert len(found) == len(expected) > 120 and None in expected
    for person, truth in zip(found, expected):
        assert isinstance(person, Skipped) == (truth is None)
        if truth is None:
            continue
        assert (person.image, person.person_index) == (truth['name'], truth['index'])
        assert person.person_id == truth['name'] + 'ABCD'[truth['index']]
        assert person.split == (None if truth['training'] else 'test')
        assert sorted(truth['joints']) == np.flatnonzero(person.labelled).tolist()
        for joint, (x, y, visible) in truth['joints'].items():
            # The file counts from 1.
            np.testing.assert_array_equal(person.joints_img[joint], np.float32([x - 1, y - 1]))
            assert person.visible[joint] == visible
        assert not person.joints_img[~person.labelled].any() and not person.visible[~person.labelled].any()
        for ours, theirs in ((person.centre_img, truth['centre']), (person.head_box_img, truth['head'])):
            assert (ours is None) == (theirs is None)
            if theirs is not None:
                np.testing.assert_array_equal(ours, np.array(theirs) - 1)
        assert person.scale == truth['scale']


def test_a_file_is_recognised_by_content_not_by_name(tmp_path):
    path = str(tmp_path / 'people.json')
    write_mpii_mat(f'{path}.mat', [('a.jpg', True, [rectangle_of([point_of(5, 6, 9)])])])
    (tmp_path / 'people.json.mat').rename(path)
    (person,) = read_mpii(path)
    assert person.joints_img[9].tolist() == [4, 5] and person.labelled.sum() == 1 and person.centre_img is None


def test_points_without_values_are_ignored(path):
    points = [point_of(5, 6, 9), point_of(7, 8, 16), {'x': EMPTY, 'y': np.array([[3.0]]), 'id': np.array([[1]])}]
    (person,) = read(path, ('a.jpg', True, [rectangle_of(points)]))
    assert np.flatnonzero(person.labelled).tolist() == [9]


def test_an_annopoints_with_an_empty_point_has_no_joint(path):
    record = dict(rectangle_of(None, (9.0, 9.0), 1.0), annopoints=struct_array([{'point': EMPTY}]))
    assert read(path, ('a.jpg', True, [record])) == [Skipped('no labelled joint')]


def test_boxes_are_tight_around_joints_or_as_high_as_the_person(path):
    record = rectangle_of([point_of(5, 6, 9), point_of(25, 46, 0)], (101.0, 51.0), 0.5)
    # A test person has no joints to put a box around.
    images = ('a.jpg', True, [record]), ('b.jpg', False, [rectangle_of(None, (101.0, 51.0), 0.5)])
    square = [100 - 49.5, 50 - 49.5, 100 + 49.5, 50 + 49.5]
    assert [person.box_img.tolist() for person in read(path, *images)] == [[4, 5, 24, 45], square]
    assert [person.box_img.tolist() for person in read(path, *images, boxes='centre_scale')] == [square, square]


def test_an_invalid_scale_counts_as_missing(path):
    for scale in (0.0, -1.0, float('nan')):
        (person,) = read(path, ('a.jpg', True, [rectangle_of([point_of(5, 6, 9)], (9.0, 9.0), scale)]))
        assert person.scale is None and person.centre_img is None


def test_other_matlab_files_are_refused(path, tmp_path):
    for content, message in (
        ({'preds': np.zeros((2, 16, 2))}, 'no RELEASE with annolist'),
        ({'RELEASE': struct_array([{'annolist': struct_array([{'image': EMPTY}])}])}, 'no RELEASE with annolist'),
        (
            {
                'RELEASE': struct_array(
                    [{'annolist': struct_array([{'image': EMPTY, 'annorect': EMPTY}]), 'img_train': np.ones((1, 2))}]
                )
            },
            '1 images in annolist and 2 in img_train',
        ),
    ):
        scipy.io.savemat(path, content)
        with pytest.raises(AnnotationError, match=f'mpii.mat: {message}'):
            list(read_mpii_mat(path))
    write_mpii_mat(path, [('', True, [rectangle_of([point_of(5, 6, 9)])])])
    (skipped,) = read_mpii_mat(path)
    assert skipped.reason == MALFORMED and 'image 1, person 1: the image has persons but no name' in skipped.detail


def test_a_damaged_file_is_reported(path, rng):
    write_mpii_mat(path, random_images(rng, 20)[0])
    with open(path, 'rb') as stream:
        content = stream.read()
    with open(path, 'wb') as stream:
        stream.write(content[: len(content) // 2])
    with pytest.raises(AnnotationError, match='mpii.mat: .*(damaged|cannot be read)'):
        list(read_mpii_mat(path))


def test_numbers_that_are_missing_are_reported_before_scipy_crashes_on_them(path):
    scipy.io.savemat(path, {'RELEASE': np.ones((2, 3)), 'other': np.ones((2, 3))})
    with open(path, 'rb') as stream:
        content = bytearray(stream.read())
    assert content[144] == 6 and content[145] == 0
    content[145] = 8  # The flag of complex numbers, without imaginary parts.
    with open(path, 'wb') as stream:
        stream.write(content)
    with pytest.raises(AnnotationError, match='an array without its numbers'):
        list(read_mpii_mat(path))


def test_complex_numbers_are_no_damage(path):
    scipy.io.savemat(path, {'RELEASE': np.ones((2, 3)) * 1j})
    check_matlab_file(path)
