"""A run resumed with another batch size: every person once an epoch, with unchanged epochs and schedule."""

import os

import numpy as np
import pytest

import tiny_run as tiny
from hourglass_pose.checkpoints.folder import CheckpointFolder, read_manifest
from hourglass_pose.config.config import load_config
from hourglass_pose.errors import ConfigError
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.training.run_log import HISTORY, read_history
from hourglass_pose.training.stepper import Stepper
from hourglass_pose.training.trainer import Trainer

RATE, EPOCHS = 0.01, 3
SCHEDULE = ('Train.warmup_steps=0', 'Train.epoch_size=None', f'Train.nEpochs={EPOCHS}', 'Validation.valid_every=1')


@pytest.fixture(autouse=True)
def one_layer(monkeypatch):
    tiny.train_one_layer(monkeypatch)


@pytest.fixture
def seen(monkeypatch):
    """Return the list of (indices, learning rate) of each step that is made."""
    found, run = [], Stepper.run

    def noting(self):
        outcome = run(self)
        found.append((self.last_batch().indices.tolist(), outcome.rate))
        return outcome

    monkeypatch.setattr(Stepper, 'run', noting)
    return found


def stop_after(monkeypatch, steps):
    """Have the training that comes next end after so many steps."""
    monkeypatch.setattr(Trainer, '_step', tiny.terminate_once(Trainer.__dict__['_step'], steps - 1))


def test_batches_that_change_twice_take_everyone_once_an_epoch(tmp_path, synthetic_people, monkeypatch, seen):
    folder, step = str(tmp_path), Trainer._step

    def config(batch_size):
        return tiny.quick_config(folder, synthetic_people, f'Train.batch_size={batch_size}', *SCHEDULE)

    stop_after(monkeypatch, 3)
    tiny.start(config(4))
    monkeypatch.setattr(Trainer, '_step', step)
    stop_after(monkeypatch, 5)
    tiny.go_on(config(2), pytest.fail)
    monkeypatch.setattr(Trainer, '_step', step)
    tiny.go_on(config(4), pytest.fail)
    persons = len(Experiment(config(4), report=lambda line: None).split()['train'])
    order = [index for batch, _ in seen for index in batch]
    epoch = 4 * round(persons / 4)
    assert len(order) >= EPOCHS * epoch
    for start in range(0, len(order) - persons + 1, persons):
        assert sorted(order[start : start + persons]) == list(range(persons))
    sizes = [len(batch) for batch, _ in seen]
    assert sizes[:9] == [4] * 3 + [2] * 5 + [4]
    # Half a cosine of the persons learnt from, which does not depend on the batches.
    before = np.cumsum([0] + sizes[:-1])
    expected = RATE * 0.5 * (1 + np.cos(np.pi * np.minimum(before / (EPOCHS * epoch), 1)))
    np.testing.assert_allclose([rate for _, rate in seen], expected, rtol=1e-4, atol=1e-8)
    # An epoch ends with the first step that reaches its persons; none is repeated, none is left out.
    ends = np.cumsum(sizes)
    rows = read_history(os.path.join(folder, HISTORY))
    assert [int(row['epoch']) for row in rows] == [1, 2, 3]
    assert [int(row['persons']) for row in rows] == [min(ends[ends >= k * epoch]) for k in (1, 2, 3)]
    assert all(float(row['train_loss']) > 0 for row in rows)
    manifest = read_manifest(os.path.join(folder, 'latest'))
    assert manifest['persons'] == ends[-1] and manifest['persons_per_epoch'] == epoch
    assert manifest['first_joint_batch'] == 4 and manifest['epoch'] == 3


def test_manifest_of_an_earlier_version_counts_its_steps_as_persons(tmp_path, synthetic_people, monkeypatch, seen):
    folder, step = str(tmp_path), Trainer._step
    stop_after(monkeypatch, 2)
    tiny.start(tiny.quick_config(folder, synthetic_people, 'Train.batch_size=4', *SCHEDULE))
    monkeypatch.setattr(Trainer, '_step', step)
    manifest = read_manifest(os.path.join(folder, 'latest'))
    for name in ('persons', 'skipped_persons', 'persons_per_epoch', 'first_joint_batch', 'joint_batch'):
        del manifest[name]
    for name in ('best_by', 'score', 'best_epoch', 'validated_epoch'):
        del manifest['progress'][name]
    CheckpointFolder(folder).update(2, manifest)
    tiny.go_on(tiny.quick_config(folder, synthetic_people, 'Train.batch_size=2', *SCHEDULE), pytest.fail)
    persons = len(Experiment(tiny.quick_config(folder, synthetic_people), report=lambda line: None).split()['train'])
    order = [index for batch, _ in seen for index in batch]
    assert sorted(order[:persons]) == list(range(persons))
    assert read_manifest(os.path.join(folder, 'latest'))['persons'] == EPOCHS * 4 * round(persons / 4)


def test_another_epoch_size_is_refused_with_the_reason(tmp_path, synthetic_people, monkeypatch):
    folder = str(tmp_path)
    stop_after(monkeypatch, 1)
    tiny.start(tiny.quick_config(folder, synthetic_people, 'Train.epoch_size=2'))
    with pytest.raises(ConfigError, match='epoch_size: expected 2, found 3; .* fixed at the first start') as caught:
        tiny.go_on(tiny.quick_config(folder, synthetic_people, 'Train.epoch_size=3'), pytest.fail)
    assert '\n' not in str(caught.value)
    # The settings that the next resume takes are still those of the run.
    assert load_config(str(tmp_path / 'config.cfg')).Train.epoch_size == 2


def test_more_epochs_continue_after_the_finished_ones(tmp_path, synthetic_people, seen):
    folder = str(tmp_path)
    tiny.start(tiny.quick_config(folder, synthetic_people, 'Train.nEpochs=2'))
    tiny.go_on(tiny.quick_config(folder, synthetic_people, 'Train.nEpochs=4'), pytest.fail)
    assert len(seen) == 4
    assert [row['epoch'] for row in read_history(os.path.join(folder, HISTORY))] == ['1', '2', '3', '4']
