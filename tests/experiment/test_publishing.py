"""A run's weights alone: the same network, in a folder without information about the machine."""

import os

import numpy as np
import pytest

from hourglass_pose import Predictor
from hourglass_pose.checkpoints.folder import read_manifest
from hourglass_pose.errors import CheckpointError, ConfigError
from hourglass_pose.experiment.publishing import publish_weights


@pytest.fixture(scope='module')
def published(command_line_run, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('published') / 'network')
    publish_weights(command_line_run.folder, folder, report=lambda line: None)
    return folder


def test_the_network_is_the_same(command_line_run, published):
    maps = []
    for path in (command_line_run.folder, published):
        with Predictor(path, device='cpu') as predictor:
            size = predictor.inference.input_size
            crops = np.random.RandomState(1).randint(0, 256, (2, size, size, 3)).astype(np.uint8)
            maps.append(predictor.heatmaps(crops))
            inference = predictor.inference
    assert np.array_equal(*maps)
    assert read_manifest(os.path.join(published, 'latest'))['inference'] == inference.as_dict()


def test_the_folder_names_no_path_and_holds_only_the_network(command_line_run, published):
    assert sorted(os.listdir(published)) == ['config.cfg', 'history.csv', 'latest', 'step-00000000']
    for folder, _, names in os.walk(published):
        for name in names:
            with open(os.path.join(folder, name), 'rb') as stream:
                content = stream.read()
            assert b'/tmp' not in content and os.path.dirname(command_line_run.folder).encode() not in content, name
    size = os.path.getsize(os.path.join(published, 'latest', 'hourglass.data-00000-of-00001'))
    with Predictor(published, device='cpu') as predictor:
        from hourglass_pose.graph.summary import summarise_network

        variables = summarise_network(predictor.stored.hyperparameters).variables
    # Four bytes a value, and the eight of the count of steps.
    assert size == 4 * variables + 8


def test_a_folder_with_a_run_is_refused(command_line_run, published):
    with pytest.raises(ConfigError, match='holds an earlier run'):
        publish_weights(command_line_run.folder, published)


@pytest.mark.slow
def test_a_new_run_starts_from_the_weights(command_line_run, published, tmp_path):
    from hourglass_pose.cli import main

    assert (
        main(
            ['train', '--config', command_line_run.config, '--quiet', '--initialise-from', published]
            + ['--set', f'Saver.saver_directory={tmp_path / "run"}', '--set', 'Train.nEpochs=1']
        )
        == 0
    )


def test_weights_of_another_program_are_refused(tmp_path):
    with pytest.raises(CheckpointError):
        publish_weights(str(tmp_path / 'nothing'), str(tmp_path / 'out'))
