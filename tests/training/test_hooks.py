"""Hooks: the best validation, early stopping, and when a checkpoint is written."""

import os
from types import SimpleNamespace

import pytest

import tiny_run as tiny
from hourglass_pose.checkpoints.folder import CheckpointFolder, read_manifest
from hourglass_pose.checkpoints.variables import VariableSaver
from hourglass_pose.errors import ImageError
from hourglass_pose.evaluation import evaluator
from hourglass_pose.evaluation.best import BestMetric
from hourglass_pose.evaluation.evaluator import Evaluator
from hourglass_pose.experiment import training_run as session
from hourglass_pose.training.hooks.early_stopping import EarlyStopping
from hourglass_pose.training.hooks.validation import Validation
from hourglass_pose.training.run_log import HISTORY, read_history
from hourglass_pose.training.trainer import Trainer


@pytest.fixture(autouse=True)
def one_layer(monkeypatch):
    tiny.train_one_layer(monkeypatch)


@pytest.fixture
def scores(monkeypatch):
    """Return a function that sets what the validations to come score."""

    def give(*values):
        rest = list(values)
        monkeypatch.setattr(BestMetric, 'score', lambda self, evaluation: rest.pop(0))

    return give


@pytest.fixture
def saves(monkeypatch):
    """Return the list of steps whose variables are written."""
    found, save = [], VariableSaver.save

    def noting(self, session, folder):
        found.append(int(os.path.basename(folder).split('-')[2]))
        save(self, session, folder)

    monkeypatch.setattr(VariableSaver, 'save', noting)
    return found


def config_of(folder, annotations, *overrides):
    return tiny.quick_config(str(folder), annotations, 'Validation.valid_every=1', 'Saver.keep_last=99', *overrides)


def best_step(folder):
    return read_manifest(os.path.join(str(folder), 'best'))['global_step']


def epochs(folder):
    return [int(row['epoch']) for row in read_history(os.path.join(str(folder), HISTORY))]


def test_patience_ends_the_run_and_counts_as_finished(tmp_path, synthetic_people, monkeypatch, scores):
    scores(10.0, 30.0, 30.0, 20.0, 99.0)
    results, lines = [], []
    monkeypatch.setattr(session, 'write_results', lambda folder, evaluation, *others: results.append(evaluation))
    monkeypatch.setattr('tqdm.tqdm.write', lines.append)
    config = config_of(tmp_path, synthetic_people, 'Train.nEpochs=9', 'Train.patience=2')
    tiny.start(config)
    assert epochs(tmp_path) == [1, 2, 3, 4] and best_step(tmp_path) == 2
    manifest = read_manifest(str(tmp_path / 'latest'))
    assert manifest['global_step'] == 4 and manifest['progress']['best_score'] == 30.0
    assert len(results) == 1
    tiny.go_on(config, pytest.fail)
    assert epochs(tmp_path) == [1, 2, 3, 4] and len(results) == 2
    assert any('4 of 9 epochs' in line and 'ended early' in line for line in lines)
    # With more patience it goes on: the fifth validation is the best.
    tiny.go_on(config_of(tmp_path, synthetic_people, 'Train.nEpochs=5', 'Train.patience=3'), pytest.fail)
    assert epochs(tmp_path) == [1, 2, 3, 4, 5] and best_step(tmp_path) == 5


def test_patience_survives_a_stop(tmp_path, synthetic_people, monkeypatch, scores):
    scores(30.0, 10.0, 20.0, 20.0, 20.0)
    config = config_of(tmp_path, synthetic_people, 'Train.nEpochs=9', 'Train.patience=3')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, '_step', tiny.terminate_once(Trainer._step, 2))
        tiny.start(config)
    assert epochs(tmp_path) == [1, 2]
    tiny.go_on(config, pytest.fail)
    assert epochs(tmp_path) == [1, 2, 3, 4]


def test_patience_counts_epochs_at_validations_alone():
    validation = SimpleNamespace(is_of=lambda step: step % 3 == 0, is_best=True)
    training = SimpleNamespace(step=0, ends_early=False, is_finished=False, report=lambda line: None)
    hook = EarlyStopping(4, validation)
    ended = []
    for epoch in range(1, 10):
        training.step, validation.is_best = epoch, epoch == 3
        hook.after_epoch(training, epoch)
        ended.append(training.ends_early)
    assert ended == [False] * 8 + [True]


def test_best_is_chosen_for_joints_without_head_and_torso(tmp_path, synthetic_people, monkeypatch):
    names = [f'finger_{number}' for number in range(16)]
    lines, areas = [], [10.0, 30.0, 20.0]
    # What it measures is tested beside it; so small a network does not learn in a few steps.
    monkeypatch.setattr(
        evaluator, 'box_metrics', lambda *arguments: {'box_pck_auc': {'mean': areas[len(epochs(tmp_path))]}}
    )
    monkeypatch.setattr('tqdm.tqdm.write', lines.append)
    config = config_of(
        tmp_path, synthetic_people, f'DataSetHG.joint_list={names}', 'DataSetHG.flip_prob=0', 'Train.nEpochs=3'
    )
    tiny.start(config)
    scores = [float(row['valid_box_pck_auc']) for row in read_history(str(tmp_path / HISTORY))]
    assert scores == areas and best_step(tmp_path) == 2
    progress = read_manifest(str(tmp_path / 'latest'))['progress']
    assert (progress['best_by'], progress['best_score']) == ('box_pck_auc', 30.0)
    assert any('best checkpoint by' in line and 'box' in line for line in lines)


def test_best_by_loss_is_the_validation_of_least_loss(tmp_path, synthetic_people):
    config = config_of(tmp_path, synthetic_people, 'Validation.best_by=loss', 'Train.nEpochs=5')
    tiny.start(config)
    losses = [float(row['valid_loss']) for row in read_history(str(tmp_path / HISTORY))]
    assert len(set(losses)) == 5 and all(0 < loss < 20 for loss in losses)
    assert best_step(tmp_path) == 1 + losses.index(min(losses))


def test_another_metric_at_a_resume_compares_with_no_score_of_the_old_one():
    validation = Validation(None, 1, BestMetric('pck'))
    progress = {'best_score': 90.0, 'metrics': {'pckh@0.5': {'mean': 90.0}, 'pck@0.2': {'mean': 50.0}}}
    validation.restore(progress)
    assert validation.state()['best_score'] is None
    validation.restore(dict(progress, best_by='pck@0.2'))
    assert validation.state()['best_score'] == 90.0
    same = Validation(None, 1, BestMetric('pckh'))
    same.restore(progress)
    assert same.state()['best_score'] == 90.0


def test_checkpoints_follow_checkpoint_every_although_every_epoch_is_validated(
    tmp_path, synthetic_people, scores, saves
):
    scores(50.0, 10.0, 60.0, 10.0, 10.0, 10.0, 10.0, 10.0)
    tiny.start(config_of(tmp_path, synthetic_people, 'Train.nEpochs=8', 'Saver.checkpoint_every=4'))
    # The best ones, every fourth, and the last.
    assert saves == [1, 3, 4, 8] and CheckpointFolder(str(tmp_path)).steps() == [1, 3, 4, 8]
    assert best_step(tmp_path) == 3


def test_checkpoint_that_is_due_is_written_before_the_validation(tmp_path, synthetic_people, monkeypatch, saves):
    evaluate, seen = Evaluator.evaluate, []

    def noting(self, *arguments):
        seen.append(list(saves))
        return evaluate(self, *arguments)

    monkeypatch.setattr(Evaluator, 'evaluate', noting)
    tiny.start(config_of(tmp_path, synthetic_people, 'Train.nEpochs=2'))
    assert seen == [[1], [1, 2]] and saves == [1, 2]


def test_epoch_is_saved_where_the_images_of_its_validation_cannot_be_read(tmp_path, synthetic_people, monkeypatch):
    evaluate, calls = Evaluator.evaluate, []

    def failing(self, *arguments):
        calls.append(1)
        if len(calls) == 2:
            raise ImageError('/a.jpg: gone')
        return evaluate(self, *arguments)

    monkeypatch.setattr(Evaluator, 'evaluate', failing)
    config = config_of(tmp_path, synthetic_people, 'Train.nEpochs=3', 'Saver.checkpoint_every=99')
    with pytest.raises(ImageError):
        tiny.start(config)
    manifest = read_manifest(str(tmp_path / 'latest'))
    assert (manifest['global_step'], manifest['progress']['finished_epochs']) == (2, 1)
    tiny.go_on(config, pytest.fail)
    assert epochs(tmp_path) == [1, 2, 3]
