"""Program: forks the ranks of jobs; TensorFlow, which takes seconds to load, is imported once for all of them.

It reads a job a line from its input, JSON {"folder", "count", "program", "arguments", "environment"}: each rank r
calls main(arguments) of the program, a file beside this one, with RANK_ID r and the environment, in which <rank> stands
for r, and writes to folder/log-r. folder/pid-r is its process, folder/codes the exit codes of all ranks when the last
one has ended.
"""

import importlib
import json
import os
import sys
import traceback

import conftest  # noqa: F401  (puts the package on the path)

import hourglass_pose.experiment.training_run  # noqa: F401


def run_rank(rank, job):
    """Become a rank; never returns."""
    environment = {name: value.replace('<rank>', str(rank)) for name, value in job['environment'].items()}
    os.environ.update(environment, RANK_ID=str(rank), ASCEND_DEVICE_ID=str(rank), DEVICE_ID=str(rank))
    log = os.open(os.path.join(job['folder'], f'log-{rank}'), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    code = 1
    try:
        code = importlib.import_module(job['program'][: -len('.py')]).main(job['arguments']) or 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run_job(job):
    """Become the parent of a job's ranks; never returns."""
    children = []
    for rank in range(job['count']):
        pid = os.fork()
        if pid == 0:
            run_rank(rank, job)
        children.append(pid)
        write(job, f'pid-{rank}', pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in children]
    write(job, 'codes', [-(status & 127) if status & 127 else status >> 8 for status in statuses])
    os._exit(0)


def write(job, name, value):
    path = os.path.join(job['folder'], name)
    with open(f'{path}.new', 'w') as stream:
        json.dump(value, stream)
    os.rename(f'{path}.new', path)


def main():
    sys.dont_write_bytecode = True
    for line in iter(sys.stdin.readline, ''):
        job = json.loads(line)
        if os.fork() == 0:
            run_job(job)


if __name__ == '__main__':
    main()
