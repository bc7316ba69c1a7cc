"""Annotation sets: the checks of all formats, strict and skip, several files."""

import gzip
import os

import cv2
import numpy as np
import pytest

from hourglass_pose.annotations.checking import problem_in_image
from hourglass_pose.annotations.dataset_txt import write_dataset_txt
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_lines import write_person_lines
from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.errors import AnnotationError

GOOD = '10 5 30 45 12 7 25 40'


class Folder:
    """A folder of 40 x 50 pixel images and an annotation file of two joints."""

    def __init__(self, root, images=('a.jpg', 'b.jpg', 'c.jpg')):
        self.images = str(root.join('images'))
        self.file = str(root.join('dataset.txt'))
        os.makedirs(self.images)
        for name in images:
            cv2.imwrite(os.path.join(self.images, name), np.zeros((50, 40, 3), np.uint8))

    def read(self, *lines, **settings):
        with open(self.file, 'w') as stream:
            stream.write('\n'.join(lines) + '\n')
        return read_annotations(self.file, self.images, 2, **settings)

    def only_problem(self, *lines, **settings):
        """Return the one problem of the lines, without its prefix, after checking that the other persons are kept."""
        good = 'c.jpg ' + GOOD
        found = self.read(*(lines + (good,)), on_error='skip', **settings)
        assert [person.person_id for person in found.persons][-1] == 'c.jpg'
        assert len(found.problems) == 1 and len(found.persons) == len(lines)
        with pytest.raises(AnnotationError, match='1 problem in'):
            self.read(*(lines + (good,)), **settings)
        prefix = f'{self.file}:{len(lines)}: '
        assert found.problems[0].startswith(prefix)
        return found.problems[0][len(prefix) :]


@pytest.fixture
def folder(tmpdir):
    return Folder(tmpdir)


def test_a_good_file_gives_every_person_in_order(folder):
    found = folder.read('b.jpgA ' + GOOD, 'a.jpg ' + GOOD, 'b.jpgB ' + GOOD)
    assert [person.person_id for person in found.persons] == ['b.jpgA', 'a.jpg', 'b.jpgB']
    assert [person.image for person in found.persons] == ['b.jpg', 'a.jpg', 'b.jpg']
    assert found.persons[0].image_path == os.path.join(folder.images, 'b.jpg')
    assert found.problems == () and found.sources == ((folder.file, folder.images),)
    assert found.describe() == '3 persons in 2 images from 1 file, 0 problems'


@pytest.mark.parametrize(
    'line, problem',
    [
        ('a.jpg 30 5 10 45 12 7 25 40', 'the box 30 5 10 45 ends before it starts'),
        ('a.jpg 10 45 30 5 12 7 25 40', 'the box 10 45 30 5 ends before it starts'),
        ('a.jpg -30 5 -1 45 12 7 25 40', 'the box -30 5 -1 45 lies outside the image'),
        ('a.jpg 10 5 30 45 -1 -1 -1 -1', 'all 2 joints are missing; expected at least one'),
        ('a.jpg 10 5 30 45 12 7 25', '7 numbers after the name; expected 8'),
    ],
)
def test_a_bad_person_is_named_with_its_line(folder, line, problem):
    assert folder.only_problem(line).startswith(problem)


def test_a_missing_image_is_named_with_its_whole_path(folder):
    path = os.path.join(folder.images, 'z.jpg')
    assert folder.only_problem('z.jpgA ' + GOOD) == 'there is no image ' + path


@pytest.mark.parametrize('written, there', [('x.jpg', 'x.JPG'), ('X.jpg', 'x.jpg'), ('x.png', 'x.jpg')])
def test_the_nearest_file_name_is_offered_for_a_missing_image(tmpdir, written, there):
    folder = Folder(tmpdir, images=('c.jpg', there))
    if os.path.exists(os.path.join(folder.images, written)):
        pytest.skip('this file system ignores case')
    assert folder.only_problem(f'{written}A {GOOD}').endswith(f'; did you mean {there}')


def test_an_image_that_opens_exists_in_any_spelling_of_the_listing(folder, monkeypatch):
    monkeypatch.setattr(os, 'listdir', lambda folder: ['A.JPG'])
    assert not folder.read('a.jpg ' + GOOD).problems


def test_images_in_folders_below_the_image_folder_are_found(folder):
    os.makedirs(os.path.join(folder.images, 'below'))
    os.rename(os.path.join(folder.images, 'a.jpg'), os.path.join(folder.images, 'below', 'a.jpg'))
    assert folder.read('below/a.jpgA ' + GOOD).persons[0].image == 'below/a.jpg'


def test_a_name_that_occurs_twice_is_a_problem_of_the_second_line(folder):
    problem = folder.only_problem('a.jpgA ' + GOOD, 'b.jpgA ' + GOOD, 'a.jpgA ' + GOOD)
    assert problem.startswith("'a.jpgA' is also the name in line 1")


def test_strict_reads_everything_and_lists_the_first_ten_problems(folder):
    lines = ['a.jpg ' + GOOD] + ['b.jpg 1 2 3'] * 11 + ['c.jpg ' + GOOD]
    with pytest.raises(AnnotationError) as caught:
        folder.read(*lines)
    message = str(caught.value).splitlines()
    assert message[0] == '11 problems in the annotations, the first 10:'
    assert [line.split(':')[1] for line in message[1:-1]] == [str(number) for number in range(2, 12)]
    assert message[-1] == ("correct them, or continue with the other 2 persons by DataSetHG.on_bad_annotation='skip'")


def test_skip_that_leaves_no_person_is_an_error(folder):
    with pytest.raises(AnnotationError, match='no person is left'):
        folder.read('a.jpg 1 2 3', on_error='skip')


@pytest.mark.parametrize('on_error', ['strict', 'skip'])
@pytest.mark.parametrize('content', ['', '\n  \n\r\n'])
def test_an_empty_file_has_no_persons(folder, content, on_error):
    with pytest.raises(AnnotationError, match='dataset.txt: no persons; expected one line for each'):
        folder.read(content, on_error=on_error)


def test_a_missing_annotation_file_is_named_by_its_absolute_path(folder, monkeypatch):
    monkeypatch.chdir(folder.images)
    with pytest.raises(AnnotationError) as caught:
        read_annotations('none.txt', folder.images, 2)
    assert os.path.join(folder.images, 'none.txt') in str(caught.value)
    assert 'training_txt_file' in str(caught.value)


def test_a_missing_image_folder_is_named_by_its_absolute_path(folder, monkeypatch):
    folder.read('a.jpg ' + GOOD)
    monkeypatch.chdir(folder.images)
    with pytest.raises(AnnotationError) as caught:
        read_annotations(folder.file, 'none', 2)
    assert os.path.join(folder.images, 'none') in str(caught.value)
    assert 'img_directory' in str(caught.value)


def test_a_folder_is_no_annotation_file_and_a_file_no_folder(folder):
    folder.read('a.jpg ' + GOOD)
    with pytest.raises(AnnotationError, match='no annotation file at'):
        read_annotations(folder.images, folder.images, 2)
    with pytest.raises(AnnotationError, match='no folder of images at'):
        read_annotations(folder.file, folder.file, 2)


@pytest.mark.parametrize(
    'files, folders, found',
    [(('x.txt', 'y.txt'), ('x',), r'2 annotation file.s. and 1 folder'), ((), (), '0 annotation file')],
)
def test_each_annotation_file_needs_one_image_folder(files, folders, found):
    with pytest.raises(AnnotationError, match=found):
        read_annotations(files, folders, 2)


@pytest.mark.parametrize(
    'start, what',
    [
        (b'MATLAB 5.0 MAT-file, Platform: GLNX', 'a MATLAB file'),
        (b'\x89HDF\r\n\x1a\n', 'an HDF5 file'),
        (b'[{"img_paths": "a.jpg"}]', 'JSON'),
        (b'[\n  {', 'JSON'),
        (b'{"images": []}', 'JSON'),
        (gzip.compress(b'[{"img_paths": "a.jpg"}]'), 'JSON'),
    ],
    # A packed file holds the time, and every process of a test run has to give a test the same name.
    ids=['matlab', 'hdf5', 'list', 'lines', 'dictionary', 'packed'],
)
def test_a_file_that_needs_prepare_is_recognised_by_its_content(tmpdir, start, what):
    path = tmpdir.join('people.txt')
    path.write_binary(start)
    with pytest.raises(AnnotationError, match=f'people.txt: this is {what}; .* prepare'):
        read_annotations(str(path), str(tmpdir), 2)


@pytest.mark.parametrize('name', ['people.txt', 'people.jsonl', 'people'])
def test_the_format_follows_from_the_content_not_from_the_name(folder, name):
    (expected,) = folder.read('a.jpgA 3 4 20 30 5 6 7 8').persons
    path = os.path.join(folder.images, name)
    for write in (write_dataset_txt, lambda path, persons: write_person_lines(path, persons, ('head', 'neck'))):
        write(path, [expected])
        (found,) = read_annotations(path, folder.images, 2).persons
        assert found.person_id == 'a.jpgA' and found.joints_img.tolist() == [[5, 6], [7, 8]]


def test_a_person_of_a_test_split_needs_no_joint(folder):
    path = os.path.join(folder.images, 'people.jsonl')
    for split, problems in (('test', 0), ('valid', 1)):
        persons = [
            Person(
                'a.jpg',
                'a.jpg',
                'a.jpg' + letter,
                np.array([0.0, 0, 9, 9]),
                np.zeros((2, 2), np.float32),
                np.array([letter == 'B'] * 2),
                split=split,
            )
            for letter in 'AB'
        ]
        write_person_lines(path, persons, ('head', 'neck'))
        assert len(read_annotations(path, folder.images, 2, on_error='skip').problems) == problems


def test_persons_of_one_name_in_several_files_differ_by_source(tmpdir):
    folders = [Folder(tmpdir.mkdir(name)) for name in ('one', 'two')]
    folders[0].read('a.jpgA ' + GOOD)
    folders[1].read('a.jpgA ' + GOOD, 'b.jpgA ' + GOOD)
    found = read_annotations([folder.file for folder in folders], [folder.images for folder in folders], 2)
    assert [(person.source, person.person_id) for person in found.persons] == [
        (0, 'a.jpgA'),
        (1, 'a.jpgA'),
        (1, 'b.jpgA'),
    ]
    assert found.persons[1].image_path == os.path.join(folders[1].images, 'a.jpg')
    assert found.describe() == '3 persons in 3 images from 2 files, 0 problems'


def test_one_empty_file_of_two_is_a_problem_that_skip_ignores(tmpdir):
    folders = [Folder(tmpdir.mkdir(name)) for name in ('one', 'two')]
    folders[0].read('a.jpgA ' + GOOD)
    open(folders[1].file, 'w').close()
    paths = [folder.file for folder in folders], [folder.images for folder in folders]
    found = read_annotations(*paths, num_joints=2, on_error='skip')
    assert len(found.persons) == 1 and found.problems[0].startswith(folders[1].file + ': no persons')
    assert found.describe() == '1 person in 1 image from 2 files, 1 problem'


@pytest.mark.parametrize(
    'box, fits',
    [
        ((39, 49, 99, 99), True),
        ((40, 0, 99, 99), False),
        ((0, 50, 99, 99), False),
        ((-9, -9, 0, 0), True),
        ((-9, 0, -1, 9), False),
        ((0, -9, 9, -1), False),
    ],
)
def test_a_box_has_to_share_a_pixel_with_its_image(box, fits):
    person = Person('a', 'a', 'a', np.array(box, float), np.zeros((1, 2), np.float32), np.array([True]))
    assert (problem_in_image(person, 40, 50) is None) == fits


@pytest.mark.parametrize(
    'joint, labelled, fits',
    [
        ((-40, -50), True, True),
        ((79, 99), True, True),
        ((-41, 0), True, False),
        ((0, -51), True, False),
        ((80, 0), True, False),
        ((0, 100), True, False),
        ((0, 100), False, True),
    ],
)
def test_a_joint_may_be_outside_by_at_most_the_image_size(joint, labelled, fits):
    person = Person('a', 'a', 'a', np.array([0.0, 0, 9, 9]), np.array([joint], np.float32), np.array([labelled]))
    assert (problem_in_image(person, 40, 50) is None) == fits


def test_another_policy_is_refused(folder):
    with pytest.raises(ValueError, match='on_error'):
        folder.read('a.jpg ' + GOOD, on_error='ignore')
