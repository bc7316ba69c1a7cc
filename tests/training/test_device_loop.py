"""Runs of several steps, and steps that overflow, in the trainer: epochs, checkpoints and resume stay true."""

import os
import signal

import numpy as np
import pytest

import tiny_run as tiny
from hourglass_pose.checkpoints.folder import CheckpointFolder, read_manifest
from hourglass_pose.errors import ConfigError, ImageError, TrainingError
from hourglass_pose.experiment import run_parts
from hourglass_pose.runtime.native import NativeRuntime
from hourglass_pose.tf_compat import tf
from hourglass_pose.training import stepper
from hourglass_pose.training.run_log import HISTORY, read_history
from hourglass_pose.training.trainer import Trainer


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Train a network of one layer, whose start does not depend on how its input is built, and draw no results."""
    tiny.train_one_layer(monkeypatch)


class Overflowing(NativeRuntime):
    """Leaves out the steps with certain places in the data, as if their gradients had overflowed."""

    skips_overflow = True

    def __init__(self, places, steps_per_run=1):
        super().__init__('cpu', 'float32', 1, steps_per_run=steps_per_run)
        self.skips_overflow = True
        self._places = places

    def wrap_optimizer(self, optimizer):
        position = tf.get_variable('position', [], tf.int32, tf.zeros_initializer(), trainable=False)
        apply = optimizer.apply_gradients

        def apply_unless_overflown(pairs, global_step):
            now = tf.assign_add(position, 1) - 1
            overflows = tf.reduce_any(tf.equal(now, tf.constant(sorted(self._places), tf.int32)))
            return tf.cond(overflows, tf.no_op, lambda: tf.group(apply(pairs, global_step)))

        optimizer.apply_gradients = apply_unless_overflown
        return optimizer


def config_of(folder, annotations, *overrides):
    return tiny.tiny_config(
        str(folder),
        annotations,
        *(
            'Train.weight_decay=0',
            'Train.optimizer=rmsprop',
            'Network.drop_rate=0',
            'Validation.flip_test=False',
            'Saver.keep_last=99',
            'Saver.saver_step=2',
            'Train.workers=1',
        )
        + overrides,
    )


def start_with(monkeypatch, places, config, steps_per_run=1):
    monkeypatch.setattr(run_parts, 'open_runtime', lambda *arguments: Overflowing(places, steps_per_run))
    tiny.start(config)


def history(folder):
    rows = read_history(os.path.join(str(folder), HISTORY))
    return [(row['epoch'], row['step'], row['skipped_steps']) for row in rows]


def everything(folder):
    reader = tf.train.NewCheckpointReader(os.path.join(str(folder), 'latest', 'hourglass'))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_stopped_loop_resumes_at_its_position_in_the_data(tmp_path, synthetic_people, monkeypatch):
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    loop = 'Device.iterations_per_loop=2'
    tiny.start(config_of(whole, synthetic_people, loop))
    assert history(whole) == [('1', '4', '0'), ('2', '8', '0'), ('3', '12', '0')]
    step, calls = Trainer._step, []

    def stopped_after_three_runs(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *arguments)

    monkeypatch.setattr(Trainer, '_step', stopped_after_three_runs)
    config = config_of(broken, synthetic_people, loop)
    tiny.start(config)
    assert read_manifest(str(broken / 'latest'))['global_step'] == 6
    tiny.go_on(config, pytest.fail)
    assert history(broken) == history(whole)
    ours, theirs = everything(broken), everything(whole)
    assert [name for name in theirs if not np.array_equal(ours[name], theirs[name])] == []


def test_epochs_follow_applied_steps_and_data_follow_all(tmp_path, synthetic_people, monkeypatch):
    places, seen = {1, 5, 6}, []
    run = stepper.Stepper.run

    def noting(self):
        outcome = run(self)
        seen.append((outcome.step + outcome.skipped, outcome.step, self.last_batch().indices.tolist()))
        return outcome

    monkeypatch.setattr(stepper.Stepper, 'run', noting)
    start_with(monkeypatch, places, config_of(tmp_path, synthetic_people))
    assert history(tmp_path) == [('1', '4', '1'), ('2', '8', '3'), ('3', '12', '3')]
    assert [position for position, _, _ in seen] == list(range(1, 16))
    assert [step for _, step, _ in seen] == [1, 1, 2, 3, 4, 4, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    # Three epochs of the data were not repeated for the steps left out: all batches have different positions.
    indices = [tuple(batch) for _, _, batch in seen]
    assert indices[1] != indices[2] and len(set(indices[4:7])) == 3
    manifest = read_manifest(str(tmp_path / 'latest'))
    assert (manifest['global_step'], manifest['skipped_steps'], manifest['epoch']) == (12, 3, 3)


def test_run_with_skipped_steps_resumes_bit_for_bit(tmp_path, synthetic_people, monkeypatch):
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    start_with(monkeypatch, {1, 5, 6}, config_of(whole, synthetic_people))
    step = Trainer._step

    def stopped_within_the_skipped(self, *arguments):
        outcome = step(self, *arguments)
        if (outcome.step, outcome.skipped) == (4, 2):
            os.kill(os.getpid(), signal.SIGTERM)
        return outcome

    monkeypatch.setattr(Trainer, '_step', stopped_within_the_skipped)
    config = config_of(broken, synthetic_people)
    start_with(monkeypatch, {1, 5, 6}, config)
    manifest = read_manifest(str(broken / 'latest'))
    # The checkpoint of step 4 was there already; this one has another position in the data.
    assert (manifest['global_step'], manifest['skipped_steps']) == (4, 2)
    monkeypatch.setattr(Trainer, '_step', step)
    tiny.go_on(config, pytest.fail)
    assert history(broken) == history(whole)
    ours, theirs = everything(broken), everything(whole)
    assert [name for name in theirs if not np.array_equal(ours[name], theirs[name])] == []


def test_epoch_that_ends_within_a_run_is_finished_after_it(tmp_path, synthetic_people, monkeypatch):
    # Runs of two steps; with one skipped, the epochs of four applied steps end in the middle of a run.
    start_with(monkeypatch, {2}, config_of(tmp_path, synthetic_people), steps_per_run=2)
    assert history(tmp_path) == [('1', '5', '1'), ('2', '9', '1'), ('3', '13', '1')]
    assert read_manifest(str(tmp_path / 'latest'))['progress']['finished_epochs'] == 3
    assert CheckpointFolder(str(tmp_path)).steps() == [5, 9, 13]


def test_overflow_in_every_step_is_an_error_with_the_cause(tmp_path, synthetic_people, monkeypatch):
    monkeypatch.setattr(stepper, 'MOST_SKIPPED_IN_A_ROW', 5)
    with pytest.raises(TrainingError, match='overflowed 5 times in a row') as caught:
        start_with(monkeypatch, set(range(3, 99)), config_of(tmp_path, synthetic_people, 'Train.epoch_size=2'))
    assert '\n' not in str(caught.value)
    assert read_manifest(str(tmp_path / 'latest'))['global_step'] == 2


def test_pictures_that_vanish_in_a_loop_stop_the_run_after_a_checkpoint(tmp_path, synthetic_people, monkeypatch):
    step, calls = Trainer._step, []

    def unreadable(path, *more):
        raise ImageError(f'{path}: gone')

    def damaged_after_two_runs(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            monkeypatch.setattr(self.data.sample_maker.cache, 'read_shrunk', unreadable)
        return step(self, *arguments)

    monkeypatch.setattr(Trainer, '_step', damaged_after_two_runs)
    with pytest.raises(ImageError, match='images cannot be read'):
        tiny.start(
            config_of(
                tmp_path, synthetic_people, 'Device.iterations_per_loop=2', 'Train.epoch_size=100', 'Train.workers=0'
            )
        )
    # TensorFlow reads ahead as far as it likes; the checkpoint records what was trained.
    step = read_manifest(str(tmp_path / 'latest'))['global_step']
    assert step >= 4 and everything(tmp_path)['global_step'] == step


def test_epoch_that_is_no_multiple_of_the_loop_is_refused_before_training(tmp_path, synthetic_people):
    # 22 persons in batches of 4 make 6 steps, which is known only when the data are read.
    with pytest.raises(ConfigError, match='multiple of iterations_per_loop, 4, for instance 8; found 6 steps'):
        tiny.start(
            config_of(
                tmp_path,
                synthetic_people,
                'Device.iterations_per_loop=4',
                'Train.epoch_size=None',
                'Saver.saver_step=4',
            )
        )
