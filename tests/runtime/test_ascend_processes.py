"""Several ranks on stand-ins for Ascend devices: what each does, and that together they are one training."""

import json
import os
import shutil
import signal

import numpy as np
import pytest

import ascend_ranks
import tiny_run
from ascend_ranks import OVERRIDES
from hourglass_pose.checkpoints.folder import CheckpointFolder, verify
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.graph.storage import Declared, Group
from hourglass_pose.representations.table import graph_half
from hourglass_pose.runtime.cluster.local import free_ports
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.optimizer import make_optimizer
from hourglass_pose.training.pipeline import training_arrays
from one_layer_model import OneLayerModel
from seen_run import Run
from stand_in_device import start_ranks, wait_for  # noqa: F401  (one is a fixture)

FIRST_STEPS = 3
PLAIN = (
    'Train.schedule=exponential',
    'Train.decay=1',
    'Train.ema_decay=0',
    'Train.batch_size=2',
    'Validation.valid_batch_size=2',
    'Saver.checkpoint_every=1',
)


@pytest.fixture
def train(start_ranks, tmp_path, synthetic_people):  # noqa: F811
    """Return a function that starts so many ranks of a tiny run in tmp_path/run."""

    def start(count, *overrides, command='start', job='job', **environment):
        return start_ranks(
            count,
            tmp_path / job,
            'ascend_ranks.py',
            command,
            tmp_path / 'run',
            synthetic_people,
            *(PLAIN + (f'Device.rank_port={free_ports(1)}', 'Device.rank_timeout=10') + overrides),
            **environment,
        )

    return start


def finish(ranks):
    """Wait for ranks that have to end well; return their Runs."""
    assert ranks.wait() == [0] * ranks.count, ranks.logs()
    folder = os.path.join(os.path.dirname(ranks.folder), 'run')
    return [Run(folder, rank) for rank in range(ranks.count)]


@pytest.fixture(scope='module')
def first_epoch(tmp_path_factory, synthetic_people):
    """Return the folder of a run that has made FIRST_STEPS steps on a CPU."""
    folder = str(tmp_path_factory.mktemp('first') / 'run')
    assert (
        ascend_ranks.main(
            ['start', folder, synthetic_people]
            + list(PLAIN + ('Device.device=cpu', f'Train.epoch_size={FIRST_STEPS}', 'Train.nEpochs=1'))
        )
        == 0
    )
    return folder


def steps_by_mean_gradients(folder, config, world_size, steps):
    """Go on with a run by the mean of the ranks' gradients, each computed here alone; return {name: value}."""
    experiment = Experiment(config, report=lambda line: None)
    people, train = experiment.split()['train'], config.Train
    position = FIRST_STEPS * train.batch_size
    batches = [
        experiment.generator(people, train.batch_size, rank, world_size).training_batches(position)
        for rank in range(world_size)
    ]
    with tf.Graph().as_default(), tf.Session() as session:
        model = OneLayerModel()
        model.hyperparameters = experiment.hyperparameters()
        joints = model.hyperparameters.num_joints
        images = tf.placeholder(tf.uint8, [train.batch_size] + [model.hyperparameters.input_size] * 2 + [3])
        positions = tf.placeholder(tf.float32, [train.batch_size, joints, 2])
        weights = tf.placeholder(tf.float32, [train.batch_size, joints])
        half = graph_half(experiment.codec)
        loss = half.loss(model.build_logits(images, True), half.target(positions, experiment.codec), weights)
        variables = tf.trainable_variables()
        gradients = tf.gradients(loss, variables, unconnected_gradients='zero')
        means = [tf.placeholder(tf.float32, variable.shape) for variable in variables]
        groups = [
            Group(variable, [Declared(variable.op.name, tuple(variable.shape.as_list()), tf.zeros, True)])
            for variable in variables
        ]
        optimizer = make_optimizer(train.optimizer, train.lear_rate, train.weight_decay, groups)
        apply = optimizer.apply_gradients(zip(means, variables))
        tf.train.Saver().restore(session, os.path.join(folder, 'latest', 'hourglass'))
        for _ in range(steps):
            found = [
                session.run(gradients, dict(zip((images, positions, weights), training_arrays(batch))))
                for batch in map(next, batches)
            ]
            session.run(apply, dict(zip(means, [np.mean(parts, axis=0) for parts in zip(*found)])))
        return dict(zip([variable.op.name for variable in variables], session.run(variables)))


def order_of_one_process(count, seed, start, stop):
    """Return the indices at these positions of the endless order of `count` persons."""
    epochs = range(stop // count + 1)
    return np.concatenate([np.random.RandomState([seed, epoch]).permutation(count) for epoch in epochs])[start:stop]


@pytest.mark.slow
@pytest.mark.parametrize('state', ['A21', 'A23'])
def test_ranks_start_equal_average_gradients_and_skip_together(tmp_path, start_ranks, state):  # noqa: F811
    # Rank 2 alone overflows in the second step, and all three leave it out.
    with start_ranks(
        3, tmp_path / 'job', 'descending_ranks.py', 4, HOURGLASS_STAND_IN=state, HOURGLASS_STAND_IN_OVERFLOW='1@2'
    ) as ranks:
        assert ranks.wait() == [0, 0, 0], ranks.logs()
        logs = [json.loads(ranks.log(rank)) for rank in range(3)]
    # The mean of the gradients w - 0, w - 1 and w - 2 is w - 1, and rank 0 starts at 3; the others' start is lost.
    assert logs[0] == logs[1] == logs[2] == [[2, 1, 8], [2, 1, 4], [1.5, 2, 4], [1.25, 3, 4]]


def test_training_without_a_broadcast_is_refused(tmp_path, start_ranks):  # noqa: F811
    with start_ranks(2, tmp_path / 'job', 'descending_ranks.py', 1, 'careless') as ranks:
        assert ranks.wait() == [1, 1]
        assert 'before the variables were broadcast' in ranks.log(0)


@pytest.mark.parametrize('state, count', [('A21', 2), pytest.param('A23', 8, marks=pytest.mark.slow)])
def test_ranks_step_by_the_mean_of_their_gradients_over_shards_without_gap_or_overlap(
    train, tmp_path, synthetic_people, first_epoch, state, count
):
    shutil.copytree(first_epoch, str(tmp_path / 'run'), symlinks=True)
    # An epoch has the persons of three steps of the one process that started the run.
    epochs = 1 + 2 * count
    overrides = (f'Train.epoch_size={FIRST_STEPS}', f'Train.nEpochs={epochs}')
    with train(count, *overrides, command='go_on', HOURGLASS_STAND_IN=state) as ranks:
        runs = finish(ranks)
    config = tiny_run.tiny_config(str(tmp_path / 'other'), synthetic_people, *(OVERRIDES + PLAIN + overrides))
    steps = 2 * FIRST_STEPS
    expected = steps_by_mean_gradients(first_epoch, config, count, steps)
    trained = [run.variables() for run in runs]
    for name in expected:
        assert all(np.array_equal(trained[0][name], other[name]) for other in trained[1:]), name
        np.testing.assert_allclose(trained[0][name], expected[name], rtol=1e-3, atol=1e-4, err_msg=name)
    # The ranks' batches, one behind the other, are the order of one process.
    seen = [index for batches in zip(*[run.persons()[:steps] for run in runs]) for batch in batches for index in batch]
    people = len(Experiment(config, report=lambda line: None).split()['train'])
    start, size = FIRST_STEPS * 2, steps * count * 2
    assert seen == list(order_of_one_process(people, config.Train.seed, start, start + size))
    for rank in range(count):
        events = [entry['event'] for entry in ranks.journal.entries(rank=rank)]
        assert events.count('initialised') == events.count('shut down') == 1
    require_chief_alone(ranks, tmp_path, epochs)


def test_processes_that_change_twice_take_everyone_once_an_epoch(train, tmp_path, synthetic_people, first_epoch):
    shutil.copytree(first_epoch, str(tmp_path / 'run'), symlinks=True)
    epoch = (f'Train.epoch_size={FIRST_STEPS}',)
    # Six persons of one process, 24 of two, and again 18 of one.
    with train(2, *(epoch + ('Train.nEpochs=5',)), command='go_on', job='two') as ranks:
        pairs = zip(*[run.persons() for run in finish(ranks)])
    shutil.rmtree(str(tmp_path / 'seen'))
    with train(1, *(epoch + ('Train.nEpochs=8',)), command='go_on', job='one') as ranks:
        (alone,) = finish(ranks)
    seen = [index for pair in pairs for batch in pair for index in batch]
    seen += [index for batch in alone.persons() for index in batch]
    config = tiny_run.tiny_config(str(tmp_path / 'other'), synthetic_people)
    people = len(Experiment(config, report=lambda line: None).split()['train'])
    assert seen == list(order_of_one_process(people, config.Train.seed, FIRST_STEPS * 2, 48))
    assert alone.manifest()['persons'] == 48 and alone.manifest()['global_step'] == FIRST_STEPS + 6 + 9
    assert [int(row['epoch']) for row in alone.history()][-3:] == [6, 7, 8]


@pytest.mark.slow
def test_a_run_of_1_then_2_then_1_processes_is_one_training(train, tmp_path, synthetic_people):
    epochs, warmup, rate = 6, 4, 0.01
    settings = (
        'Train.epoch_size=None',
        f'Train.nEpochs={epochs}',
        'Train.schedule=cosine',
        f'Train.warmup_steps={warmup}',
        f'Train.lear_rate={rate}',
    )
    rows, made = [], []
    # Two stops in the middle of an epoch, and then the end. The processes end where the settings say, which are the
    # same at each start.
    for number, (count, command, stop) in enumerate(((1, 'start', '21'), (2, 'go_on', '10'), (1, 'go_on', ''))):
        with train(count, *settings, command=command, job=f'job{number}', TERMINATE_AFTER=stop) as ranks:
            runs = finish(ranks)
        made += zip(*[run.steps() for run in runs])
        # History is only appended to; the last epoch's validation adds columns.
        found = runs[0].history()
        assert [{name: row[name] for name in old} for old, row in zip(rows, found)] == rows
        rows = found
        shutil.rmtree(str(tmp_path / 'seen'))
    config = tiny_run.tiny_config(str(tmp_path / 'other'), synthetic_people)
    people = len(Experiment(config, report=lambda line: None).split()['train'])
    epoch = 2 * round(people / 2)
    persons = [sum((indices for indices, _ in step), []) for step in made]
    sizes = [len(step) for step in persons]
    assert sizes[:31] == [2] * 21 + [4] * 10 and set(sizes[31:]) == {2}
    # Every person once an epoch, in the order of one process.
    order = sum(persons, [])
    assert len(order) >= epochs * epoch
    assert order == list(order_of_one_process(people, config.Train.seed, 0, len(order)))
    # The processes have one schedule: a rise over the persons of the first joint batches, then half a cosine.
    assert all(len({rate for _, rate in step}) == 1 for step in made)
    before = np.cumsum([0] + sizes[:-1])
    found = np.array([step[0][1] for step in made])
    expected = 0.5 * rate * (1 + np.cos(np.pi * np.minimum(before / (epochs * epoch), 1)))
    expected *= np.minimum(1, (before / 2 + 1) / warmup)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert (np.diff(found[warmup:]) < 0).all()
    # An epoch ends with the first step that reaches its persons.
    ends = np.cumsum(sizes)
    assert [int(row['epoch']) for row in rows] == list(range(1, epochs + 1))
    assert [int(row['persons']) for row in rows] == [min(ends[ends >= k * epoch]) for k in range(1, epochs + 1)]


def require_chief_alone(ranks, folder, epochs):
    """Check that rank 0 has written the checkpoints and events, once, and that the others were silent."""
    assert f'epoch {epochs}/{epochs}, step 9' in ranks.log(0)
    assert all(ranks.log(rank).strip() == '' for rank in range(1, ranks.count)), ranks.logs()
    # One file of the CPU's run, and one of rank 0.
    assert len(os.listdir(str(folder / 'run' / 'log_train'))) == 2
    assert verify(CheckpointFolder(str(folder / 'run')).newest_intact(pytest.fail))['global_step'] == 9


def test_evaluation_of_ranks_is_that_of_one_process(train, tmp_path):
    with train(2, 'Train.epoch_size=2', 'Train.nEpochs=1') as ranks:
        together = finish(ranks)[0].evaluation()
    # A finished run that goes on is evaluated once more.
    with train(1, 'Train.epoch_size=2', 'Train.nEpochs=1', command='go_on', job='alone') as ranks:
        alone = finish(ranks)[0].evaluation()
    assert set(together) == set(alone)
    assert [name for name in alone if not np.array_equal(alone[name], together[name])] == []
    assert len(alone['images']) > 2


@pytest.mark.parametrize('state', ['A21', 'A23'])
def test_overflow_of_one_rank_is_a_skipped_step_of_all(train, state):
    with train(
        2, 'Train.epoch_size=2', 'Train.nEpochs=2', HOURGLASS_STAND_IN=state, HOURGLASS_STAND_IN_OVERFLOW='1@1'
    ) as ranks:
        runs = finish(ranks)
    ours, theirs = [run.variables() for run in runs]
    assert ours['global_step'] == theirs['global_step'] == 4
    assert ours['loss_scale'] == theirs['loss_scale'] < 2**16
    for name in ours:
        # Each rank keeps statistics of its own batches; all else is one.
        assert np.array_equal(ours[name], theirs[name]) or 'moving_' in name, name
    assert [len(run.persons()) >= 5 for run in runs] == [True, True]
    assert [row['skipped_steps'] for row in runs[0].history()] == ['1', '1']


def training(ranks):
    """Tell whether every rank has begun to train."""
    begun = {entry['rank'] for entry in ranks.journal.entries('graph') if entry['trains']}
    return len(begun) == ranks.count


@pytest.mark.parametrize('lost', [0, 1])
def test_lost_rank_ends_the_others_with_a_line_and_the_job_can_be_resumed(train, tmp_path, lost):
    endless = ('Train.epoch_size=4', 'Train.nEpochs=100000', 'Validation.valid_every=100000')
    with train(2, *endless) as ranks:
        wait_for(lambda: training(ranks) and CheckpointFolder(str(tmp_path / 'run')).steps(), report=ranks.logs)
        os.kill(ranks.pids()[lost], signal.SIGKILL)
        codes = ranks.wait(60)
        message = ranks.log(1 - lost)
    assert codes[lost] == -signal.SIGKILL and codes[1 - lost] > 0
    last = message.strip().splitlines()[-1]
    assert f'rank {lost}' in last and 'checkpoint' in last and 'Traceback' not in message
    newest = CheckpointFolder(str(tmp_path / 'run')).newest_intact(lambda line: None)
    step = verify(newest)['global_step']
    with train(2, 'Train.epoch_size=4', f'Train.nEpochs={step // 4 + 1}', command='go_on', job='again') as ranks:
        runs = finish(ranks)
    assert [int(run.variables()['global_step']) for run in runs] == [4 * (step // 4 + 1)] * 2


def test_signal_to_any_rank_stops_all_at_the_same_step_after_a_checkpoint(train, tmp_path):
    with train(3, 'Train.epoch_size=4', 'Train.nEpochs=100000', 'Validation.valid_every=100000') as ranks:
        wait_for(lambda: training(ranks) and CheckpointFolder(str(tmp_path / 'run')).steps(), report=ranks.logs)
        os.kill(ranks.pids()[2], signal.SIGTERM)
        runs = finish(ranks)
    steps = {int(run.variables()['global_step']) for run in runs}
    newest = CheckpointFolder(str(tmp_path / 'run')).newest_intact(pytest.fail)
    assert steps == {verify(newest)['global_step']}
    assert 'continues from here' in ranks.log(0)
