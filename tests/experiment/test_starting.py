"""Starts of a run: every path resumes the right run, and a refused start changes nothing in the folder."""

import json
import os
import shutil

import pytest

from hourglass_pose.checkpoints.folder import CheckpointFolder
from hourglass_pose.checkpoints.run_lock import FolderLock
from hourglass_pose.cli import main
from hourglass_pose.errors import CheckpointError
from hourglass_pose.experiment import starting
from hourglass_pose.experiment.starting import resume
from hourglass_pose.skeleton import MPII_JOINTS


@pytest.fixture
def run_copy(command_line_run, tmp_path):
    """Return a copy of the finished run's folder, to be changed."""
    return shutil.copytree(command_line_run.folder, str(tmp_path / 'run'), symlinks=True)


@pytest.fixture
def trained(monkeypatch):
    """Return the list of (config, keywords) of trainings, which are not carried out."""
    calls = []
    monkeypatch.setattr(starting, 'train', lambda config, **keywords: calls.append((config, keywords)))
    return calls


@pytest.mark.parametrize('path', ['', 'latest', 'best', 'step-00000002', 'latest/hourglass', 'latest/hourglass.index'])
def test_every_path_of_a_run_resumes_it_from_its_newest_checkpoint_with_its_settings(run_copy, trained, path):
    resume(os.path.join(run_copy, path), 'another.cfg', ['Train.nEpochs=7'])
    ((config, keywords),) = trained
    assert keywords['resume_folder'] == os.path.join(run_copy, 'step-00000004')
    assert config.Saver.saver_directory == run_copy
    assert config.Network.img_size == 32 and config.Train.nEpochs == 7
    (note,) = [note for note in keywords['notes'] if '--config' in note]
    assert os.path.join(run_copy, 'config.cfg') in note and '--set' in note


def test_copy_of_a_run_without_links_is_resumed(command_line_run, trained, tmp_path):
    copied = shutil.copytree(command_line_run.folder, str(tmp_path / 'copied'))
    for path in (copied, os.path.join(copied, 'latest')):
        resume(path, None, [])
    assert [keywords['resume_folder'] for _, keywords in trained] == [os.path.join(copied, 'step-00000004')] * 2


def test_checkpoint_outside_of_a_run_is_explained(command_line_run, trained, tmp_path):
    alone = shutil.copytree(os.path.join(command_line_run.folder, 'latest'), str(tmp_path / 'alone'))
    inside = shutil.copytree(alone, str(tmp_path / 'models' / 'step-00000004'))
    for path in (alone, inside):
        with pytest.raises(CheckpointError, match='not in a run folder.*--initialise-from'):
            resume(path, None, [])
    assert not trained


def test_run_without_an_intact_checkpoint_is_refused_with_the_damage(run_copy, trained):
    for step in CheckpointFolder(run_copy).steps():
        os.remove(os.path.join(run_copy, f'step-{step:08d}', 'manifest.json'))
    with pytest.raises(CheckpointError, match='no checkpoint of this run is intact.*manifest.json'):
        resume(run_copy, None, [])


def test_checkpoint_written_while_waiting_for_the_lock_is_the_one_to_resume_from(run_copy):
    older = os.path.join(run_copy, 'step-00000002')
    assert starting._newest_now(run_copy, older) == os.path.join(run_copy, 'step-00000004')
    os.remove(os.path.join(run_copy, 'step-00000004', 'hourglass.index'))
    assert starting._newest_now(run_copy, older) == older


@pytest.mark.parametrize('command', ['train', 'resume'])
def test_run_that_another_process_writes_is_refused_and_nothing_is_written(
    command_line_run, run_copy, tmp_path, capsys, command
):
    arguments = ['resume', run_copy]
    if command == 'train':
        run_copy = str(tmp_path / 'new')
        os.mkdir(run_copy)
        setting = f'Saver.saver_directory={run_copy}'
        arguments = ['train', '--config', command_line_run.config, '--quiet', '--set', setting]
    with FolderLock(run_copy, pytest.fail):
        before = sorted(os.listdir(run_copy))
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.count('\n') == 1 and f'process {os.getpid()} on' in error and run_copy in error
        assert sorted(os.listdir(run_copy)) == before


def test_run_initialised_from_another_lists_what_was_taken_and_records_its_origin(command_line_run, tmp_path, capsys):
    joints = ['nose' if joint == 'head' else joint for joint in MPII_JOINTS]
    folder = str(tmp_path / 'run')
    arguments = ['train', '--config', command_line_run.config, '--quiet', '--initialise-from', command_line_run.folder]
    for setting in (
        f'DataSetHG.joint_list={joints}',
        'Network.nStack=1',
        'Network.img_size=64',
        'Train.nEpochs=1',
        'Train.epoch_size=1',
        f'Saver.saver_directory={folder}',
    ):
        arguments += ['--set', setting]
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert 'the maps of 15 of 16 joints' in output and 'starts fresh: the maps of the joints nose' in output
    with open(os.path.join(folder, 'latest', 'manifest.json')) as stream:
        manifest = json.load(stream)
    assert manifest['started_from'] == os.path.realpath(os.path.join(command_line_run.folder, 'latest'))
    assert manifest['global_step'] == 1


def test_network_that_is_built_differently_is_refused_before_the_folder_is_written(command_line_run, tmp_path, capsys):
    folder = tmp_path / 'run'
    arguments = ['train', '--config', command_line_run.config, '--quiet', '--initialise-from', command_line_run.folder]
    arguments += ['--set', 'Network.nFeat=16', '--set', f'Saver.saver_directory={folder}']
    assert main(arguments) == 2
    assert 'nFeat: 8 / 16' in capsys.readouterr().err
    assert not (folder / 'config.cfg').exists()


@pytest.mark.parametrize(
    'settings, message',
    [
        (['DataSetHG.training_txt_file={folder}/wrong.txt'], 'wrong.txt'),
        ([f'DataSetHG.joint_list={[f"finger_{index}" for index in range(16)]}'], 'left/right partner'),
        (
            ['Train.epoch_size=None', 'Device.iterations_per_loop=997', 'Saver.saver_step=997'],
            'epoch_size: expected a multiple',
        ),
    ],
)
def test_mistake_is_refused_before_the_earlier_run_is_set_aside(
    command_line_run, run_copy, tmp_path, capsys, settings, message
):
    (tmp_path / 'wrong.txt').write_text('nobody.jpgA 1 2 3\n')
    before = sorted(os.listdir(run_copy))
    arguments = ['train', '--config', command_line_run.config, '--quiet', '--fresh']
    for setting in settings + ['Saver.saver_directory={folder}/run']:
        arguments += ['--set', setting.format(folder=tmp_path)]
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert sorted(set(os.listdir(run_copy)) - {'.lock'}) == sorted(set(before) - {'.lock'})


def test_mirroring_without_known_partners_is_refused_before_people_are_rendered(tmp_path, capsys):
    arguments = ['train', '--synthetic', '--set', f'Saver.saver_directory={tmp_path}/run']
    arguments += ['--set', f'DataSetHG.joint_list={[f"finger_{index}" for index in range(16)]}']
    assert main(arguments) == 2
    assert 'left/right partner' in capsys.readouterr().err and os.listdir(tmp_path) == []


def test_weights_of_the_run_that_a_fresh_start_sets_aside_are_refused(command_line_run, run_copy, capsys):
    arguments = ['train', '--config', command_line_run.config, '--quiet', '--fresh', '--initialise-from', run_copy]
    assert main(arguments + ['--set', f'Saver.saver_directory={run_copy}']) == 2
    assert 'choose another folder' in capsys.readouterr().err
