"""doctor on small data with one thing wrong at a time: its exit code, its lines and the files it leaves."""

import json
import os
import shutil
from types import SimpleNamespace

import cv2
import pytest

from hourglass_pose.cli import BAD_FINDING, DONE, USERS_MISTAKE, main
from hourglass_pose.config.config import config_from_dict
from hourglass_pose.experiment.inspecting import run_plan

# Long enough for the few rendered persons, and a network that is soon built.
SETTINGS = ['--set', 'Train.nEpochs=20', '--set', 'Network.nStack=1']


@pytest.fixture
def data(command_line_run, tmp_path, capsys):
    """Return a copy of the rendered people, to be damaged, with a function that calls doctor on it."""
    folder = str(tmp_path / 'data')
    shutil.copytree(os.path.dirname(command_line_run.annotations), folder)
    annotations, images = os.path.join(folder, 'dataset.txt'), os.path.join(folder, 'images')

    def doctor(*arguments):
        capsys.readouterr()
        code = main(
            [
                'doctor',
                '--config',
                command_line_run.config,
                '--set',
                'DataSetHG.training_txt_file=' + annotations,
                '--set',
                'DataSetHG.img_directory=' + images,
            ]
            + SETTINGS
            + list(arguments)
        )
        printed = capsys.readouterr()
        assert not printed.err.startswith('error')
        return code, printed.out

    return SimpleNamespace(annotations=annotations, images=images, doctor=doctor, run=command_line_run)


def line_of(text, word, check):
    """Return the one line of a check with the given word before it."""
    (line,) = [line for line in text.splitlines() if line.startswith(f'{word:<9} {check}:')]
    return line


def harmful(text):
    return [line.split()[1].rstrip(':') for line in text.splitlines() if line.startswith('HARMFUL')]


def test_good_data_is_passed_and_looked_at(data, tmp_path):
    output = str(tmp_path / 'doctor')
    code, text = data.doctor('--images', '--output', output)
    assert code == DONE and harmful(text) == []
    assert 'nothing was found that will hurt the training' in text and 'no image is missing (all opened)' in text
    assert '--steps' in line_of(text, 'ok', 'time') and 'checkpoints' in line_of(text, 'ok', 'disk')
    with open(os.path.join(output, 'doctor.json')) as stream:
        record = json.load(stream)
    assert {'disk', 'time'} <= {finding['check'] for finding in record['findings']}
    for name in ('crops.png', 'heatmaps.png'):
        assert cv2.imread(os.path.join(output, name)).std() > 10


def test_a_missing_image_is_named_and_harmful_if_training_is_strict(data):
    os.remove(os.path.join(data.images, '000003.jpg'))
    code, text = data.doctor()
    assert code == BAD_FINDING and harmful(text) == ['images']
    line = line_of(text, 'HARMFUL', 'images')
    assert '1 image of 24 missing' in line and os.path.join(data.images, '000003.jpg') in line
    assert '1 finding will hurt the training' in text
    assert 'are found with --images only' in line_of(text, 'ok', 'split')
    skipping = ['--set', 'DataSetHG.on_bad_annotation=skip', '--set', 'DataSetHG.max_unreadable=0.05']
    assert data.doctor(*skipping)[0] == DONE


def test_a_picture_that_cannot_be_read_is_found(data):
    path = os.path.join(data.images, '000004.jpg')
    with open(path, 'r+b') as stream:
        stream.truncate(os.path.getsize(path) // 2)
    code, text = data.doctor('--images')
    assert code == BAD_FINDING and 'damaged or truncated' in line_of(text, 'HARMFUL', 'images')


def test_labels_of_other_pictures_are_found(data):
    for name in os.listdir(data.images):
        path = os.path.join(data.images, name)
        cv2.imwrite(path, cv2.resize(cv2.imread(path), (24, 24)))
    code, text = data.doctor()
    assert code == BAD_FINDING and set(harmful(text)) == {'labels'}


def test_the_same_picture_under_another_name_shows_when_all_are_opened(data):
    with open(data.annotations) as stream:
        lines = stream.read().splitlines()
    # Many copies of one picture fall on both sides of the split; their labels differ.
    numbers = lines[0].split()[1:]
    for index in range(20):
        name = f'copy{index:02d}.jpg'
        shutil.copy(os.path.join(data.images, '000001.jpg'), os.path.join(data.images, name))
        numbers[4] = str(int(numbers[4]) + 1)
        lines.append('{}A {}'.format(name, ' '.join(numbers)))
    with open(data.annotations, 'w') as stream:
        stream.write('\n'.join(lines) + '\n')
    code, text = data.doctor('--images')
    assert code == BAD_FINDING and '1 image with several names' in line_of(text, 'HARMFUL', 'split')


def test_an_invalid_line_is_named_and_harmful_if_training_is_strict(data):
    with open(data.annotations, 'a') as stream:
        stream.write('000001.jpgQ 1 2 3\n')
    code, text = data.doctor()
    assert code == BAD_FINDING and 'dataset.txt:' in line_of(text, 'HARMFUL', 'lines')
    code, text = data.doctor('--set', 'DataSetHG.on_bad_annotation=skip')
    assert code == DONE and '1 line cannot be used' in line_of(text, 'note', 'lines')


def test_settings_that_do_not_fit_the_data_are_found(data):
    code, text = data.doctor('--set', 'Train.nEpochs=1', '--set', 'Train.epoch_size=1', '--set', 'Train.warmup_steps=2')
    assert code == BAD_FINDING and harmful(text) == ['settings', 'settings']
    assert (
        'Train.warmup_steps is 2, but the steps of the run are 1' in text and 'before it has seen all persons' in text
    )


@pytest.mark.slow
def test_training_steps_are_measured_on_request(data):
    code, text = data.doctor('--steps', '2')
    line = line_of(text, 'ok', 'time')
    assert code == DONE and 'time: about ' in line and 'measured on 2 steps' in line and 'validation' in line


def test_missing_config_or_data_is_a_mistake_of_the_user(data, tmp_path, capsys):
    for arguments in (
        ('--config', str(tmp_path / 'none.cfg')),
        ('--config', data.run.config, '--set', 'DataSetHG.training_txt_file=none.txt'),
    ):
        capsys.readouterr()
        assert main(['doctor'] + list(arguments)) == USERS_MISTAKE
        message = capsys.readouterr().err
        assert message.startswith('error: ') and message.count('\n') == 1


def test_the_length_of_a_run_is_counted_as_training_counts_it():
    def plan(num_train, num_valid, validation=(), **train):
        train = dict(dict(batch_size=10, nEpochs=6, workers=2, warmup_steps=0), **train)
        validation = dict(dict(valid_every=4, valid_batch_size=10), **dict(validation))
        return run_plan(config_from_dict({'Train': train, 'Validation': validation}), num_train, num_valid)

    found = plan(1004, 99)
    assert (found.steps, found.batch_size, found.valid_persons, found.validations) == (600, 10, 99, 2)
    assert plan(1004, 99, epoch_size=7).steps == 42
    assert plan(1004, 99, validation={'valid_iteration': 3}).valid_persons == 30
