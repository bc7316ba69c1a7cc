"""Synthetic data sets on disk: what is written, reused, rendered again and refused."""

import hashlib
import json
import os
import shutil

import cv2
import numpy as np
import pytest

from hourglass_pose.errors import UserError
from hourglass_pose.synthetic.dataset import annotation_line, dataset_folder, write_synthetic_dataset
from hourglass_pose.synthetic.scenes import render_image

COUNT, SEED = 12, 3


def digests(folder):
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, 'rb') as file:
                found[os.path.relpath(path, folder)] = hashlib.sha256(file.read()).hexdigest()
    return found


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('whole'))
    write_synthetic_dataset(folder, COUNT, SEED)
    return folder


def test_every_line_holds_the_rendered_integers(whole):
    with open(os.path.join(whole, 'dataset.txt')) as file:
        lines = [line.split() for line in file]
    expected = []
    for index in range(COUNT):
        _, persons = render_image(SEED, index)
        for letter, person in zip('AB', persons):
            joints = [
                int(round(float(value))) if labelled else -1
                for point, labelled in zip(person.joints_img, person.labelled)
                for value in point
            ]
            numbers = [int(value) for value in person.box_img] + joints
            expected.append([f'{index + 1:06d}.jpg{letter}'] + [str(number) for number in numbers])
    assert lines == expected
    assert all(len(line) == 1 + 4 + 32 for line in lines)


def test_joints_outside_the_image_are_written_as_minus_one():
    outside = next(
        index for index in range(400) if not all(person.labelled.all() for person in render_image(SEED, index)[1])
    )
    person = next(person for person in render_image(SEED, outside)[1] if not person.labelled.all())
    numbers = np.array(annotation_line('x.jpg', 'A', person).split()[5:], int).reshape(16, 2)
    assert (numbers[~person.labelled] == -1).all()
    assert (numbers[person.labelled] >= 0).all()


def test_the_jpeg_files_show_the_rendered_images(whole):
    names = sorted(os.listdir(os.path.join(whole, 'images')))
    assert names == [f'{index + 1:06d}.jpg' for index in range(COUNT)]
    for index, name in enumerate(names):
        image = cv2.imread(os.path.join(whole, 'images', name))[..., ::-1]
        rendered, _ = render_image(SEED, index)
        assert image.shape == rendered.shape
        # Swapped channels or another image would differ by tens of levels.
        assert np.abs(image.astype(int) - rendered).mean() < 6


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(whole, tmp_path):
    write_synthetic_dataset(str(tmp_path), COUNT, SEED, workers=2)
    assert digests(str(tmp_path)) == digests(whole)


def test_a_complete_data_set_is_left_as_it_is(whole):
    before = {name: os.stat(os.path.join(whole, name)).st_mtime_ns for name in digests(whole)}
    path = write_synthetic_dataset(whole, COUNT, SEED, progress=lambda items: pytest.fail('rendered again'))
    assert path == os.path.join(whole, 'dataset.txt')
    assert {name: os.stat(os.path.join(whole, name)).st_mtime_ns for name in digests(whole)} == before


def test_an_interrupted_rendering_leaves_no_annotations_and_is_rendered_again(whole, tmp_path):
    def stop(items):
        for item in items:
            if item == 5:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        write_synthetic_dataset(str(tmp_path), COUNT, SEED, progress=stop)
    assert not os.path.exists(str(tmp_path / 'dataset.txt'))
    write_synthetic_dataset(str(tmp_path), COUNT, SEED)
    assert digests(str(tmp_path)) == digests(whole)


def test_a_missing_image_is_noticed(whole, tmp_path):
    write_synthetic_dataset(str(tmp_path), COUNT, SEED)
    os.remove(str(tmp_path / 'images' / '000004.jpg'))
    write_synthetic_dataset(str(tmp_path), COUNT, SEED)
    assert digests(str(tmp_path)) == digests(whole)


@pytest.mark.parametrize('change', [{'seed': 4}, {'num_images': 5}, {'drawing_version': -1}])
def test_a_data_set_of_other_settings_is_replaced_without_leftovers(whole, tmp_path, change):
    settings = dict({'num_images': COUNT, 'seed': SEED}, **change)
    write_synthetic_dataset(str(tmp_path), settings['num_images'], settings['seed'])
    if 'drawing_version' in change:
        record = str(tmp_path / 'synthetic.json')
        with open(record) as file:
            content = dict(json.load(file), **change)
        with open(record, 'w') as file:
            json.dump(content, file)
    write_synthetic_dataset(str(tmp_path), COUNT, SEED)
    assert digests(str(tmp_path)) == digests(whole)


def test_deleted_images_are_rendered_again(whole, tmp_path):
    write_synthetic_dataset(str(tmp_path), COUNT, SEED)
    shutil.rmtree(str(tmp_path / 'images'))
    write_synthetic_dataset(str(tmp_path), COUNT, SEED)
    assert digests(str(tmp_path)) == digests(whole)


def test_every_count_and_seed_has_a_folder_of_its_own():
    folders = {dataset_folder('runs', count, seed) for count in (5, 50) for seed in (0, 1)}
    assert len(folders) == 4 and all(os.path.dirname(folder) == 'runs' for folder in folders)
    assert dataset_folder('runs', 5) in folders


def test_progress_goes_over_every_image(tmp_path):
    seen = []

    def watch(items):
        seen.append(len(items))
        for item in items:
            yield item
            seen.append(len(os.listdir(str(tmp_path / 'images'))))

    write_synthetic_dataset(str(tmp_path), 3, SEED, progress=watch)
    assert seen == [3, 1, 2, 3]


def test_a_data_set_of_someone_else_is_refused_and_kept(tmp_path):
    (tmp_path / 'dataset.txt').write_text('photo.jpgA 0 0 1 1\n')
    with pytest.raises(UserError, match='not rendered by this program') as error:
        write_synthetic_dataset(str(tmp_path), 2, SEED)
    assert '\n' not in str(error.value) and str(tmp_path) in str(error.value)
    assert (tmp_path / 'dataset.txt').read_text() == 'photo.jpgA 0 0 1 1\n'


def test_a_folder_that_cannot_be_made_is_one_line_for_the_user(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot write .*file.*choose another folder') as error:
        write_synthetic_dataset(str(tmp_path / 'file' / 'people'), 2, SEED)
    assert '\n' not in str(error.value)


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs the device that is always full')
def test_a_full_disk_is_one_line_for_the_user_and_leaves_no_annotations(tmp_path):
    def fill_the_disk(items):
        (tmp_path / 'images' / '000002.jpg').symlink_to('/dev/full')
        return items

    with pytest.raises(UserError, match='No space left on device') as error:
        write_synthetic_dataset(str(tmp_path), 2, SEED, progress=fill_the_disk)
    assert '\n' not in str(error.value) and str(tmp_path) in str(error.value)
    assert not (tmp_path / 'dataset.txt').exists()


@pytest.mark.parametrize('num_images, seed', [(0, 1), (3, -1), (3, 2**32)])
def test_impossible_numbers_are_refused_before_anything_is_written(tmp_path, num_images, seed):
    with pytest.raises(ValueError):
        write_synthetic_dataset(str(tmp_path / 'people'), num_images, seed)
    assert not (tmp_path / 'people').exists()
