"""A new run in the folder of an earlier one: refused, or the earlier one is set aside and nothing else is touched."""

import os

import pytest

from hourglass_pose.checkpoints.folder import CheckpointFolder
from hourglass_pose.config.config import config_from_dict
from hourglass_pose.errors import ConfigError
from hourglass_pose.experiment.run_folder import refuse_mixing, set_earlier_run_aside, write_config_copy


@pytest.fixture
def config(tmp_path):
    """Return the Config of a run in a folder with one checkpoint, results, and files of the user."""
    config = config_from_dict({'Saver': {'saver_directory': str(tmp_path / 'run')}})
    folder = tmp_path / 'run'
    CheckpointFolder(str(folder)).write(3, {'global_step': 3}, lambda folder: None, is_best=True)
    write_config_copy(config, True, pytest.fail)
    for name in ('dataset.txt', 'history.csv', 'metrics.json', 'notes.md', 'step-1.txt', '.lock'):
        (folder / name).write_text(name)
    for name in ('images', 'log_train'):
        (folder / name).mkdir()
    (folder / 'images' / '1.jpg').write_text('')
    (folder / 'log_train' / 'events.out.tfevents.1.host').write_text('')
    (folder / 'log_train' / 'mine.txt').write_text('')
    return config


def tree(folder):
    return sorted(
        os.path.relpath(os.path.join(base, name), str(folder))
        for base, folders, names in os.walk(str(folder))
        for name in names + [name for name in folders if os.path.islink(os.path.join(base, name))]
    )


def test_an_earlier_run_is_refused_without_fresh(config):
    with pytest.raises(ConfigError, match='--fresh'):
        refuse_mixing(config.Saver.saver_directory, fresh=False)
    refuse_mixing(config.Saver.saver_directory, fresh=True)


def test_what_the_program_wrote_is_set_aside_and_the_rest_stays(config, tmp_path):
    lines = []
    set_earlier_run_aside(config, True, lines.append)
    (aside,) = [name for name in os.listdir(str(tmp_path / 'run')) if name.startswith('earlier-')]
    assert str(tmp_path / 'run' / aside) in lines[0]
    kept = [path for path in tree(tmp_path / 'run') if not path.startswith(aside)]
    assert kept == ['.lock', 'dataset.txt', 'images/1.jpg', 'log_train/mine.txt', 'notes.md', 'step-1.txt']
    assert tree(tmp_path / 'run' / aside) == [
        'best',
        'config.cfg',
        'history.csv',
        'latest',
        'log_train/events.out.tfevents.1.host',
        'metrics.json',
        'step-00000003/manifest.json',
    ]
    assert CheckpointFolder(str(tmp_path / 'run' / aside)).newest_intact(pytest.fail)


def test_a_config_of_the_user_in_the_run_folder_stays_and_is_kept_under_another_name(config, tmp_path):
    path = tmp_path / 'run' / 'config.cfg'
    path.write_text('[Train]\nbatch_size: 3\n')
    set_earlier_run_aside(config, True, lambda line: None)
    assert path.read_text() == '[Train]\nbatch_size: 3\n'
    write_config_copy(config, True, lambda line: None)
    assert (tmp_path / 'run' / 'config.given.cfg').read_text() == '[Train]\nbatch_size: 3\n'
    assert 'batch_size: 3' not in path.read_text()


def test_an_interrupted_setting_aside_is_still_an_earlier_run(config, tmp_path, monkeypatch):
    rename, calls = os.rename, []

    def fail_third(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(30, 'Read-only file system')
        rename(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, 'rename', fail_third)
        with pytest.raises(ConfigError, match='cannot be set aside.*Read-only'):
            set_earlier_run_aside(config, True, pytest.fail)
    with pytest.raises(ConfigError, match='holds an earlier run'):
        refuse_mixing(config.Saver.saver_directory, fresh=False)


def test_a_folder_that_cannot_be_written_is_noticed_before_anything_is_moved(config, tmp_path, monkeypatch):
    before = tree(tmp_path)

    def refuse(path, *arguments):
        raise PermissionError(13, 'Permission denied')

    with monkeypatch.context() as patch:
        patch.setattr(os, 'mkdir', refuse)
        with pytest.raises(ConfigError, match='Permission denied'):
            set_earlier_run_aside(config, True, pytest.fail)
    assert tree(tmp_path) == before
