"""Puts the stand-in for an Ascend device in the place of npu_bridge and hccl, here and in processes of its own."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import CODE, SUPPORT, TESTS

from hourglass_pose.tf_compat import tf

STAND_IN = os.path.join(SUPPORT, 'npu_stand_in')
PACKAGES = ('npu_bridge', 'hccl', 'stand_in')
ENVIRONMENT = (
    'RANK_ID',
    'RANK_SIZE',
    'RANK_TABLE_FILE',
    'JOB_ID',
    'HOURGLASS_JOB_KEY',
    'DEVICE_ID',
    'ASCEND_DEVICE_ID',
    'CM_CHIEF_IP',
    'CM_CHIEF_PORT',
    'CM_CHIEF_DEVICE',
    'CM_WORKER_SIZE',
    'CM_WORKER_IP',
    'HOURGLASS_STAND_IN',
    'HOURGLASS_STAND_IN_JOURNAL',
    'HOURGLASS_STAND_IN_OVERFLOW',
    'HOURGLASS_STAND_IN_INF_NAN',
)


class Journal:
    """What the stand-in wrote down."""

    def __init__(self, path):
        self.path = path

    def entries(self, event=None, rank=None):
        """Return the entries in their order, all of them or those of one event and rank."""
        if not os.path.exists(self.path):
            return []
        with open(self.path) as stream:
            # The last line may still be in the writing.
            entries = [json.loads(line) for line in stream if line.endswith('\n')]
        return [entry for entry in entries if event in (None, entry['event']) and rank in (None, entry['rank'])]


@pytest.fixture(params=['A21', 'A23'])
def npu(request, monkeypatch, tmp_path):
    """Play one state of the adapter, then the other, in this process; the value is the Journal."""
    with played(request.param, monkeypatch, tmp_path) as journal:
        yield journal


@pytest.fixture
def newer_npu(monkeypatch, tmp_path):
    """Play the newer state alone."""
    with played('A23', monkeypatch, tmp_path) as journal:
        yield journal


class played:
    """Context in which this process has the stand-in of one state."""

    def __init__(self, state, monkeypatch, folder):
        self.state, self.monkeypatch = state, monkeypatch
        self.journal = Journal(str(folder / (f'journal-{state}')))

    def __enter__(self):
        for name in ENVIRONMENT:
            self.monkeypatch.delenv(name, raising=False)
        self.monkeypatch.setenv('HOURGLASS_STAND_IN', self.state)
        self.monkeypatch.setenv('HOURGLASS_STAND_IN_JOURNAL', self.journal.path)
        self.monkeypatch.setattr(sys, 'path', [STAND_IN] + sys.path)
        forget_device()
        return self.journal

    def __exit__(self, *exception):
        forget_device()


def forget_device():
    """Make the next import of the stand-in that of another device, with a fresh register and nothing to watch."""
    if 'stand_in.sessions' in sys.modules:
        sys.modules['stand_in.sessions'].uninstall()
    for name in [name for name in sys.modules if name.split('.')[0] in PACKAGES]:
        del sys.modules[name]


def rank_table(path, count):
    """Write the table of so many devices in one server."""
    devices = [{'device_id': str(i), 'device_ip': f'192.168.100.{i + 1}', 'rank_id': str(i)} for i in range(count)]
    with open(path, 'w') as stream:
        json.dump(
            {
                'status': 'completed',
                'version': '1.0',
                'server_count': '1',
                'server_list': [{'server_id': '127.0.0.1', 'device': devices}],
            },
            stream,
        )


@pytest.fixture(scope='module')
def start_ranks():
    """Return a function that starts Ranks: (count, folder, program, *arguments, **environment)."""
    environment = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    environment['PYTHONPATH'] = os.pathsep.join([STAND_IN, CODE, TESTS])
    forking = subprocess.Popen(
        [sys.executable, os.path.join(SUPPORT, 'forked_ranks.py')],
        env=environment,
        stdin=subprocess.PIPE,
        universal_newlines=True,
        bufsize=1,
    )
    yield lambda *arguments, **settings: Ranks(forking, *arguments, **settings)
    forking.stdin.close()
    forking.wait(timeout=60)


class Ranks:
    """Processes that call main(arguments) of a program in tests/ as the ranks of one job.

    Use as a context: it kills those that are left.
    """

    def __init__(self, forking, count, folder, program, *arguments, **environment):
        self.count, self.folder, self._forking = count, str(folder), forking
        os.makedirs(self.folder)
        table = os.path.join(self.folder, 'rank_table.json')
        rank_table(table, count)
        self.journal = Journal(os.path.join(self.folder, 'journal'))
        settings = dict(
            RANK_SIZE=str(count),
            RANK_TABLE_FILE=table,
            JOB_ID=self.folder,
            HOURGLASS_STAND_IN_JOURNAL=self.journal.path,
        )
        settings.update(environment)
        forking.stdin.write(
            json.dumps(
                {
                    'folder': self.folder,
                    'count': count,
                    'program': program,
                    'arguments': [str(argument) for argument in arguments],
                    'environment': settings,
                }
            )
            + '\n'
        )

    def __enter__(self):
        wait_for(lambda: self._forking.poll() is not None or len(self.pids()) == self.count)
        return self

    def __exit__(self, *exception):
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def pids(self):
        """Return the process numbers of the ranks that have been started, by rank."""
        return [self._read(f'pid-{rank}') for rank in range(self.count) if self._has(f'pid-{rank}')]

    def wait(self, seconds=180):
        """Return the exit codes of the ranks, which have to end by themselves; minus the signal of a killed one."""
        wait_for(lambda: self._has('codes'), seconds, self.logs)
        return self._read('codes')

    def log(self, rank):
        """Return what a rank has printed so far."""
        with open(os.path.join(self.folder, f'log-{rank}')) as stream:
            return stream.read()

    def logs(self):
        """Return what all ranks have printed, for messages."""
        return '\n'.join(f'--- rank {rank}\n{self.log(rank)}' for rank in range(self.count))

    def _has(self, name):
        return os.path.exists(os.path.join(self.folder, name))

    def _read(self, name):
        with open(os.path.join(self.folder, name)) as stream:
            return json.load(stream)


def wait_for(condition, seconds=120, report=str):
    """Return when the condition holds."""
    limit = time.time() + seconds
    while not condition():
        assert time.time() < limit, f'waited too long\n{report()}'
        time.sleep(0.02)


def module(name):
    """Return a module of the adapter, or of the stand-in for it."""
    return importlib.import_module(name)


def config_of(**options):
    """Return a session config for the device with these options, each of the kind of its Python type."""
    config = tf.ConfigProto(intra_op_parallelism_threads=1)
    rewrite = config.graph_options.rewrite_options
    rewrite.remapping = rewrite.memory_optimization = 2  # OFF
    custom = rewrite.custom_optimizers.add()
    custom.name = 'NpuOptimizer'
    for key, value in dict({'use_off_line': True}, **options).items():
        kind = 'b' if isinstance(value, bool) else 'i' if isinstance(value, int) else 's'
        setattr(custom.parameter_map[key], kind, value.encode() if kind == 's' else value)
    return config


def dynamic(**options):
    """Return a function that makes a loss scale of 8, which three good steps double and one overflow halves."""
    return lambda: module('npu_bridge.estimator.npu.npu_loss_scale_manager').ExponentialUpdateLossScaleManager(
        **dict(dict(init_loss_scale=8, incr_every_n_steps=3, decr_every_n_nan_or_inf=1, decr_ratio=0.5), **options)
    )
