"""The channel between processes: what it carries arrives whole and in order, and nobody waits for a lost process."""

import os
import signal
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import CODE, SUPPORT

from hourglass_pose.errors import UserError
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.runtime.host_channel import LOST_RANK, HostChannel

PROGRAM = os.path.join(SUPPORT, 'host_rank.py')
PATIENT = 600


def free_port():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


def in_threads(count, work, token=lambda rank: 'job'):
    """Run work(channel) for each rank in a thread of its own and return what they returned, in order of rank."""
    port, results = free_port(), [None] * count

    def run(rank):
        try:
            results[rank] = work(HostChannel(rank, count, '127.0.0.1', port, token(rank), PATIENT, start_timeout=3))
        except UserError as error:
            results[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class Joined(Runtime):
    """A runtime that has nothing but its channel."""

    def __init__(self, channel):
        self.rank, self.world_size = channel.rank, channel.world_size
        self.exchange_bytes = channel.exchange


def test_everyone_gets_what_everyone_gave_in_order_of_rank():
    def work(channel):
        # From nothing to more than the buffers of a connection hold.
        found = [channel.exchange(bytes([65 + channel.rank]) * size) for size in (0, 1, 3 * 2**20, 0, 7)]
        channel.close()
        return found

    expected = [[bytes([65 + rank]) * size for rank in range(4)] for size in (0, 1, 3 * 2**20, 0, 7)]
    assert in_threads(4, work) == [expected] * 4


def test_values_means_wishes_and_arrays_are_the_same_in_every_process():
    def work(channel):
        runtime = Joined(channel)
        arrays = {
            'joints': np.array([[0.1, np.nan], [-0.0, np.inf]]) * (runtime.rank + 1),
            'indices': np.arange(runtime.rank, dtype=np.int64),
        }
        found = (
            runtime.exchange({'rank': runtime.rank}),
            runtime.average(runtime.rank + 0.25),
            runtime.any_of(runtime.rank == 2),
            runtime.any_of(False),
            runtime.exchange_arrays(arrays),
        )
        runtime.barrier()
        channel.close()
        return found

    for values, mean, one_wish, no_wish, shares in in_threads(3, work):
        assert values == [{'rank': 0}, {'rank': 1}, {'rank': 2}]
        assert mean == 1.25 and one_wish is True and no_wish is False
        for rank, share in enumerate(shares):
            expected = np.array([[0.1, np.nan], [-0.0, np.inf]]) * (rank + 1)
            assert share['joints'].tobytes() == expected.tobytes() and share['joints'].dtype == np.float64
            assert share['indices'].dtype == np.int64 and share['indices'].tolist() == list(range(rank))


def test_one_process_talks_to_itself():
    runtime = Runtime()
    assert runtime.exchange([1, 'a']) == [[1, 'a']] and runtime.average(0.1) == 0.1 and runtime.any_of(True)
    assert runtime.exchange_arrays({'a': np.array([1.5])})[0]['a'].tolist() == [1.5]


def test_process_of_another_job_is_sent_away_and_the_missing_one_named():
    mine, other = in_threads(2, lambda channel: channel, token=lambda rank: 'job %d' % rank)
    assert isinstance(mine, UserError) and 'rank 1 did not connect' in str(mine)
    assert isinstance(other, UserError) and 'belongs to another job' in str(other) and 'Device.rank_port' in str(other)


def test_what_speaks_another_language_is_sent_away_and_the_others_are_waited_for():
    port, results = free_port(), []
    chief = threading.Thread(
        target=lambda: results.append(HostChannel(0, 2, '127.0.0.1', port, 'job', PATIENT, PATIENT).exchange(b'chief'))
    )
    chief.start()
    while True:
        try:
            stranger = socket.create_connection(('127.0.0.1', port))
            break
        except OSError:
            continue
    stranger.sendall(b'GET / HTTP/1.1\r\nHost: rank 0 is no web server\r\n\r\n')
    # Taken for a header, this announces more bytes than ever come.
    stranger.close()
    assert HostChannel(1, 2, '127.0.0.1', port, 'job', PATIENT, PATIENT).exchange(b'other') == [b'chief', b'other']
    chief.join()
    assert results == [[b'chief', b'other']]


def test_taken_port_is_one_line_that_says_what_to_set():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen(1)
        with pytest.raises(UserError, match='set another Device.rank_port') as caught:
            HostChannel(0, 2, '127.0.0.1', taken.getsockname()[1])
    assert '\n' not in str(caught.value)


def test_chief_that_does_not_come_is_named():
    with pytest.raises(UserError, match='rank 1 does not reach rank 0 at 127.0.0.1'):
        HostChannel(1, 2, '127.0.0.1', free_port(), start_timeout=0.3)


@pytest.fixture
def start():
    """Return a function that starts processes with these tasks, and waits until all have met."""
    processes = []

    def start(tasks, timeout=PATIENT):
        port = free_port()
        for rank, task in enumerate(tasks):
            processes.append(
                subprocess.Popen(
                    [sys.executable, PROGRAM, str(rank), str(len(tasks)), str(port), str(timeout), task],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
        for process in processes:
            assert process.stdout.readline() == b'met\n', process.communicate()[1].decode()
        return processes

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def endings(processes):
    """Return [(exit code, what it said on the error stream)]."""
    return [(process.wait(PATIENT), process.stderr.read().decode()) for process in processes]


def test_processes_that_are_done_end_well(start):
    assert endings(start(['work', 'work', 'work'])) == [(0, '')] * 3


@pytest.mark.parametrize('lost', [0, 1])
def test_killed_process_is_named_by_all_others_whatever_they_are_blocked_in(start, lost):
    processes = start(['block', 'block', 'block'])
    processes.pop(lost).kill()
    for code, said in endings(processes):
        assert code == LOST_RANK and said.startswith('error: rank %d is lost' % lost) and said.count('\n') == 1
        assert 'start all ranks again' in said


def test_silent_process_is_named_after_the_timeout(start):
    processes = start(['block', 'block', 'block'], timeout=6)
    processes[2].send_signal(signal.SIGSTOP)
    for code, said in endings(processes[:2]):
        assert code == LOST_RANK and 'rank 2 is lost: no sign of life for 6 seconds' in said


@pytest.mark.parametrize('failing', [0, 1])
def test_failure_of_one_process_is_told_to_the_others(start, failing):
    tasks = ['block'] * 3
    tasks[failing] = 'fail'
    processes = start(tasks)
    processes[failing].stdin.write(b'\n')
    processes[failing].stdin.flush()
    for rank, (code, said) in enumerate(endings(processes)):
        if rank == failing:
            assert (code, said) == (0, '')
        else:
            assert code == LOST_RANK and 'rank %d has ended: the loss is nan' % failing in said


def test_process_ends_even_where_nobody_reads_what_it_says():
    program = (
        f'import sys; sys.path.insert(0, {CODE!r}); from hourglass_pose.runtime.host_channel import end_process; '
        'sys.stdin.read(); end_process("rank 1 is lost")'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    process.stderr.close()
    process.stdin.close()
    assert process.wait(timeout=PATIENT) == LOST_RANK
