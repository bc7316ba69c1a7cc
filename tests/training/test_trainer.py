"""The loop: it learns, it can be stopped in every way at every moment, and a resume loses and changes nothing."""

import glob
import os
import signal
import subprocess
import sys
import time
from collections import namedtuple

import numpy as np
import pytest
from conftest import CODE, SUPPORT, TESTS

import tiny_run as tiny
from hourglass_pose.checkpoints.folder import CheckpointFolder, read_manifest, verify
from hourglass_pose.errors import CheckpointError, ImageError, TrainingError
from hourglass_pose.evaluation import evaluator
from hourglass_pose.experiment import training_run as session
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.run_log import HISTORY, read_history
from hourglass_pose.training.trainer import Trainer
from tiny_run import quick_config as quick
from tiny_run import terminate_once


@pytest.fixture(autouse=True)
def without_results(monkeypatch):
    """Drawing the results and counting the parameters are checked elsewhere."""
    tiny.without_results(monkeypatch)


@pytest.fixture
def one_layer(monkeypatch):
    """Trains a network of one layer in place of the hourglass, where only the loop matters."""
    tiny.train_one_layer(monkeypatch)


@pytest.fixture(scope='module')
def whole_run(tmp_path_factory, synthetic_people):
    """The folder of a run with the settings of tiny_run: three epochs of four steps."""
    folder = str(tmp_path_factory.mktemp('whole') / 'run')
    with pytest.MonkeyPatch.context() as patch:
        tiny.train_one_layer(patch)
        tiny.start(tiny.tiny_config(folder, synthetic_people))
    return folder


Stop = namedtuple('Stop', 'step manifest history')


@pytest.fixture(scope='module')
def broken_run(tmp_path_factory, synthetic_people):
    """A run with the settings of tiny_run that was stopped three times: (folder, [Stop])."""
    folder = str(tmp_path_factory.mktemp('broken') / 'run')
    config, stops = tiny.tiny_config(folder, synthetic_people), []

    def note_stop():
        newest = CheckpointFolder(folder).newest_intact(pytest.fail)
        manifest = verify(newest)
        stops.append(Stop(manifest['global_step'], manifest, read_history(os.path.join(folder, HISTORY))))

    with pytest.MonkeyPatch.context() as patch:
        tiny.train_one_layer(patch)
        # In the second step, which is in the middle of the first epoch.
        patch.setattr(Trainer, '_step', terminate_once(Trainer._step, 1))
        tiny.start(config)
    note_stop()
    with pytest.MonkeyPatch.context() as patch:
        tiny.train_one_layer(patch)
        # In the validation after the first epoch, which takes two batches.
        patch.setattr(evaluator, 'flip_averaged_maps', terminate_once(evaluator.flip_averaged_maps, 1))
        tiny.go_on(config, pytest.fail)
    note_stop()
    killed = subprocess.run(
        [sys.executable, os.path.join(SUPPORT, 'tiny_run.py'), folder, synthetic_people, '8'],
        env=dict(os.environ, PYTHONPATH=TESTS),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stdout.decode()
    assert [name for name in os.listdir(folder) if name.startswith('.partial-step-00000008')]
    note_stop()
    with pytest.MonkeyPatch.context() as patch:
        tiny.train_one_layer(patch)
        tiny.go_on(config, pytest.fail)
    note_stop()
    return folder, stops


def events(folder):
    """Yield (step, Summary.Value) of the training side; a kill may have cut the last record of a file."""
    for path in sorted(glob.glob(os.path.join(folder, 'log_train', 'events.*'))):
        try:
            for event in tf.train.summary_iterator(path):
                for value in event.summary.value:
                    yield event.step, value
        except tf.errors.DataLossError:
            continue


def losses(folder):
    """Return {step: set of the losses that were logged for it}."""
    found = {}
    for step, value in events(folder):
        if value.tag == 'loss':
            found.setdefault(step, set()).add(value.simple_value)
    return found


def variables(folder):
    reader = tf.train.NewCheckpointReader(os.path.join(folder, 'latest', 'hourglass'))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_stopped_run_stands_where_it_was_stopped(broken_run):
    _, stops = broken_run
    # Killed while it wrote step 8, it stands at the checkpoint before.
    assert [stop.step for stop in stops] == [2, 4, 4, 12]
    assert [stop.manifest['progress']['validated_step'] for stop in stops] == [0, 0, 4, 12]
    assert [len(stop.history) for stop in stops] == [0, 0, 1, 3]


def test_stopped_and_resumed_run_repeats_the_uninterrupted_one_bit_for_bit(whole_run, broken_run):
    folder, _ = broken_run
    expected = losses(whole_run)
    assert sorted(expected) == [2, 4, 6, 8, 10, 12] and all(len(found) == 1 for found in expected.values())
    # Steps that were trained twice, because of the kill, had the same loss twice.
    assert losses(folder) == expected
    assert read_history(os.path.join(folder, HISTORY)) == read_history(os.path.join(whole_run, HISTORY))
    ours, theirs = variables(folder), variables(whole_run)
    assert set(ours) == set(theirs)
    assert [name for name in ours if not np.array_equal(ours[name], theirs[name])] == []


def test_resumed_run_remembers_its_best_validation(whole_run, broken_run):
    manifests = [read_manifest(os.path.join(folder, 'latest')) for folder in (whole_run, broken_run[0])]
    assert manifests[0]['progress'] == manifests[1]['progress']
    scores = [float(row['valid_pckh@0.5']) for row in read_history(os.path.join(whole_run, HISTORY))]
    assert manifests[0]['progress']['best_score'] == max(scores)
    best = read_manifest(os.path.join(whole_run, 'best'))
    assert best['global_step'] == tiny.STEPS_PER_EPOCH * (1 + scores.index(max(scores)))


def test_checkpoints_and_history_of_a_finished_run(whole_run):
    manifest = verify(os.path.join(whole_run, 'latest'))
    assert (manifest['global_step'], manifest['epoch'], manifest['steps_per_epoch']) == (12, 3, 4)
    assert manifest['progress']['validated_step'] == 12 and manifest['progress']['loss_count'] == 0
    assert manifest['config']['Train']['batch_size'] == 4 and manifest['hyperparameters']['num_features'] == 8
    assert {'inference', 'seed', 'split_hash', 'device', 'versions'} <= set(manifest)
    assert {8, 12} <= set(CheckpointFolder(whole_run).steps()) and len(CheckpointFolder(whole_run).steps()) <= 3
    rows = read_history(os.path.join(whole_run, HISTORY))
    assert [(row['epoch'], row['step']) for row in rows] == [('1', '4'), ('2', '8'), ('3', '12')]


def test_finished_run_resumed_trains_no_more_but_gives_its_results(tmp_path, synthetic_people, monkeypatch, one_layer):
    folder, results = str(tmp_path), []
    config = quick(folder, synthetic_people)
    monkeypatch.setattr(session, 'write_results', lambda folder, evaluation, *others: results.append(evaluation))
    tiny.start(config)
    monkeypatch.setattr(Trainer, '_step', lambda *arguments: pytest.fail('a step was trained'))
    tiny.go_on(config, pytest.fail)
    assert len(results) == 2
    assert results[0].result.metrics == results[1].result.metrics
    assert np.array_equal(results[0].joints_img, results[1].joints_img)


def test_epochs_are_saved_and_validated_as_often_as_configured(tmp_path, synthetic_people, one_layer):
    folder = str(tmp_path)
    tiny.start(
        quick(
            folder,
            synthetic_people,
            'Train.nEpochs=8',
            'Validation.valid_every=3',
            'Saver.checkpoint_every=2',
            'Saver.keep_last=9',
        )
    )
    history = read_history(os.path.join(folder, HISTORY))
    assert [row['epoch'] for row in history if row['valid_pckh@0.5']] == ['3', '6', '8']
    # Before a validation everything is saved, too.
    assert CheckpointFolder(folder).steps() == [2, 3, 4, 6, 8]
    assert read_manifest(os.path.join(folder, 'step-00000003'))['progress']['validated_step'] == 3


def test_summaries_record_the_training(tmp_path, synthetic_people, one_layer):
    folder = str(tmp_path)
    tiny.start(
        quick(
            folder,
            synthetic_people,
            'Train.nEpochs=1',
            'Train.epoch_size=3',
            'Saver.saver_step=1',
            'Train.w_summary=True',
            'Train.warmup_steps=3',
            'Train.schedule=exponential',
            'Train.decay=1',
        )
    )
    found = {}
    for step, value in events(folder):
        found.setdefault(value.tag, []).append(value)
    assert set(found) == {
        'loss',
        'learning_rate',
        'images_per_second',
        'samples',
        'model/conv/weights',
        'model/conv/biases',
        'model/batch_norm/gamma',
        'model/batch_norm/beta',
    }
    assert all(len(values) == 3 for values in found.values())
    assert [value.simple_value for value in found['learning_rate']] == pytest.approx([0.01 / 3, 0.02 / 3, 0.01])
    # The history has the mean of the steps' losses.
    (row,) = read_history(os.path.join(folder, HISTORY))
    assert float(row['train_loss']) == pytest.approx(np.mean([value.simple_value for value in found['loss']]))
    assert all(value.simple_value > 0 for value in found['images_per_second'])
    assert found['model/conv/weights'][0].histo.num == 3 * 16


def test_minutes_between_checkpoints_count_within_an_epoch(tmp_path, synthetic_people, one_layer):
    folder = str(tmp_path)
    tiny.start(
        quick(
            folder,
            synthetic_people,
            'Train.nEpochs=1',
            'Train.epoch_size=3',
            'Saver.checkpoint_minutes=1e-9',
            'Saver.keep_last=9',
        )
    )
    assert CheckpointFolder(folder).steps() == [1, 2, 3]


def test_resume_without_a_new_step_keeps_the_only_checkpoint(tmp_path, synthetic_people, monkeypatch, one_layer):
    folder = str(tmp_path)
    config = quick(folder, synthetic_people, 'Train.epoch_size=5', 'Saver.keep_last=1')
    monkeypatch.setattr(Trainer, '_step', terminate_once(Trainer._step, 1))
    tiny.start(config)
    assert CheckpointFolder(folder).steps() == [2]
    stamp = os.stat(os.path.join(folder, 'step-00000002', 'hourglass.index')).st_mtime
    monkeypatch.setattr(Trainer, '_loop', terminate_once(Trainer._loop, 0))
    tiny.go_on(config, pytest.fail)
    assert verify(CheckpointFolder(folder).newest_intact(pytest.fail))['global_step'] == 2
    assert os.stat(os.path.join(folder, 'step-00000002', 'hourglass.index')).st_mtime == stamp


def test_training_learns(tmp_path, synthetic_people):
    folder = str(tmp_path)
    tiny.start(
        quick(
            folder,
            synthetic_people,
            'Train.optimizer=adam',
            'Network.nFeat=16',
            'Network.stem_feat=[8,16]',
            'Train.batch_size=8',
            'Train.nEpochs=2',
            'Train.epoch_size=30',
            'DataSetHG.rotation_prob=0',
            'DataSetHG.flip_prob=0',
            'DataSetHG.scale_prob=0',
            'DataSetHG.occluder_prob=0',
        )
    )
    first, second = [float(row['train_loss']) for row in read_history(os.path.join(folder, HISTORY))]
    # A network that knows nothing gives all 16 x 16 cells the same share: log(256).
    assert second < first < np.log(256) and second < np.log(256) - 0.7


def test_loss_that_is_not_finite_stops_with_its_values_and_leaves_the_checkpoint(tmp_path, synthetic_people, one_layer):
    folder = str(tmp_path)
    with pytest.raises(TrainingError) as caught:
        tiny.start(
            quick(
                folder,
                synthetic_people,
                'Train.lear_rate=1e38',
                'Train.nEpochs=9',
                'Train.warmup_steps=0',
                'Train.clip_norm=0',
            )
        )
    message = str(caught.value)
    step = read_manifest(os.path.join(folder, 'latest'))['global_step']
    assert message.startswith(f'step {step + 1}: the loss is ') and '\n' not in message
    assert ('nan' in message or 'inf' in message) and 'learning rate' in message and '.jpg' in message
    assert verify(os.path.join(folder, 'latest'))


def test_full_disk_stops_with_one_line_and_leaves_the_checkpoint_before(
    tmp_path, synthetic_people, monkeypatch, one_layer
):
    from hourglass_pose.checkpoints import variables as saving

    save = saving.VariableSaver.save

    def disk_fills_up(self, session, folder):
        save(self, session, folder)
        if 'step-00000002' in folder:
            raise OSError(28, 'No space left on device')

    monkeypatch.setattr(saving.VariableSaver, 'save', disk_fills_up)
    folder = str(tmp_path)
    with pytest.raises(CheckpointError, match='step 2 cannot be written .No space left on device'):
        tiny.start(quick(folder, synthetic_people))
    assert CheckpointFolder(folder).newest_intact(pytest.fail).endswith('step-00000001')


def test_too_many_unreadable_pictures_stop_the_run_after_a_checkpoint(
    tmp_path, synthetic_people, monkeypatch, one_layer
):
    step, batches = Trainer._step, []

    def step_then_damage(self, *arguments):
        batches.append(1)
        if len(batches) == 4:
            monkeypatch.setattr(self.data.sample_maker.cache, 'read_shrunk', unreadable)
        return step(self, *arguments)

    def unreadable(path, *more):
        raise ImageError(f'{path}: gone')

    monkeypatch.setattr(Trainer, '_step', step_then_damage)
    folder = str(tmp_path)
    with pytest.raises(ImageError, match='images cannot be read'):
        tiny.start(quick(folder, synthetic_people, 'Train.epoch_size=100', 'Train.workers=0'))
    assert read_manifest(os.path.join(folder, 'latest'))['global_step'] == 3


@pytest.mark.slow
def test_termination_of_the_command_saves_and_exits_with_zero(tmp_path, synthetic_people):
    folder = str(tmp_path / 'run')
    config = tmp_path / 'config.cfg'
    from hourglass_pose.config.config import format_config

    config.write_text(format_config(quick(folder, synthetic_people, 'Train.epoch_size=2', 'Train.nEpochs=100000')))
    log = tmp_path / 'log'
    with open(str(log), 'wb') as stream:
        process = subprocess.Popen(
            [sys.executable, '-m', 'hourglass_pose', 'train', '--config', str(config), '--quiet'],
            env=dict(os.environ, PYTHONPATH=CODE),
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(lambda: b'epoch 2/' in log.read_bytes() or process.poll() is not None)
            process.terminate()
            assert process.wait(timeout=120) == 0, log.read_text()
        finally:
            process.kill()
    manifest = verify(CheckpointFolder(folder).newest_intact(pytest.fail))
    text = log.read_text()
    stopped = (
        f'stopped at step {manifest["global_step"]} of 200000; "python -m hourglass_pose resume {folder}" continues'
    )
    assert stopped in text
    assert 'Traceback' not in text and manifest['global_step'] >= 4


def wait_for(condition, seconds=240):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, 'waited too long'
        time.sleep(0.1)
