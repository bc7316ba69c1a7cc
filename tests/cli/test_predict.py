"""predict: persons are found, given by boxes of any kind, or the whole photo; a line counts them."""

import json
import os

import cv2
import numpy as np
import pytest

from exported_models import write_exported
from hourglass_pose.checkpoints import exported
from hourglass_pose.cli import main
from hourglass_pose.prediction.photos import describe_persons

BOXES = [(0.0, 0.0, 20.0, 30.0), (10.0, 5.0, 30.0, 30.0)]


@pytest.fixture
def photos(tmp_path):
    """Return a folder of two photos: a person of the network's colours in one.png, nobody in two.png."""
    folder = tmp_path / 'photos'
    folder.mkdir()
    image = np.zeros((48, 64, 3), np.uint8)
    for channel, (x, y) in enumerate(((20, 14), (40, 14), (30, 34))):
        image[y : y + 4, x : x + 4, channel] = 255
    cv2.imwrite(str(folder / 'one.png'), image[:, :, ::-1])
    cv2.imwrite(str(folder / 'two.png'), image * 0)
    return folder


@pytest.fixture
def predict(tmp_path, capsys):
    """Return predict with a model as a function of its other arguments, which returns (code, lines, errors)."""
    checkpoint = write_exported(str(tmp_path / 'm.onnx'))

    def run(*arguments, checkpoint=('--checkpoint', checkpoint)):
        capsys.readouterr()
        try:
            code = main(['predict', *checkpoint, '--output', str(tmp_path / 'out')] + [str(one) for one in arguments])
        except SystemExit as error:
            code = error.code
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return run


@pytest.fixture
def persons(tmp_path):
    """Return a function of a photo's name that gives the persons of its JSON."""

    def read(name):
        with open(str(tmp_path / 'out' / f'{name}.pose.json')) as stream:
            return json.load(stream)['persons']

    return read


def test_without_a_box_the_persons_are_found_and_counted(predict, photos, persons, tmp_path):
    code, lines, errors = predict(photos)
    assert code == 0 and not errors
    assert persons('two') == [] and len(persons('one')) >= 1
    assert lines[-2].startswith('2 photos in') and lines[-1].endswith('; none in two.png')
    assert all(0 <= person['score'] <= 1 for person in persons('one'))
    # A picture is there for a photo without persons, too.
    assert os.path.isfile(str(tmp_path / 'out' / 'two.pose.png'))


def test_without_a_folder_the_files_are_in_one_of_the_current_folder(predict, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint = ('--checkpoint', str(tmp_path / 'm.onnx'))
    assert main(['predict', *checkpoint, str(photos / 'one.png')]) == 0
    assert sorted(os.listdir('poses')) == ['one.pose.json', 'one.pose.png']


def test_a_photo_without_people_is_no_error_and_is_reported(predict, photos, persons):
    code, lines, errors = predict(photos / 'two.png')
    assert code == 0 and not errors and persons('two') == []
    assert lines[-1].startswith('no persons found')


def test_the_number_of_persons_is_limited(predict, photos, persons):
    assert predict(photos / 'one.png', '--persons', 1)[0] == 0
    assert len(persons('one')) == 1
    assert predict(photos / 'one.png', '--persons', 0)[0] == 2


def test_a_least_score_leaves_persons_out(predict, photos, persons):
    assert predict(photos / 'one.png', '--min-person-score', 1.01)[0] == 0
    assert persons('one') == []


def test_the_whole_photo_is_one_box(predict, photos, persons):
    assert predict(photos, '--whole-image')[0] == 0
    for name in ('one', 'two'):
        assert [person['box'] for person in persons(name)] == [[0, 0, 64, 48]]


@pytest.mark.parametrize('kind', ['csv', 'json'])
def test_boxes_come_from_a_file_for_each_photo(predict, photos, persons, tmp_path, kind):
    path = tmp_path / f'boxes.{kind}'
    if kind == 'csv':
        path.write_text('\n'.join(f'one.png,{",".join(map(str, box))}' for box in BOXES))
    else:
        path.write_text(json.dumps([{'image_id': 'one.png', 'bbox': box, 'score': 0.7} for box in BOXES]))
    code, lines, errors = predict(photos, '--boxes', path)
    assert code == 0 and not errors
    assert [tuple(person['box']) for person in persons('one')] == BOXES and persons('two') == []
    assert any('no boxes for 1 photo' in line and 'two.png' in line for line in lines)


def test_a_score_of_a_detector_below_the_least_one_leaves_its_box_out(predict, photos, persons, tmp_path):
    rows = [{'image_id': 'one.png', 'bbox': box, 'score': score} for box, score in zip(BOXES, (0.45, 0.55))]
    (tmp_path / 'b.json').write_text(json.dumps(rows))
    _, lines, _ = predict(photos / 'one.png', '--boxes', tmp_path / 'b.json')
    assert len(persons('one')) == 1 and any('1 box with a score below 0.5 left out' in line for line in lines)
    predict(photos / 'one.png', '--boxes', tmp_path / 'b.json', '--min-person-score', 0.4)
    assert len(persons('one')) == 2


@pytest.mark.parametrize(
    'arguments, word',
    [
        (('--whole-image', '--persons', '1'), '--persons'),
        (('--box', '0,0,9,9', '--boxes', 'b.csv'), '--boxes'),
        (('--whole-image', '--min-person-score', '0.3'), '--min-person-score'),
        (('--boxes', 'none.csv'), 'none.csv'),
    ],
)
def test_options_that_contradict_each_other_are_refused_in_one_line(predict, photos, arguments, word):
    code, _, errors = predict(photos / 'one.png', *arguments)
    assert code == 2 and len(errors) == 1 and word in errors[0]


@pytest.mark.parametrize('option', ['--min-score', '--min-person-score'])
@pytest.mark.parametrize('text', ['nan', 'inf', 'high'])
def test_scores_that_are_no_numbers_are_refused(option, text, capsys):
    with pytest.raises(SystemExit) as caught:
        main(['predict', 'photo.jpg', option, text, '--output', 'poses'])
    errors = capsys.readouterr().err
    assert caught.value.code == 2 and errors.count('\n') == 1 and option in errors and repr(text) in errors


def test_boxes_of_other_photos_are_refused(predict, photos, tmp_path):
    (tmp_path / 'b.csv').write_text('else.png,0,0,9,9\n')
    code, _, errors = predict(photos, '--boxes', tmp_path / 'b.csv')
    assert code == 2 and len(errors) == 1 and 'else.png' in errors[0]


def test_without_a_checkpoint_the_network_that_ships_is_used_and_named(predict, photos, persons, tmp_path, monkeypatch):
    monkeypatch.setattr(exported, 'SHIPPED', str(tmp_path / 'lsp.onnx'))
    code, _, errors = predict(photos / 'one.png', checkpoint=())
    assert code == 2 and len(errors) == 1 and 'lsp.onnx' in errors[0]
    write_exported(str(tmp_path / 'lsp.onnx'))
    code, lines, errors = predict(photos / 'one.png', checkpoint=())
    assert code == 0 and not errors and lines[0] == exported.SHIPPED_NOTE
    assert persons('one')


def test_the_line_names_a_few_photos_without_persons():
    assert describe_persons([('x/a.jpg', 1), ('x/b.jpg', 2)]) == '3 persons'
    counts = [('x/a.jpg', 1)] + [(f'x/{letter}.jpg', 0) for letter in 'bcdef']
    assert describe_persons(counts) == '1 person; none in b.jpg, c.jpg, d.jpg and 2 more'
