"""The files of a prediction: recognised by their content, and nothing else is ever replaced."""

import json
import os

import cv2
import numpy as np
import pytest

from exported_models import write_exported
from hourglass_pose.cli import main
from hourglass_pose.cli.predict import box_argument
from hourglass_pose.errors import UserError
from hourglass_pose.prediction.pose_files import check_output, is_own_file, marked_png, output_stems

WIDTH, HEIGHT = 48, 40


@pytest.fixture
def photos(tmp_path, rng):
    """Return a folder of two photos, me.png and you.jpg."""
    folder = tmp_path / 'photos'
    folder.mkdir()
    for name in ('me.png', 'you.jpg'):
        cv2.imwrite(str(folder / name), rng.randint(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8))
    return folder


@pytest.fixture
def predict(tmp_path):
    """Return the subcommand with a model, as a function of its other arguments."""
    checkpoint = write_exported(str(tmp_path / 'm.onnx'))
    return lambda *arguments: main(['predict', '--checkpoint', checkpoint] + [str(one) for one in arguments])


def contents(folder):
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(str(folder)))}


def test_photos_stay_as_they_are_and_a_second_run_takes_no_results_for_photos(photos, predict, capsys):
    before = contents(photos)
    assert predict(photos, '--output', photos) == 0
    first = contents(photos)
    results = {stem + end for stem in ('me', 'you') for end in ('.pose.json', '.pose.png')}
    assert set(first) == set(before) | results and all(first[name] == before[name] for name in before)
    capsys.readouterr()
    assert predict(photos, '--output', photos) == 0
    assert contents(photos) == first
    assert '4 results of earlier predictions' in capsys.readouterr().out


def test_the_picture_is_a_valid_png_of_the_photos_size_that_is_recognised(photos, predict, tmp_path):
    assert predict(photos / 'me.png', '--output', tmp_path / 'out') == 0
    path = str(tmp_path / 'out' / 'me.pose.png')
    image = cv2.imread(path)
    assert image.shape == (HEIGHT, WIDTH, 3) and is_own_file(path) and is_own_file(path[:-3] + 'json')
    # Without the mark the same picture is somebody else's.
    cv2.imwrite(path, image)
    assert not is_own_file(path)


def test_the_mark_is_a_text_chunk_that_leaves_the_pixels_alone(rng):
    image = rng.randint(0, 256, (5, 7, 3)).astype(np.uint8)
    Image = pytest.importorskip('PIL.Image')
    import io

    opened = Image.open(io.BytesIO(marked_png(image)))
    assert np.array_equal(np.array(opened), image) and opened.info['Software'] == 'hourglass-pose predict'


@pytest.mark.parametrize('name', ['me.pose.png', 'me.pose.json'])
@pytest.mark.parametrize('content', [b'', b'mine', b'{}', b'[1]', b'\xff\xfe'])
def test_a_file_that_predict_did_not_write_is_not_replaced(photos, predict, tmp_path, capsys, name, content):
    output = tmp_path / 'out'
    output.mkdir()
    (output / name).write_bytes(content)
    assert predict(photos, '--output', output) == 2
    captured = capsys.readouterr()
    assert name in captured.err and 'not written by predict' in captured.err and captured.err.count('\n') == 1
    assert '1 photo in' in captured.out
    assert set(os.listdir(str(output))) == {name, 'you.pose.json', 'you.pose.png'}
    assert (output / name).read_bytes() == content


def test_folders_and_dangling_links_in_the_way_are_not_replaced_either(tmp_path):
    (tmp_path / 'a.pose.png').mkdir()
    os.symlink('nowhere', str(tmp_path / 'b.pose.json'))
    for stem in ('a', 'b'):
        with pytest.raises(UserError, match='not written by predict'):
            check_output(str(tmp_path / stem))
    check_output(str(tmp_path / 'c'))


def test_one_photo_that_fails_does_not_cost_the_others(photos, predict, tmp_path, capsys):
    (photos / 'cut.jpg').write_bytes((photos / 'you.jpg').read_bytes()[:300])
    (photos / 'not.png').write_text('no picture')
    assert predict(photos, '--output', tmp_path / 'out') == 2
    captured = capsys.readouterr()
    assert 'cut.jpg' in captured.err and 'not.png' in captured.err and captured.err.count('\n') == 2
    assert '2 photos in' in captured.out and len(os.listdir(str(tmp_path / 'out'))) == 4


def test_every_box_is_a_person_and_a_negative_one_is_understood(photos, predict, tmp_path):
    output = tmp_path / 'out'
    boxes = ['-5,-6,20,30', '10,5,30,30', '-.5,0,9,9']
    options = [part for box in boxes for part in ('--box', box)]
    assert predict(photos / 'me.png', '--output', output, *options) == 0
    with open(str(output / 'me.pose.json')) as stream:
        record = json.load(stream)
    assert [tuple(person['box']) for person in record['persons']] == [box_argument(box) for box in boxes]
    assert record['image'] == 'me.png' and record['image_size'] == [WIDTH, HEIGHT]
    for person in record['persons']:
        assert list(person['joints']) == ['r_wrist', 'l_wrist', 'head']
        assert all(len(joint) == 3 for joint in person['joints'].values())
    assert {'format', 'frame', 'checkpoint', 'step', 'flip_test', 'decoding', 'versions'} <= set(record)


def test_a_box_beside_one_photo_is_one_line(photos, predict, tmp_path, capsys):
    assert predict(photos / 'me.png', '--output', tmp_path / 'out', '--box', '-50,0,10,10') == 2
    message = capsys.readouterr().err
    assert 'within the photo' in message and message.count('\n') == 1


def test_boxes_and_the_whole_photo_exclude_each_other(photos, predict, tmp_path, capsys):
    assert predict(photos / 'me.png', '--output', tmp_path / 'out', '--whole-image') == 0
    with pytest.raises(SystemExit, match='2'):
        predict(photos / 'me.png', '--output', tmp_path / 'out', '--whole-image', '--box', '0,0,9,9')
    assert '--whole-image' in capsys.readouterr().err


@pytest.mark.parametrize(
    'head, word',
    [(b'RIFF\x00\x00\x00\x00AVI LIST', 'video'), (b'\x1aE\xdf\xa3', 'video'), (b'\x00\x00\x00\x14ftypqt  ', 'video')],
)
def test_a_video_is_called_a_video(predict, tmp_path, capsys, head, word):
    (tmp_path / 'walk.avi').write_bytes(head + bytes(50))
    assert predict(tmp_path / 'walk.avi', '--output', tmp_path / 'out') == 2
    message = capsys.readouterr().err
    assert word in message and 'damaged' not in message


def test_photos_of_one_name_get_files_of_their_own():
    assert output_stems(['a/x.jpg', 'b/x.jpg', 'c/x_2.png', 'd/y.jpg', 'e/x.jpg']) == ['x', 'x_2', 'x_2_2', 'y', 'x_3']
