"""Training with a person output: neither a resume nor the reader of the batches changes the result; it is measured."""

import json
import os

import numpy as np
import pytest

import tiny_run as tiny
from hourglass_pose.checkpoints.folder import read_manifest
from hourglass_pose.config.config import load_config
from hourglass_pose.errors import CheckpointError
from hourglass_pose.experiment import training_run as session
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.run_log import HISTORY, read_history
from hourglass_pose.training.trainer import Trainer


def variables(folder):
    reader = tf.train.NewCheckpointReader(os.path.join(folder, 'latest', 'hourglass'))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def assert_same_run(folder, other):
    ours, theirs = variables(folder), variables(other)
    assert set(ours) == set(theirs) and any('model/person/' in name for name in ours)
    assert [name for name in ours if not np.array_equal(ours[name], theirs[name])] == []
    assert read_history(os.path.join(folder, HISTORY)) == read_history(os.path.join(other, HISTORY))


@pytest.fixture
def no_results(monkeypatch):
    monkeypatch.setattr(session, 'write_results', lambda *arguments: None)


@pytest.mark.slow
def test_stopped_and_resumed_run_repeats_the_uninterrupted_one_bit_for_bit(
    tmp_path, person_run, synthetic_people, monkeypatch, no_results
):
    config, step = tiny.person_config(str(tmp_path), synthetic_people), Trainer._step
    monkeypatch.setattr(Trainer, '_step', tiny.terminate_once(step, 2))
    tiny.start(config)
    assert read_manifest(os.path.join(str(tmp_path), 'latest'))['global_step'] == 3
    monkeypatch.setattr(Trainer, '_step', step)
    tiny.go_on(config, pytest.fail)
    assert_same_run(str(tmp_path), person_run)


def test_batches_read_in_the_graph_teach_the_same(tmp_path, person_run, synthetic_people, no_results):
    tiny.start(tiny.person_config(str(tmp_path), synthetic_people, 'Device.iterations_per_loop=2'))
    ours, theirs = variables(str(tmp_path)), variables(person_run)
    assert [name for name in ours if not np.array_equal(ours[name], theirs[name])] == []


def test_results_and_manifest_tell_of_the_person_output(person_run):
    with open(os.path.join(person_run, 'metrics.json')) as stream:
        person = json.load(stream)['person']
    assert set(person) == {'accuracy', 'auc', 'positives', 'negatives'}
    assert person['positives'] + person['negatives'] > 0
    manifest = read_manifest(os.path.join(person_run, 'latest'))
    assert manifest['inference']['gives_person'] and manifest['hyperparameters']['person']
    assert manifest['config']['DataSetHG']['negative_prob'] == 0.4


def test_a_run_without_it_has_none(command_line_run):
    run = command_line_run.folder
    with open(os.path.join(run, 'metrics.json')) as stream:
        assert 'person' not in json.load(stream)
    assert not read_manifest(os.path.join(run, 'latest'))['inference']['gives_person']
    assert not any('person' in name for name in variables(run))


def test_a_run_cannot_get_it_at_a_resume(command_line_run):
    config = load_config(command_line_run.config, ['Network.person=True', 'DataSetHG.negative_prob=0.4'])
    with pytest.raises(CheckpointError, match='person: False / True.*--initialise-from'):
        tiny.go_on(config, pytest.fail)
