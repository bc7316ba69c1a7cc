"""Trainings that are killed, or whose disk fills, at random moments, against one that nothing interrupts."""

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest

import tiny_run
from cases import Plan, Row
from hourglass_pose.checkpoints.folder import CheckpointFolder, read_manifest
from hourglass_pose.checkpoints.manifest import verify
from hourglass_pose.checkpoints.variables import VariableSaver
from hourglass_pose.cli import report_mistakes
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.run_log import read_history

CHANGES = ('mkdir', 'rename', 'replace', 'symlink', 'unlink', 'remove', 'rmdir', 'fsync')
LINKS = ('symlink', 'replace', 'rename')
KINDS = ('moment', 'change of the folder', 'link or rename', 'inside a save')
TIMING = ('images_per_s', 'images_per_second', 'seconds', 'minutes')
DISK = '24m'

Action = Callable[[], None]


def kills(plan: Plan) -> List[Row]:
    """Kill trainings with SIGKILL, as often as the plan has cases: each four times at most, then it finishes."""
    rows = {kind: Row(f'kill: {kind}') for kind in KINDS}
    with _temporary_folder() as base:
        data, expected, seconds, totals = _uninterrupted(base)
        done, case = 0, plan.first
        while done < plan.count and time.time() < plan.deadline:
            folder = os.path.join(base, f'run{case}')
            choose = random.Random(case)
            killed: List[str] = []
            for _ in range(4):
                kind = KINDS[(done + len(killed)) % len(KINDS)]
                code, log = _killed(folder, data, kind, choose, seconds, totals)
                if code == -signal.SIGKILL:
                    killed.append(kind)
                    continue
                if code:
                    rows[kind].failures.append(f'training {case} after {killed}: exit code {code}: {log}')
                break
            code, log = _in_child(lambda folder=folder: _train(folder, data), os.path.join(base, 'log'))
            problem = f'exit code {code}: {log}' if code else _difference(expected, _outcome(folder))
            for kind in killed:
                rows[kind].outcomes['went on to the same bits' if not problem else 'other'] += 1
            if problem:
                rows[(killed or KINDS)[0]].failures.append(f'training {case} after {killed}: {problem}')
            else:
                shutil.rmtree(folder)
            done, case = done + len(killed), case + 1
            print(f'{done} kills in {case - plan.first} trainings', flush=True)
    return list(rows.values())


def disk(plan: Plan) -> List[Row]:
    """Fill the disk of a training before a random change of its folder, or at a random time; make space; continue."""
    rows = {kind: Row(f'disk full: {kind}') for kind in KINDS[:2]}
    with _temporary_folder() as base:
        data, expected, seconds, totals = _uninterrupted(base)
        mount = os.path.join(base, 'disk')
        os.mkdir(mount)
        for case in itertools.takewhile(plan.goes_on, itertools.count(plan.first)):
            subprocess.check_call(['mount', '-t', 'tmpfs', '-o', f'size={DISK}', 'tmpfs', mount])
            try:
                kind = KINDS[case % 2]
                outcome, problem = _filled(mount, base, data, expected, kind, random.Random(case), seconds, totals)
            finally:
                subprocess.check_call(['umount', '-l', mount])
            rows[kind].outcomes[outcome] += 1
            if problem:
                rows[kind].failures.append(f'training {case}: {problem}')
            print(f'{case - plan.first + 1} full disks: {outcome} {problem or ""}', flush=True)
    return list(rows.values())


def _filled(
    mount: str,
    base: str,
    data: str,
    expected: Dict[str, Any],
    kind: str,
    choose: random.Random,
    seconds: float,
    totals: Dict[str, int],
) -> Tuple[str, Optional[str]]:
    """Run one training whose disk fills; return what came of it, and what is wrong or None."""
    folder, note = os.path.join(mount, 'run'), os.path.join(base, 'note')
    left = choose.choice((0, 0, choose.randrange(100000)))

    def fill() -> None:
        steps = _intact_steps(folder)
        with open(note, 'w') as stream:
            stream.write(' '.join(map(str, steps)))
        _fill(os.path.join(mount, 'filler'), left)

    if os.path.exists(note):
        os.remove(note)
    timer = threading.Timer(choose.uniform(0.2, seconds), fill)
    number = 0 if kind == KINDS[0] else choose.randint(1, sum(totals.values()))

    def run() -> None:
        if not number:
            timer.start()
        _train(folder, data)

    code, log = _in_child(run, os.path.join(base, 'log'), CHANGES, number, fill)
    if not os.path.exists(note):
        return 'finished before', None
    before = [int(step) for step in open(note).read().split()]
    after = _intact_steps(folder)
    if code not in (0, 2):
        return 'other', f'{kind}: exit code {code}: {log}'
    if before and (not after or after[-1] < before[-1]):
        return 'lost', f'checkpoints {before} before, {after} after: {log}'
    os.remove(os.path.join(mount, 'filler'))
    second, log = _in_child(lambda: _train(folder, data), os.path.join(base, 'log'))
    problem = f'exit code {second} with space again: {log}' if second else _difference(expected, _outcome(folder))
    return 'stopped in one line, went on to the same bits' if code else 'finished all the same', problem


@contextmanager
def _temporary_folder() -> Iterator[str]:
    """Make a folder and remove it in the end; tempfile.TemporaryDirectory may remove it when a forked process ends."""
    folder = tempfile.mkdtemp(prefix='reliability-')
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _uninterrupted(base: str) -> Tuple[str, Dict[str, Any], float, Dict[str, int]]:
    """Return the data, what an uninterrupted training leaves, its seconds, and the number of its changes by name."""
    data = os.path.join(base, 'people')
    os.mkdir(data)
    # Not in this process: OpenCV's threads would not survive a fork.
    program = (
        'import sys; from hourglass_pose.synthetic.dataset import write_synthetic_dataset as w; w(sys.argv[1], 24, 5)'
    )
    path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'code')
    subprocess.check_call([sys.executable, '-c', program, data], env=dict(os.environ, PYTHONPATH=path))
    data, folder, counts = os.path.join(data, 'dataset.txt'), os.path.join(base, 'whole'), os.path.join(base, 'counts')
    start = time.time()

    def run() -> None:
        seen = _before_change(CHANGES, 0, lambda: None)
        _train(folder, data)
        with open(counts, 'w') as stream:
            stream.write(' '.join(seen))

    code, log = _in_child(run, os.path.join(base, 'log'))
    assert code == 0, log
    return data, _outcome(folder), time.time() - start, Counter(open(counts).read().split())


def _killed(
    folder: str, data: str, kind: str, choose: random.Random, seconds: float, totals: Dict[str, int]
) -> Tuple[int, str]:
    """Train, or continue, until a kill; return the exit code, -9 for the kill, and the end of the output."""
    log = folder + '.log'

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if kind == 'moment':
        return _in_child(lambda: _train(folder, data), log, kill_after=choose.uniform(0, seconds))
    if kind == 'inside a save':
        number, delay, save, calls = choose.randint(1, 3), choose.uniform(0, 0.03), VariableSaver.save, []

        def saving(self: VariableSaver, session: Any, target: str) -> None:
            calls.append(1)
            if len(calls) == number:
                threading.Timer(delay, kill).start()
            save(self, session, target)

        def run() -> None:
            VariableSaver.save = saving
            _train(folder, data)

        return _in_child(run, log)
    names = LINKS if kind == 'link or rename' else CHANGES
    number = choose.randint(1, sum(totals[name] for name in names))
    return _in_child(lambda: _train(folder, data), log, names, number, kill)


def _train(folder: str, data: str) -> None:
    """Start the training of a folder, or continue it, as the commands train and resume do."""
    patch = pytest.MonkeyPatch()
    tiny_run.train_one_layer(patch)
    config = tiny_run.tiny_config(folder, data)
    if CheckpointFolder(folder).newest_intact():
        tiny_run.go_on(config)
    else:
        tiny_run.start(config)


def _in_child(
    run: Action,
    log: str,
    names: Tuple[str, ...] = (),
    number: int = 0,
    action: Action = lambda: None,
    kill_after: Optional[float] = None,
) -> Tuple[int, str]:
    """Call run() in a forked process; return its exit code as the command line would give it, and its last output.

    names, number, action: before the change of a folder of that number, among those of these names, action() is called.
    """
    process = os.fork()
    if not process:
        code = 1
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            if number:
                _before_change(names, number, action)
            code = report_mistakes(run)
        except BaseException:
            traceback.print_exc()
        finally:
            # Nothing of this process, such as the removal of temporary folders, may happen in a forked one, too.
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
    limit = time.time() + 120
    when = limit if kill_after is None else time.time() + kill_after
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            break
        if time.time() > when:
            os.kill(process, signal.SIGKILL)
        time.sleep(0.01)
    with open(log, errors='replace') as stream:
        text = stream.read()[-1500:]
    if time.time() > limit:
        return 124, f'hangs: {text}'
    return (-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)), text


def _before_change(names: Tuple[str, ...], number: int, action: Action) -> List[str]:
    """Have action() called before the change of that number; return the list to which each change's name is added."""
    seen: List[str] = []
    owner = os.getpid()

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            if os.getpid() == owner:
                seen.append(name)
                if len(seen) == number:
                    action()
            return function(*arguments, **keywords)

        return call

    for name in names:
        setattr(os, name, watched(name, getattr(os, name)))
    return seen


def _fill(path: str, left: int) -> None:
    """Fill the disk of a path with a file, but for so many bytes."""
    size = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            size += os.write(descriptor, bytes(4096))
    except OSError:
        os.ftruncate(descriptor, max(0, size - left))
    os.close(descriptor)


def _intact_steps(folder: str) -> List[int]:
    """Return the steps of the intact checkpoints of a run, ascending."""
    found = []
    checkpoints = CheckpointFolder(folder)
    for step in checkpoints.steps():
        try:
            verify(os.path.join(folder, f'step-{step:08d}'))
            found.append(step)
        except Exception:
            continue
    return found


def _outcome(folder: str) -> Dict[str, Any]:
    """Return what must be the same: the history without speeds, every variable's bytes, the best step, the progress."""
    latest = os.path.join(folder, 'latest')
    prefix = next(os.path.join(latest, name[:-6]) for name in os.listdir(latest) if name.endswith('.index'))
    reader = tf.train.NewCheckpointReader(prefix)
    rows = read_history(os.path.join(folder, 'history.csv'))
    outcome = {name: reader.get_tensor(name).tobytes() for name in reader.get_variable_to_shape_map()}
    outcome['history.csv'] = [{name: row[name] for name in row if name not in TIMING} for row in rows]
    outcome['best'] = os.readlink(os.path.join(folder, 'best'))
    outcome['progress'] = read_manifest(latest)['progress']
    return outcome


def _difference(expected: Dict[str, Any], found: Dict[str, Any]) -> Optional[str]:
    names = [name for name in sorted(set(expected) | set(found)) if expected.get(name) != found.get(name)]
    if not names:
        return None
    shown = {
        name: (expected.get(name), found.get(name)) for name in names if name in ('history.csv', 'best', 'progress')
    }
    return f'differs in {", ".join(names)}: {shown}'[:1500]
