"""Puts the package on the path, and makes the small data that several test files share."""

import fcntl
import os
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

TESTS = os.path.dirname(os.path.abspath(__file__))
CODE = os.path.join(os.path.dirname(TESTS), 'code')
SUPPORT = os.path.join(TESTS, 'support')
"""Folders of the tests, of the program, and of what several test files share."""
# For programs in tests/ that are started by hand and by other tests; pytest has these from pyproject.toml.
sys.path[:0] = [CODE, TESTS, SUPPORT]

# The threads of a process are those of its first session, and sums over another number of threads differ in their
# last bits: one for every session makes runs comparable whatever ran before in the process.
os.environ['TF_NUM_INTRAOP_THREADS'] = '1'


def made_once(tmp_path_factory, name, make):
    """Return a folder that make(folder) has filled; the processes of pytest-xdist share it. Not to be written to."""
    base = tmp_path_factory.getbasetemp()
    if 'PYTEST_XDIST_WORKER' in os.environ:
        # Each of them has a folder of its own in this one.
        base = base.parent
    folder, done = base / name, base / f'{name}-is-made'
    with open(str(base / f'{name}-lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(str(folder), ignore_errors=True)
            folder.mkdir()
            make(str(folder))
            done.touch()
    return str(folder)


@pytest.fixture(scope='session')
def synthetic_people(tmp_path_factory):
    """Return the dataset.txt of 24 drawn images of people; the images are in the folder `images` beside it."""
    from hourglass_pose.synthetic.dataset import write_synthetic_dataset

    return os.path.join(
        made_once(tmp_path_factory, 'people', lambda folder: write_synthetic_dataset(folder, 24, 5)), 'dataset.txt'
    )


@pytest.fixture(scope='session')
def person_run(tmp_path_factory, synthetic_people):
    """Return the folder of a finished run whose network has a person output. Not to be written to."""
    import tiny_run

    return made_once(
        tmp_path_factory, 'person', lambda folder: tiny_run.start(tiny_run.person_config(folder, synthetic_people))
    )


COMMAND_LINE_SETTINGS = {
    'Network': {'nFeat': 8, 'nStack': 2, 'nLow': 1, 'img_size': 32},
    'Train': {'nEpochs': 2, 'epoch_size': 2, 'batch_size': 4, 'ema_decay': 0.9, 'warmup_steps': 0, 'workers': 0},
    'Saver': {'saver_step': 2},
    'Device': {'device': 'cpu', 'precision': 'float32', 'intra_threads': 1},
}


@pytest.fixture(scope='session')
def command_line_run(synthetic_people, tmp_path_factory):
    """Return a run that the command line has trained for four steps; to be read, and copied before it is changed.

    Its attributes: `folder` of the run, `config` file, `annotations` and `images` it was trained with.
    """
    from hourglass_pose.cli import main

    images = os.path.join(os.path.dirname(synthetic_people), 'images')

    def parts_of(base):
        return os.path.join(base, 'run'), os.path.join(base, 'tiny.cfg')

    def make(base):
        folder, config = parts_of(base)
        settings = dict(
            COMMAND_LINE_SETTINGS,
            DataSetHG={'training_txt_file': synthetic_people, 'img_directory': images, 'valid_fraction': 0.3},
        )
        settings['Saver'] = dict(settings['Saver'], saver_directory=folder)
        with open(config, 'w') as stream:
            for section, keys in settings.items():
                lines = '\n'.join('{}: {!r}'.format(*item) for item in keys.items())
                stream.write(f'[{section}]\n{lines}\n')
        assert main(['train', '--config', config, '--quiet']) == 0

    folder, config = parts_of(made_once(tmp_path_factory, 'tiny', make))
    return SimpleNamespace(folder=folder, config=config, annotations=synthetic_people, images=images)


@pytest.fixture
def rng():
    return np.random.RandomState(20160726)
