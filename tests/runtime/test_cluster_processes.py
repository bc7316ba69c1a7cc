"""Several processes on CPUs: together they are one training, and none waits for a lost one."""

import json
import os
import shutil
import signal
import socket

import numpy as np
import pytest

from ascend_ranks import OVERRIDES
from cluster_ranks import start_ranks, tf_config, worker_environment  # noqa: F401  (one is a fixture)
from hourglass_pose.checkpoints.folder import CheckpointFolder, verify
from hourglass_pose.errors import ConfigError, UserError
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.runtime import selection
from hourglass_pose.runtime.cluster.runtime import ClusterRuntime
from hourglass_pose.runtime.cluster.spec import cluster_of_environment
from hourglass_pose.runtime.host_channel import LOST_RANK
from hourglass_pose.runtime.native import bfloat16_obstacle
from hourglass_pose.runtime.selection import open_runtime
from joint_steps import RATE, Steps
from seen_run import Run
from stand_in_device import wait_for
from tiny_run import tiny_config

ROWS, STEPS = 8, 2
MODELZOO = {'arch': 'modelzoo', 'num_stacks': 2, 'input_size': 64}
ON_CPU = OVERRIDES + (
    'Device.device=cpu',
    'Device.rank_timeout=10',
    'Train.ema_decay=0.5',
    'Train.batch_size=2',
    'Validation.valid_batch_size=2',
)


@pytest.fixture
def run_steps(start_ranks, tmp_path):  # noqa: F811
    """Return a function that makes steps on one joint batch by so many processes; it returns their Steps."""

    def run(count, **options):
        text = json.dumps(dict({'rows': ROWS, 'steps': STEPS}, **options))
        environment = worker_environment(count) if count > 1 else {}
        folder = tmp_path / f'steps-{len(os.listdir(str(tmp_path)))}'
        with start_ranks(count, folder, 'joint_steps.py', folder, text, **environment) as ranks:
            assert ranks.wait() == [0] * count, ranks.logs()
        return [Steps(folder, rank, count) for rank in range(count)]

    return run


def require_same_variables(together):
    for other in together[1:]:
        for moment in ('before', 'first', 'last'):
            for name, value in together[0].values(moment).items():
                assert np.array_equal(value, other.values(moment)[name]), name


def gradients_of(run):
    """Return {name: gradient} of the first step, and what it subtracts from the moving statistics, times RATE."""
    return {name: (run.values('before')[name] - value) / RATE for name, value in run.values('first').items()}


def require_one_training(together, alone):
    """Check that processes have done what one has done with the joint batch, up to the rounding of float32."""
    first = together[0]
    require_same_variables(together)
    np.testing.assert_allclose(first.losses, alone.losses, rtol=1e-5)
    np.testing.assert_allclose(first.norms, alone.norms, rtol=1e-4)
    gradients = [gradients_of(run) for run in (first, alone)]
    # A sum of thousands of terms is rounded to about 1e-6 of the largest ones, here and in all layers behind.
    for name, expected in gradients[1].items():
        np.testing.assert_allclose(gradients[0][name], expected, rtol=1e-3, atol=1e-5 * alone.norms[0], err_msg=name)
    for name, expected in alone.values('last').items():
        np.testing.assert_allclose(first.values('last')[name], expected, rtol=1e-3, atol=1e-5, err_msg=name)
    changed = [name for name, gradient in gradients[1].items() if 'moving_' in name and np.abs(gradient).max() > 0.01]
    assert changed and alone.norms[0] > 0.1


def test_processes_are_one_training_with_the_joint_batch(run_steps):
    """With synchronised batch norm, unequal numbers of labelled joints and persons, and the chief's start."""
    require_one_training(run_steps(2), run_steps(1)[0])


def test_statistics_of_each_process_are_its_own_unless_they_are_synchronised(run_steps):
    ours, theirs = [run.values('last') for run in run_steps(2, sync=False, one_layer=True)]
    own = {name for name in ours if not np.array_equal(ours[name], theirs[name])}
    assert own == {name for name in ours if 'moving_' in name} and own


@pytest.mark.skipif(bool(bfloat16_obstacle()), reason='bfloat16 is not faster here')
def test_processes_train_together_in_bfloat16(run_steps):
    ours, theirs = run_steps(2, precision='mixed', one_layer=True)
    assert [
        name for name, value in ours.values('last').items() if not np.array_equal(value, theirs.values('last')[name])
    ] == []
    assert np.isfinite(ours.losses).all() and ours.norms[0] > 0


@pytest.mark.slow
def test_four_processes_are_one_training_with_the_joint_batch(run_steps):
    require_one_training(run_steps(4), run_steps(1)[0])


@pytest.mark.slow
def test_four_processes_of_the_original_network_differ_from_one_no_more_than_its_batch_in_another_order(run_steps):
    """In this network some inputs of ReLUs are zero up to rounding, so that rounding decides on their gradients."""
    options = {'arch': MODELZOO, 'steps': 1}
    together, alone = run_steps(4, **options), run_steps(1, **options)[0]
    require_same_variables(together)
    expected = gradients_of(alone)

    def difference(run):
        np.testing.assert_allclose(run.losses, alone.losses, rtol=1e-5)
        return max(np.abs(gradient - expected[name]).max() for name, gradient in gradients_of(run).items())

    of_rounding = max(difference(run_steps(1, turned=turned, **options)[0]) for turned in (1, 3))
    assert difference(together[0]) <= 2 * of_rounding < 0.01 * alone.norms[0]


@pytest.fixture
def train(start_ranks, tmp_path, synthetic_people):  # noqa: F811
    """Return a function that starts so many processes of a tiny run in tmp_path/run."""

    def start(count, *overrides, command='start', job='job', **environment):
        settings = worker_environment(count, **environment) if count > 1 else environment
        folder = tmp_path / 'run'
        arguments = (command, folder, synthetic_people) + ON_CPU + overrides
        return start_ranks(count, tmp_path / job, 'ascend_ranks.py', *arguments, **settings)

    return start


def finish(ranks):
    """Wait for processes that have to end well; return their Runs."""
    assert ranks.wait() == [0] * ranks.count, ranks.logs()
    folder = os.path.join(os.path.dirname(ranks.folder), 'run')
    return [Run(folder, rank) for rank in range(ranks.count)]


def order_of_one_process(count, seed, stop):
    """Return the first indices of the endless order of `count` persons."""
    epochs = range(stop // count + 1)
    return np.concatenate([np.random.RandomState([seed, epoch]).permutation(count) for epoch in epochs])[:stop]


@pytest.mark.parametrize('count', [2, pytest.param(4, marks=pytest.mark.slow)])
def test_stopped_and_resumed_job_is_the_uninterrupted_one_over_shards_without_gap_or_overlap(
    train, tmp_path, synthetic_people, count
):
    length = ('Train.epoch_size=3', 'Train.nEpochs=2', 'Train.sync_batch_norm=True')
    with train(count, *length, job='whole') as ranks:
        whole = finish(ranks)
    persons = [run.persons() for run in whole]
    seen = [index for batches in zip(*persons) for batch in batches for index in batch][: 6 * count * 2]
    people = len(Experiment(tiny_config(str(tmp_path / 'x'), synthetic_people), lambda line: None).split()['train'])
    assert seen == list(order_of_one_process(people, 0, len(seen)))
    expected, evaluation = [run.variables() for run in whole], whole[0].evaluation()
    for folder in ('run', 'seen'):
        shutil.rmtree(str(tmp_path / folder))
    with train(count, *length, job='stopped', TERMINATE_AFTER='2') as ranks:
        stopped = finish(ranks)
        assert 'continues from here' in ranks.log(0)
        assert all(ranks.log(rank).strip() == '' for rank in range(1, count)), ranks.logs()
    assert 0 < stopped[0].variables()['global_step'] < 6
    with train(count, *length, command='go_on', job='resumed') as ranks:
        resumed = finish(ranks)
    for found, whole_one in zip(resumed, expected):
        assert [name for name, value in whole_one.items() if not np.array_equal(value, found.variables()[name])] == []
    # Statistics of the joint batch, too, are one.
    assert all(np.array_equal(expected[0][name], expected[1][name]) for name in expected[0])
    found = resumed[0].evaluation()
    assert [name for name in evaluation if not np.array_equal(evaluation[name], found[name])] == []


@pytest.mark.slow
def test_evaluation_of_processes_equals_that_of_one_and_a_job_resumes_with_another_number(train, tmp_path):
    with train(2, 'Train.epoch_size=2', 'Train.nEpochs=1') as ranks:
        together = finish(ranks)[0].evaluation()
    # A finished run that goes on is evaluated once more.
    with train(1, 'Train.epoch_size=2', 'Train.nEpochs=1', command='go_on', job='alone') as ranks:
        alone = finish(ranks)[0].evaluation()
    assert [name for name in alone if not np.array_equal(alone[name], together[name])] == []
    with train(3, 'Train.epoch_size=2', 'Train.nEpochs=2', command='go_on', job='three') as ranks:
        runs = finish(ranks)
    # Two epochs of 2 x 4 persons: the second one is made in two steps of six.
    assert runs[0].manifest()['global_step'] == 4 and runs[0].manifest()['persons'] == 8 + 12


@pytest.mark.parametrize('lost', [0, 1])
def test_killed_worker_ends_the_others_with_a_line_and_the_job_resumes_from_the_checkpoint(train, tmp_path, lost):
    endless = ('Train.epoch_size=4', 'Train.nEpochs=100000', 'Validation.valid_every=100000')
    with train(2, *endless) as ranks:
        wait_for(lambda: CheckpointFolder(str(tmp_path / 'run')).steps(), report=ranks.logs)
        os.kill(ranks.pids()[lost], signal.SIGKILL)
        codes = ranks.wait(60)
        message = ranks.log(1 - lost)
    assert codes[lost] == -signal.SIGKILL and codes[1 - lost] == LOST_RANK
    # TensorFlow may print lines of its own about the connection.
    (line,) = [line for line in message.splitlines() if f'rank {lost} (worker {lost} at 127.0.0.1:' in line]
    assert 'checkpoint' in line and 'Traceback' not in message
    step = verify(CheckpointFolder(str(tmp_path / 'run')).newest_intact(lambda line: None))['global_step']
    if lost:
        return  # The checkpoint is the same whoever is lost.
    epochs = f'Train.nEpochs={step // 4 + 1}'
    with train(2, 'Train.epoch_size=4', epochs, command='go_on', job='again') as ranks:
        runs = finish(ranks)
    assert [int(run.variables()['global_step']) for run in runs] == [4 * (step // 4 + 1)] * 2


def test_process_that_does_not_come_is_named_by_its_address(monkeypatch):
    monkeypatch.setenv('HOURGLASS_JOB_KEY', 'the key of the tests')
    cluster = cluster_of_environment({'TF_CONFIG': tf_config(3, rank=0)})
    with pytest.raises(UserError, match=r'rank 1, 2 \(worker 1 at 127.0.0.1:\d+, worker 2 at') as caught:
        open_runtime('cpu', 'float32', npu=selection.NpuSettings(rank_timeout=0.1), cluster=cluster)
    assert '\n' not in str(caught.value)


def test_process_with_another_network_is_named(start_ranks, tmp_path):  # noqa: F811
    text = json.dumps({'rows': ROWS, 'steps': 1, 'odd': 1, 'one_layer': True})
    with start_ranks(2, tmp_path / 'job', 'joint_steps.py', tmp_path, text, **worker_environment(2)) as ranks:
        assert sorted(ranks.wait()) != [0, 0]
        assert 'builds another network or training than rank 0' in ranks.logs()


def test_port_of_tensorflow_that_cannot_be_reached_is_named_with_both_processes():
    runtime = ClusterRuntime.__new__(ClusterRuntime)
    runtime._cluster = cluster_of_environment({'TF_CONFIG': tf_config(2, rank=0, has_chief=False)})
    found = runtime._unreachable()
    assert found is not None and found[0] == 0
    answers = [None, [0, found[1]]]
    runtime.exchange_bytes = lambda payload: [json.dumps(answer).encode() for answer in answers]
    first, second = runtime._cluster.addresses
    message = rf'rank 1 \(worker 1 at {second}\) does not reach TensorFlow of rank 0 \(worker 0 at {first}\): '
    with pytest.raises(UserError, match=message) as caught:
        runtime._require_reachable()
    assert '\n' not in str(caught.value)


def test_cluster_needs_a_key_and_no_npu(monkeypatch):
    cluster = cluster_of_environment({'TF_CONFIG': tf_config(2, rank=0)})
    for name in ('HOURGLASS_JOB_KEY', 'JOB_ID'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match='HOURGLASS_JOB_KEY: expected the same secret'):
        open_runtime('cpu', 'float32', cluster=cluster)
    with pytest.raises(ConfigError, match='TF_CONFIG: expected nothing with an NPU'):
        open_runtime('npu', cluster=cluster)


def test_taken_port_of_tensorflow_is_one_line(start_ranks, tmp_path):  # noqa: F811
    with socket.socket() as taken:
        environment = worker_environment(2)
        port = int(environment['TF_CONFIG'].split('127.0.0.1:')[2].split('"')[0])
        taken.bind(('0.0.0.0', port))
        taken.listen(1)
        text = json.dumps({'rows': ROWS, 'steps': 1})
        with start_ranks(2, tmp_path / 'job', 'joint_steps.py', tmp_path, text, **environment) as ranks:
            assert 0 not in ranks.wait()
            assert f'worker 1 at 127.0.0.1:{port}: TensorFlow cannot open this port' in ranks.log(1)
