"""Processes of a run: stopped by a signal after a checkpoint, or because one of them failed, and never left running."""

import json
import signal
import time

import pytest

from ascend_server import SECONDS_TO_WAIT, AscendServer, interrupt, is_alive


@pytest.fixture
def server(tmp_path):
    return AscendServer(tmp_path)


def started(server, device):
    return json.loads(server.read(f'work/output/{device}/started.json'))


def test_ctrl_c_stops_all_ranks_after_a_checkpoint(server):
    server.environ['BEHAVIOUR'] = 'wait'
    run = server.start('--device_ids=0,1')
    server.wait_for('ready', (0, 1))
    interrupt(run)
    printed, errors = run.communicate(timeout=SECONDS_TO_WAIT)
    assert (run.returncode, errors) == (128 + signal.SIGINT, '')
    for device in (0, 1):
        # One SIGTERM, and not the terminal's SIGINT besides: a second signal would end it without a checkpoint.
        assert server.log(device).splitlines()[-1] == f'checkpoint written after 1 signals: {signal.SIGTERM}'
    assert f'--ckpt_path={server.path("work/run")}' in printed and 'Final' not in printed


def test_a_run_in_the_background_of_a_script_heeds_ctrl_c(server):
    # Where a shell starts a command by &, SIGINT is ignored from the start.
    server.environ['BEHAVIOUR'] = 'wait'
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run = server.start()
    finally:
        signal.signal(signal.SIGINT, before)
    server.wait_for('ready', (0,))
    interrupt(run)
    run.communicate(timeout=SECONDS_TO_WAIT)
    assert run.returncode == 128 + signal.SIGINT
    assert 'checkpoint written' in server.log(0)


def test_sigterm_is_passed_on_and_the_second_ctrl_c_kills(server):
    server.environ['BEHAVIOUR'] = 'stubborn 9'
    run = server.start('--device_ids=0,1')
    server.wait_for('ready', (0, 1))
    pids = [started(server, device)['pid'] for device in (0, 1)]
    run.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert run.poll() is None and all(is_alive(pid) for pid in pids)
    interrupt(run)
    printed, _ = run.communicate(timeout=SECONDS_TO_WAIT)
    assert run.returncode == 128 + signal.SIGKILL
    assert 'stopping 2 processes' in printed
    assert not any(is_alive(pid) for pid in pids)


def test_a_rank_that_dies_stops_the_others_and_shows_its_last_lines(server):
    server.environ['BEHAVIOUR'] = 'fail 2'
    code, printed, _ = server.run('--device_ids=0-3')
    assert code == 7
    assert 'rank 2 on device 2 failed with exit code 7' in printed
    assert 'line 99 of rank 2' in printed and 'line 80 of rank 2' in printed and 'line 79 of rank 2' not in printed
    for device in (0, 1, 3):
        assert 'checkpoint written' in server.log(device)
    # What it had started itself is ended, too.
    assert not is_alive(int(server.read('work/output/2/helper.pid')))
    assert 'Final' not in printed


def test_a_rank_that_ended_because_of_another_is_not_blamed(server):
    # Rank 1 loses rank 2 and is gone (exit code 3) before rank 2, which fails, has ended (exit code 7).
    server.environ['BEHAVIOUR'] = 'lost 2'
    code, printed, _ = server.run('--device_ids=1-3')
    assert code == 7
    assert printed.index('rank 1 on device 2 ended with exit code 3') < printed.index('rank 2 on device 3 ended')
    assert 'error: rank 2 on device 3 failed with exit code 7' in printed and 'error: rank 1' not in printed


def test_ranks_that_do_not_stop_beside_a_dead_one_are_killed(server):
    server.environ['BEHAVIOUR'] = 'stubborn 1'
    begin = time.monotonic()
    code, printed, _ = server.run('--device_ids=0,1', '--stop_seconds=1')
    assert code == 7 and 'killed after 1 s: rank 0' in printed
    assert time.monotonic() - begin < 20 and not is_alive(started(server, 0)['pid'])
