"""Two servers with two devices each, on two loopback addresses: run_npu.sh on each of them is one training."""

import json
import os
import signal
import sys

import numpy as np
import pytest
from conftest import CODE, SUPPORT, TESTS

from ascend_ranks import OVERRIDES
from ascend_server import AscendServer
from hourglass_pose.checkpoints.folder import CheckpointFolder, verify
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.runtime.cluster.local import free_ports
from hourglass_pose.runtime.host_channel import LOST_RANK
from hourglass_pose.runtime.job_key import JOB_KEY
from seen_run import Run
from stand_in_device import STAND_IN, Journal, wait_for
from tiny_run import SETTINGS, tiny_config

# The servers of the table, as the vendor names them, and the address of each host.
SERVERS = {'node_0': '127.0.0.2', 'node_1': '127.0.0.1'}
STEPS_PER_EPOCH, EPOCHS, BATCH, RANKS = 3, 2, 2, 4
SECONDS = 900
SHORT = (
    f'Train.batch_size={BATCH}',
    f'Train.epoch_size={STEPS_PER_EPOCH}',
    'Validation.valid_batch_size=2',
    'Train.ema_decay=0',
    # A process that is slow, or is stopped for a while, is not lost.
    'Device.rank_timeout=600',
)


def rank_table():
    """Return a table in which the first server has the ranks 0 and 1, and the second one 2 and 3."""
    return {
        'status': 'completed',
        'version': '1.0',
        'server_count': str(len(SERVERS)),
        'server_list': [
            {
                'server_id': name,
                'host_ip': address,
                'device': [
                    {'device_id': str(i), 'device_ip': f'10.0.{number}.{i}', 'rank_id': str(2 * number + i)}
                    for i in range(2)
                ],
            }
            for number, (name, address) in enumerate(SERVERS.items())
        ],
    }


class Servers:
    """The two servers, each a folder of its own with its copy of the table; the trainer of both is server_ranks.py."""

    def __init__(self, folder, annotations):
        self._data, self._started = os.path.dirname(annotations), []
        self.journal = Journal(str(folder / 'journal'))
        self.servers = [AscendServer(folder / name) for name in SERVERS]
        self.run_folders = [server.path('work/run') for server in self.servers]
        paths = os.pathsep.join([STAND_IN, CODE, TESTS, SUPPORT])
        trainer = os.path.join(SUPPORT, 'server_ranks.py')
        for server in self.servers:
            server.write('table.json', json.dumps(rank_table()))
            server.write(
                'my.cfg',
                ''.join(
                    f'[{section}]\n' + ''.join(f'{key}: {value!r}\n' for key, value in keys.items())
                    for section, keys in SETTINGS.items()
                ),
            )
            server.program(
                'python',
                f'case "${{1:-}}" in\n*/train_launcher.py|*/load.py) PYTHONPATH={paths} exec {sys.executable} '
                f'{trainer} "$@";;\n*) exec {sys.executable} "$@";;\nesac',
            )
            server.environ.update(
                {
                    JOB_KEY: 'one secret of both servers',
                    'HOURGLASS_STAND_IN_JOURNAL': self.journal.path,
                    'SEEN': self.servers[0].path('work/seen'),
                    'TF_NUM_INTRAOP_THREADS': '1',
                }
            )

    def start(self, *arguments):
        """Start run_npu.sh on each server with these arguments."""
        settings = [word for word in OVERRIDES + SHORT if not word.startswith('Device.device')]
        words = [f'--set={word}' for word in settings + [f'Device.rank_port={free_ports(1)}']] + list(arguments)
        for name, server in zip(SERVERS, self.servers):
            table = f'--rank_table={server.path("table.json")}'
            config = f'--config={server.path("my.cfg")}'
            self._started.append(
                server.start(table, f'--server_id={name}', config, f'--data_path={self._data}', *words, run_dir=False)
            )

    def wait(self):
        """Return [(exit code, what it printed)] of the launchers, which have to end by themselves."""
        found = []
        for started in self._started:
            printed, errors = started.communicate(timeout=SECONDS)
            found.append((started.returncode, printed + errors))
        self._started = []
        return found

    def has_ended(self):
        """Tell whether one of the launchers has ended."""
        return any(started.poll() is not None for started in self._started)

    def log(self, rank):
        name = list(SERVERS)[rank // 2]
        return self.servers[rank // 2].read(f'work/output/{name}/{rank % 2}/train_{rank % 2}.log')

    def logs(self):
        return '\n'.join(self.log(rank) for rank in range(RANKS))

    def close(self):
        for started in self._started:
            os.killpg(started.pid, signal.SIGKILL)
        for process in {entry['process'] for entry in self.journal.entries()}:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass


@pytest.fixture
def servers(tmp_path, synthetic_people):
    both = Servers(tmp_path, synthetic_people)
    yield both
    both.close()


def order_of_one_process(count, seed, stop):
    """Return the first indices of the endless order of `count` persons."""
    epochs = range(stop // count + 1)
    return np.concatenate([np.random.RandomState([seed, epoch]).permutation(count) for epoch in epochs])[:stop]


@pytest.mark.slow
def test_two_servers_are_one_training_that_ends_with_a_lost_rank(servers, tmp_path, synthetic_people):
    servers.start('--run_dir=run', f'--train_epochs={EPOCHS}')
    (first_code, first_text), (second_code, second_text) = servers.wait()
    assert (first_code, second_code) == (0, 0), (first_text, second_text, servers.logs())
    assert 'Final Performance images/sec : ' in first_text and 'Final' not in second_text
    assert 'the results are on the server of rank 0' in second_text
    require_one_training([Run(servers.run_folders[0], rank) for rank in range(RANKS)], tmp_path, synthetic_people)
    # The servers do not share this folder; rank 0 alone writes.
    newest = CheckpointFolder(servers.run_folders[0]).newest_intact(pytest.fail)
    assert verify(newest)['global_step'] == STEPS_PER_EPOCH * EPOCHS and os.listdir(servers.run_folders[1]) == []

    # To resume, both have to see it.
    servers.start(f'--ckpt_path={servers.run_folders[0]}', '--train_epochs=100000')
    wait_for(lambda: servers.has_ended() or newest_step(servers) > STEPS_PER_EPOCH * EPOCHS, SECONDS, servers.logs)
    assert not servers.has_ended(), servers.logs()
    os.kill([entry['process'] for entry in servers.journal.entries('initialised', rank=3)][-1], signal.SIGKILL)
    (first_code, first_text), (second_code, second_text) = servers.wait()
    assert (first_code, second_code) == (LOST_RANK, 128 + signal.SIGKILL), (first_text, second_text)
    for rank in range(3):
        lines = servers.log(rank).strip().splitlines()
        assert 'rank 3 (device 1 of server node_1) is lost' in lines[-1] and 'checkpoint' in lines[-1], lines
        assert 'Traceback' not in servers.log(rank)
    assert CheckpointFolder(servers.run_folders[0]).newest_intact(lambda line: None)


def newest_step(servers):
    return max(CheckpointFolder(servers.run_folders[0]).steps(), default=0)


def require_one_training(runs, folder, annotations):
    """Check that the ranks took their shares of one order, made the same steps and have the same weights."""
    variables = [run.variables() for run in runs]
    for name, value in variables[0].items():
        # Each rank keeps statistics of its own batches; all else is one.
        assert all(np.array_equal(value, other[name]) for other in variables) or 'moving_' in name, name
    steps = STEPS_PER_EPOCH * EPOCHS
    assert [len(run.steps()) for run in runs] == [steps] * RANKS and variables[0]['global_step'] == steps
    batches = zip(*[run.persons()[:steps] for run in runs])
    seen = [index for joint in batches for batch in joint for index in batch]
    config = tiny_config(str(folder / 'other'), annotations)
    people = len(Experiment(config, report=lambda line: None).split()['train'])
    assert seen == list(order_of_one_process(people, config.Train.seed, steps * RANKS * BATCH))
