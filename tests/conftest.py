"""Puts the package on the path, and makes the small data that several test files share."""

import os
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


@pytest.fixture(scope='session')
def synthetic_people(tmp_path_factory):
    """Return the dataset.txt of 24 drawn images of people; the images are in the folder `images` beside it."""
    from hourglass_pose.synthetic.dataset import write_synthetic_dataset

    folder = str(tmp_path_factory.mktemp('people'))
    return write_synthetic_dataset(folder, 24, 5)


@pytest.fixture(scope='session')
def tiny_run(tmp_path_factory, synthetic_people):
    """Return the folder of a finished run of three epochs of four steps. Not to be written to."""
    import tiny_run

    folder = str(tmp_path_factory.mktemp('tiny') / 'run')
    tiny_run.start(tiny_run.tiny_config(folder, synthetic_people))
    return folder


@pytest.fixture(scope='session')
def person_run(tmp_path_factory, synthetic_people):
    """Return the folder of a finished run whose network has a person output. Not to be written to."""
    import tiny_run

    folder = str(tmp_path_factory.mktemp('person') / 'run')
    tiny_run.start(tiny_run.person_config(folder, synthetic_people))
    return folder


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

    base = str(tmp_path_factory.mktemp('tiny'))
    run = SimpleNamespace(
        folder=os.path.join(base, 'run'),
        config=os.path.join(base, 'tiny.cfg'),
        annotations=synthetic_people,
        images=os.path.join(os.path.dirname(synthetic_people), 'images'),
    )
    settings = dict(
        COMMAND_LINE_SETTINGS,
        DataSetHG={'training_txt_file': run.annotations, 'img_directory': run.images, 'valid_fraction': 0.3},
    )
    settings['Saver'] = dict(settings['Saver'], saver_directory=run.folder)
    with open(run.config, 'w') as stream:
        for section, keys in settings.items():
            stream.write('[{}]\n{}\n'.format(section, '\n'.join('{}: {!r}'.format(*item) for item in keys.items())))
    assert main(['train', '--config', run.config, '--quiet']) == 0
    return run


@pytest.fixture
def rng():
    return np.random.RandomState(20160726)
