"""The lock of a folder: one process at a time, free after any end of its owner, and not copied with the folder."""

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import CODE

from hourglass_pose.checkpoints.run_lock import LOCK, OWNER, FolderLock
from hourglass_pose.errors import UserError

# Takes the lock, starts a child of each kind that training has, says so, and waits to be killed.
OWNER_WITH_CHILDREN = """
import multiprocessing, os, subprocess, sys, time
from hourglass_pose.checkpoints.run_lock import FolderLock
with FolderLock(sys.argv[1], print):
    started = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], stdout=subprocess.DEVNULL)
    spawned = multiprocessing.get_context('spawn').Process(target=time.sleep, args=(60,))
    forked = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,))
    spawned.start()
    forked.start()
    print(started.pid, spawned.pid, forked.pid, flush=True)
    time.sleep(60)
"""


def take(folder, **options):
    return FolderLock(str(folder), pytest.fail, **options)


def is_free(folder):
    try:
        with take(folder):
            return True
    except UserError:
        return False


def start(program, *arguments):
    return subprocess.Popen(
        [sys.executable, '-c', program, *arguments],
        env=dict(os.environ, PYTHONPATH=CODE),
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )


def test_second_owner_is_refused_with_the_name_of_the_first(tmp_path):
    with take(tmp_path):
        with pytest.raises(UserError) as caught:
            take(tmp_path).__enter__()
        message = str(caught.value)
        assert '\n' not in message and str(tmp_path) in message and f'process {os.getpid()} on ' in message
        assert 'Saver.saver_directory' in message
    assert is_free(tmp_path) and not os.path.exists(str(tmp_path / OWNER))


def test_lock_is_free_after_an_exception(tmp_path):
    with pytest.raises(ValueError):
        with take(tmp_path):
            raise ValueError()
    assert is_free(tmp_path)


def test_killed_owner_leaves_the_folder_free_while_its_children_live(tmp_path):
    owner = start(OWNER_WITH_CHILDREN, str(tmp_path))
    children = [int(number) for number in owner.stdout.readline().split()]
    try:
        assert not is_free(tmp_path)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        # A child closes the lock's descriptor right after it is forked, which may still be to come.
        deadline = time.monotonic() + 10
        while not is_free(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in children:
            os.kill(child, 0)
        assert is_free(tmp_path)
    finally:
        owner.kill()
        owner.stdout.close()
        for child in children:
            os.kill(child, signal.SIGKILL)


def test_forked_child_that_ends_does_not_free_the_lock_of_its_parent(tmp_path):
    with take(tmp_path):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        assert not is_free(tmp_path)


def test_of_starts_at_the_same_moment_one_gets_the_lock(tmp_path):
    for number in range(50):
        folder = tmp_path / str(number)
        folder.mkdir()
        barrier, results, done = threading.Barrier(2), [], threading.Event()

        def begin():
            barrier.wait()
            try:
                with take(folder):
                    results.append(True)
                    done.wait(30)
            except UserError:
                results.append(False)
                done.set()

        threads = [threading.Thread(target=begin) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [False, True]


def test_owner_who_was_killed_decides_nothing(tmp_path):
    (tmp_path / LOCK).write_text('')
    (tmp_path / OWNER).write_text(json.dumps({'host': 'elsewhere', 'process': 1, 'started': 'long ago'}))
    assert is_free(tmp_path)


def test_copy_of_a_locked_folder_is_free(tmp_path):
    original = tmp_path / 'run'
    original.mkdir()
    with take(original):
        shutil.copytree(str(original), str(tmp_path / 'copy'))
        assert is_free(tmp_path / 'copy') and not is_free(original)


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path):
    order = []

    def second():
        with take(tmp_path, waits=True):
            order.append('second')

    with take(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)
        order.append('first')
    thread.join()
    assert order == ['first', 'second']


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_file_system_without_locks_gives_one_line_and_continues(tmp_path, monkeypatch, number):
    def flock(descriptor, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, 'flock', flock)
    lines = []
    with FolderLock(str(tmp_path), lines.append):
        pass
    assert len(lines) == 1 and 'has no locks' in lines[0] and os.strerror(number) in lines[0]


def test_folder_that_cannot_hold_the_lock_is_named(tmp_path):
    (tmp_path / LOCK).mkdir()
    with pytest.raises(UserError, match=f'{tmp_path}.*Is a directory'):
        take(tmp_path).__enter__()
