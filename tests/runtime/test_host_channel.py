"""The channel between processes: messages arrive complete and in order, and no process waits for a lost one."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import CODE, SUPPORT

from hourglass_pose.errors import UserError
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.runtime.cluster.local import free_ports
from hourglass_pose.runtime.host_channel import LOST_RANK, HostChannel
from hourglass_pose.runtime.meeting import Link, gather, join

PROGRAM = os.path.join(SUPPORT, 'host_rank.py')
SECONDS_TO_WAIT = 600


def in_threads(count, work, key=lambda rank: b'job'):
    """Run work(channel) for each rank in a thread of its own and return what they returned, in order of rank."""
    port, results = free_ports(1), [None] * count

    def run(rank):
        try:
            channel = HostChannel(rank, count, '127.0.0.1', port, key(rank), SECONDS_TO_WAIT, start_timeout=3)
            results[rank] = work(channel)
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


def test_values_flags_and_arrays_are_the_same_in_every_process():
    def work(channel):
        runtime = Joined(channel)
        arrays = {
            'joints': np.array([[0.1, np.nan], [-0.0, np.inf]]) * (runtime.rank + 1),
            'indices': np.arange(runtime.rank, dtype=np.int64),
        }
        found = (
            runtime.exchange({'rank': runtime.rank}),
            runtime.any_of(runtime.rank == 2),
            runtime.any_of(False),
            runtime.exchange_arrays(arrays),
        )
        runtime.barrier()
        channel.close()
        return found

    for values, any_set, none_set, shares in in_threads(3, work):
        assert values == [{'rank': 0}, {'rank': 1}, {'rank': 2}]
        assert any_set is True and none_set is False
        for rank, share in enumerate(shares):
            expected = np.array([[0.1, np.nan], [-0.0, np.inf]]) * (rank + 1)
            assert share['joints'].tobytes() == expected.tobytes() and share['joints'].dtype == np.float64
            assert share['indices'].dtype == np.int64 and share['indices'].tolist() == list(range(rank))


def test_one_process_talks_to_itself():
    runtime = Runtime()
    assert runtime.exchange([1, 'a']) == [[1, 'a']] and runtime.any_of(True)
    assert runtime.exchange_arrays({'a': np.array([1.5])})[0]['a'].tolist() == [1.5]


def test_process_with_another_key_is_refused_and_the_missing_one_named():
    mine, other = in_threads(2, lambda channel: channel, key=lambda rank: b'job %d' % rank)
    assert isinstance(mine, UserError) and 'rank 1 did not connect' in str(mine)
    assert '1 connections had another key, such as from 127.0.0.1' in str(mine)
    assert isinstance(other, UserError) and 'belongs to another job' in str(other)
    assert 'HOURGLASS_JOB_KEY' in str(other) and 'Device.rank_port' in str(other)


def test_rank_of_another_job_does_not_take_the_rank_of_this_one():
    with meeting(2) as port:
        with pytest.raises(UserError, match='another job'):
            join(1, 2, ('127.0.0.1', port), b'the other job', time.monotonic() + 5)
        assert join(1, 2, ('127.0.0.1', port), b'job', time.monotonic() + 5)


def test_second_process_of_a_rank_and_another_number_of_ranks_are_refused():
    with meeting(3) as port:
        first = join(1, 3, ('127.0.0.1', port), b'job', time.monotonic() + 5)
        for rank, count in ((1, 3), (1, 2), (3, 3), (0, 3)):
            with pytest.raises(UserError, match='is refused at'):
                join(rank, count, ('127.0.0.1', port), b'job', time.monotonic() + 5)
        assert join(2, 3, ('127.0.0.1', port), b'job', time.monotonic() + 5)
        assert first.socket.fileno() >= 0


class meeting:
    """Context in which rank 0 waits in a thread for the others; the value is its port, and at the end all have come."""

    def __init__(self, count):
        self.count, self.port, self.found = count, free_ports(1), {}

    def __enter__(self):
        deadline = time.monotonic() + SECONDS_TO_WAIT
        self.thread = threading.Thread(
            target=lambda: self.found.update(gather(self.count, ('127.0.0.1', self.port), b'job', deadline))
        )
        self.thread.start()
        return self.port

    def __exit__(self, *exception):
        if exception[0] is None:
            self.thread.join(SECONDS_TO_WAIT)
            assert sorted(self.found) == list(range(1, self.count))


def connected(port):
    """Return a connection to rank 0, as soon as it listens."""
    while True:
        try:
            return socket.create_connection(('127.0.0.1', port))
        except OSError:
            time.sleep(0.02)


@pytest.mark.parametrize(
    'sent',
    [
        b'',
        b'GET / HTTP/1.1\r\nHost: rank 0 is no web server\r\n\r\n',
        b'\xff' * 8,  # announces 2**64 - 1 bytes
        struct.pack('!Q', 72) + bytes(72),  # a hello with no proof
        struct.pack('!Q', 10**6) + bytes(1000),
    ],
    ids=['silence', 'web', 'endless', 'no proof', 'long'],
)
def test_unknown_connection_delays_no_process_and_is_only_refused(sent):
    with meeting(2) as port:
        with connected(port) as stranger:
            stranger.sendall(sent)
            begin = time.monotonic()
            assert join(1, 2, ('127.0.0.1', port), b'job', time.monotonic() + 5)
            assert time.monotonic() - begin < 5
            if sent:
                stranger.settimeout(SECONDS_TO_WAIT)
                received = b''.join(iter(lambda: read(stranger), b''))
                # The challenge, then the end or a refusal of one byte.
                assert len(received) in (40, 49) and received[48:] in (b'', b'K')


def read(connection):
    try:
        return connection.recv(1000)
    except ConnectionResetError:
        return b''


def test_silent_client_is_disconnected_after_the_limit_even_if_it_sends_single_bytes(monkeypatch):
    monkeypatch.setattr('hourglass_pose.runtime.meeting.HANDSHAKE_SECONDS', 1.0)
    with meeting(2) as port:
        with connected(port) as stranger:
            begin = time.monotonic()
            try:
                while True:
                    stranger.sendall(b'\0')
                    time.sleep(0.2)
            except OSError:
                pass
            assert 0.9 < time.monotonic() - begin < 5
        join(1, 2, ('127.0.0.1', port), b'job', time.monotonic() + 5)


def test_answer_without_a_proof_of_the_key_is_no_rank_0():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen(1)

        def pretend():
            connection = listener.accept()[0]
            link = Link(connection)
            link.send(bytes(32))
            link.receive(1000)
            link.send(bytes(32))

        threading.Thread(target=pretend, daemon=True).start()
        with pytest.raises(UserError, match='another key'):
            join(1, 2, listener.getsockname(), b'job', time.monotonic() + 5)


def test_taken_port_is_one_line_with_the_setting_to_change():
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen(1)
        with pytest.raises(UserError, match='choose another Device.rank_port') as caught:
            HostChannel(0, 2, '127.0.0.1', taken.getsockname()[1], b'job')
    assert '\n' not in str(caught.value)


def test_chief_that_does_not_come_is_named():
    with pytest.raises(UserError, match='rank 1 does not reach rank 0 at 127.0.0.1'):
        HostChannel(1, 2, '127.0.0.1', free_ports(1), b'job', start_timeout=0.3)


@pytest.fixture
def start():
    """Return a function that starts processes with these tasks, and waits until all have met."""
    processes = []

    def start(tasks, timeout=SECONDS_TO_WAIT):
        port = free_ports(1)
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
    """Return [(exit code, what it output on the error stream)]."""
    return [(process.wait(SECONDS_TO_WAIT), process.stderr.read().decode()) for process in processes]


def test_processes_that_are_done_end_well(start):
    assert endings(start(['work', 'work', 'work'])) == [(0, '')] * 3


@pytest.mark.parametrize('lost', [0, 1])
def test_killed_process_is_named_by_all_others_even_if_they_are_blocked(start, lost):
    processes = start(['block', 'block', 'block'])
    processes.pop(lost).kill()
    for code, output in endings(processes):
        assert code == LOST_RANK and output.startswith(f'error: rank {lost} is lost') and output.count('\n') == 1
        assert 'start all ranks again' in output


def test_silent_process_is_named_after_the_timeout(start):
    processes = start(['block', 'block', 'block'], timeout=6)
    processes[2].send_signal(signal.SIGSTOP)
    for code, output in endings(processes[:2]):
        assert code == LOST_RANK and 'rank 2 is lost: no sign of life for 6 seconds' in output


@pytest.mark.parametrize('stopped', [0, pytest.param(2, marks=pytest.mark.slow)])
def test_process_stopped_in_the_middle_of_a_message_is_named_after_the_timeout(start, stopped):
    """Messages of 64 MiB fill the buffers of every connection, so that the others block in sending or receiving one."""
    processes = start(['flood', 'flood', 'flood'], timeout=4)
    time.sleep(0.5)
    processes[stopped].send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    processes.pop(stopped)
    for process in processes:
        _, output = process.communicate(timeout=SECONDS_TO_WAIT)
        assert process.returncode == LOST_RANK and f'rank {stopped} is lost: no sign of life' in output.decode()
    # One timeout to notice it, and what the machine needs beside.
    assert time.monotonic() - begin < 4 + 8


@pytest.mark.parametrize('failing', [0, 1])
def test_failure_of_one_process_is_sent_to_the_others(start, failing):
    tasks = ['block'] * 3
    tasks[failing] = 'fail'
    processes = start(tasks)
    processes[failing].stdin.write(b'\n')
    processes[failing].stdin.flush()
    for rank, (code, output) in enumerate(endings(processes)):
        if rank == failing:
            assert (code, output) == (0, '')
        else:
            assert code == LOST_RANK and f'rank {failing} has ended: the loss is nan' in output


def test_process_ends_even_if_no_process_reads_its_output():
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
    assert process.wait(timeout=SECONDS_TO_WAIT) == LOST_RANK
