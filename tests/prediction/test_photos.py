"""Photos of a prediction: which files of the given paths they are, and their order."""

import os

import cv2
import numpy as np
import pytest

from exported_models import SIZE, write_exported
from hourglass_pose.errors import ImageError, UserError
from hourglass_pose.images import IMAGE_EXTENSIONS
from hourglass_pose.prediction.photos import find_in_photos, find_photos, predict_photos
from hourglass_pose.prediction.predictor import Predictor


def written(folder, *names):
    """Write files without content and return their paths."""
    for name in names:
        (folder / name).write_bytes(b'')
    return [str(folder / name) for name in names]


def test_a_folder_gives_its_photos_sorted_without_those_of_subfolders(tmp_path):
    photos = written(tmp_path, *(f'{number}{extension}' for number, extension in enumerate(IMAGE_EXTENSIONS)))
    photos += written(tmp_path, 'a.JPG')
    written(tmp_path, 'notes.txt', '.hidden.jpg', 'd')
    (tmp_path / 'below.jpg').mkdir()
    written(tmp_path / 'below.jpg', 'e.jpg')
    assert find_photos([str(tmp_path)])[0] == photos


def test_files_of_any_name_are_taken_once_in_the_given_order(tmp_path):
    z, a = written(tmp_path, 'z', 'a.jpg')
    assert find_photos([z, str(tmp_path), a, z])[0] == [z, a]


def test_a_missing_path_is_named(tmp_path):
    path = str(tmp_path / 'none')
    with pytest.raises(ImageError, match=f'{path}: no such file or folder'):
        find_photos([path])


def test_no_paths_are_an_error():
    with pytest.raises(ImageError, match='no images given'):
        find_photos([])


def test_other_files_in_a_folder_are_reported(tmp_path):
    written(tmp_path, 'me.png', 'you.jpg')
    (tmp_path / 'IMG_1.HEIC').write_bytes(b'\x00\x00\x00\x18ftypheic' + bytes(20))
    (tmp_path / 'anim.gif').write_bytes(b'GIF89a' + bytes(20))
    (tmp_path / 'clip.mp4').write_bytes(b'\x00\x00\x00\x18ftypisom' + bytes(20))
    for index in range(5):
        (tmp_path / f'note{index}.txt').write_text('text')
    (tmp_path / '.hidden').write_text('')
    found, (note,) = find_photos([str(tmp_path)])
    assert [os.path.basename(path) for path in found] == ['me.png', 'you.jpg']
    for part in ('HEIC', 'IMG_1.HEIC', 'GIF', 'anim.gif', 'video', 'clip.mp4', 'note0.txt', '2 more'):
        assert part in note
    assert '.hidden' not in note and str(tmp_path) in note


def test_a_folder_without_photos_is_described(tmp_path):
    (tmp_path / 'IMG_1.HEIC').write_bytes(b'\x00\x00\x00\x18ftypheic' + bytes(20))
    with pytest.raises(ImageError, match=f'{tmp_path}: no photos .* IMG_1.HEIC'):
        find_photos([str(tmp_path)])


@pytest.mark.parametrize('batch', [1, 4])
def test_photos_come_in_their_order_regardless_of_reading_order(tmp_path, rng, batch):
    paths = []
    for index in range(9):
        paths.append(str(tmp_path / f'{index}.png'))
        size = 400 if index % 3 == 0 else SIZE
        cv2.imwrite(paths[-1], rng.randint(0, 256, (size, size, 3)).astype(np.uint8))
    paths.insert(4, str(tmp_path / 'none.png'))
    with Predictor(write_exported(str(tmp_path / 'm.onnx'), batch)) as predictor:
        found = list(predict_photos(predictor, paths, lambda path: [(0, 0, 20, 20), None]))
        assert [photo.path for photo in found] == paths
        assert [photo.problem is not None for photo in found] == [index == 4 for index in range(10)]
        for photo in found[:4] + found[5:]:
            alone = predictor.predict_boxes(photo.path, [(0, 0, 20, 20), None])
            assert len(photo.poses) == 2
            for together, single in zip(photo.poses, alone):
                assert np.array_equal(together.joints_img, single.joints_img)


def test_a_network_that_fails_on_a_photo_does_not_cost_the_others(tmp_path, rng, monkeypatch):
    paths = [str(tmp_path / f'{index}.png') for index in range(3)]
    for path in paths:
        cv2.imwrite(path, rng.randint(0, 256, (SIZE, SIZE, 3)).astype(np.uint8))
    with Predictor(write_exported(str(tmp_path / 'm.onnx'), 1)) as predictor:
        for method, predict in (
            ('poses_of', lambda: predict_photos(predictor, paths)),
            ('find', lambda: find_in_photos(predictor, paths)),
        ):
            calls, original = [], getattr(predictor, method)

            def failing(*arguments, calls=calls, original=original):
                calls.append(arguments)
                if len(calls) == 2:
                    raise UserError('out of memory')
                return original(*arguments)

            with monkeypatch.context() as patch:
                patch.setattr(predictor, method, failing)
                found = list(predict())
            assert [photo.path for photo in found] == paths
            assert [str(photo.problem) for photo in found] == ['None', 'out of memory', 'None']
