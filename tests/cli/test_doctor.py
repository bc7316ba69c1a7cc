"""doctor on small data with one thing wrong at a time: its exit code, its lines and the files it leaves."""

import json
import os
import shutil
from types import SimpleNamespace

import cv2
import pytest

from hourglass_pose.cli import BAD_FINDING, DONE, USERS_MISTAKE, main

# Long enough for the few drawn persons, and a network that is soon built.
SETTINGS = ['--set', 'Train.nEpochs=20', '--set', 'Network.nStack=1']


@pytest.fixture
def patient(command_line_run, tmp_path, capsys):
    """Return a copy of the drawn people, to be spoilt, with a function that calls doctor on it."""
    folder = str(tmp_path / 'data')
    shutil.copytree(os.path.dirname(command_line_run.annotations), folder)
    annotations, images = os.path.join(folder, 'dataset.txt'), os.path.join(folder, 'images')

    def examine(*arguments):
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

    return SimpleNamespace(annotations=annotations, images=images, examine=examine, run=command_line_run)


def line_of(text, word, check):
    """Return the one line of a check with the given word before it."""
    (line,) = [line for line in text.splitlines() if line.startswith('%-9s %s:' % (word, check))]
    return line


def harmful(text):
    return [line.split()[1].rstrip(':') for line in text.splitlines() if line.startswith('HARMFUL')]


def test_good_data_is_passed_and_looked_at(patient, tmp_path):
    output = str(tmp_path / 'doctor')
    code, text = patient.examine('--images', '--output', output)
    assert code == DONE and harmful(text) == []
    assert 'nothing was found that will hurt the training' in text and 'no picture is missing (all opened)' in text
    assert '--steps' in line_of(text, 'ok', 'time') and 'checkpoints' in line_of(text, 'ok', 'disk')
    with open(os.path.join(output, 'doctor.json')) as stream:
        record = json.load(stream)
    assert {'disk', 'time'} <= {finding['check'] for finding in record['findings']}
    for name in ('crops.png', 'heatmaps.png'):
        assert cv2.imread(os.path.join(output, name)).std() > 10


def test_a_missing_picture_is_named_and_hurts_where_training_is_strict(patient):
    os.remove(os.path.join(patient.images, '000003.jpg'))
    code, text = patient.examine()
    assert code == BAD_FINDING and harmful(text) == ['images']
    line = line_of(text, 'HARMFUL', 'images')
    assert '1 picture of 24 missing' in line and os.path.join(patient.images, '000003.jpg') in line
    assert '1 finding will hurt the training' in text
    assert 'shows with --images only' in line_of(text, 'ok', 'split')
    skipping = ['--set', 'DataSetHG.on_bad_annotation=skip', '--set', 'DataSetHG.max_unreadable=0.05']
    assert patient.examine(*skipping)[0] == DONE


def test_a_picture_that_cannot_be_read_is_found(patient):
    path = os.path.join(patient.images, '000004.jpg')
    with open(path, 'r+b') as stream:
        stream.truncate(os.path.getsize(path) // 2)
    code, text = patient.examine('--images')
    assert code == BAD_FINDING and 'damaged or truncated' in line_of(text, 'HARMFUL', 'images')


def test_labels_of_other_pictures_are_found(patient):
    for name in os.listdir(patient.images):
        path = os.path.join(patient.images, name)
        cv2.imwrite(path, cv2.resize(cv2.imread(path), (24, 24)))
    code, text = patient.examine()
    assert code == BAD_FINDING and set(harmful(text)) == {'labels'}


def test_the_same_picture_under_another_name_shows_when_all_are_opened(patient):
    with open(patient.annotations) as stream:
        lines = stream.read().splitlines()
    # Many copies of one picture fall on both sides of the split; their labels differ.
    numbers = lines[0].split()[1:]
    for index in range(20):
        name = 'copy%02d.jpg' % index
        shutil.copy(os.path.join(patient.images, '000001.jpg'), os.path.join(patient.images, name))
        numbers[4] = str(int(numbers[4]) + 1)
        lines.append('{}A {}'.format(name, ' '.join(numbers)))
    with open(patient.annotations, 'w') as stream:
        stream.write('\n'.join(lines) + '\n')
    code, text = patient.examine('--images')
    assert code == BAD_FINDING and '1 picture under several names' in line_of(text, 'HARMFUL', 'split')


def test_a_wrong_line_is_named_and_hurts_where_training_is_strict(patient):
    with open(patient.annotations, 'a') as stream:
        stream.write('000001.jpgQ 1 2 3\n')
    code, text = patient.examine()
    assert code == BAD_FINDING and 'dataset.txt:' in line_of(text, 'HARMFUL', 'lines')
    code, text = patient.examine('--set', 'DataSetHG.on_bad_annotation=skip')
    assert code == DONE and '1 line cannot be used' in line_of(text, 'note', 'lines')


def test_settings_that_do_not_fit_the_data_are_found(patient):
    code, text = patient.examine(
        '--set', 'Train.nEpochs=1', '--set', 'Train.epoch_size=1', '--set', 'Train.warmup_steps=2'
    )
    assert code == BAD_FINDING and harmful(text) == ['settings', 'settings']
    assert 'Train.warmup_steps is 2, but the steps of the run are 1' in text and 'before it has seen everybody' in text


@pytest.mark.slow
def test_training_steps_are_measured_on_request(patient):
    code, text = patient.examine('--steps', '2')
    line = line_of(text, 'ok', 'time')
    assert code == DONE and 'time: about ' in line and 'measured on 2 steps' in line and 'validation' in line


def test_what_keeps_doctor_from_looking_is_the_users_mistake(patient, tmp_path, capsys):
    for arguments in (
        ('--config', str(tmp_path / 'none.cfg')),
        ('--config', patient.run.config, '--steps', '-1'),
        ('--config', patient.run.config, '--set', 'DataSetHG.training_txt_file=none.txt'),
    ):
        capsys.readouterr()
        assert main(['doctor'] + list(arguments)) == USERS_MISTAKE
        message = capsys.readouterr().err
        assert message.startswith('error: ') and message.count('\n') == 1
