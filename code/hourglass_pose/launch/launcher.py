"""The program behind scripts/run_npu.sh: arguments, checks, processes, results."""

import argparse
import json
import os
import signal
import sys
import time
from typing import Iterator, Mapping, Optional, Sequence

from hourglass_pose.cli import DONE, USERS_MISTAKE, report_mistakes
from hourglass_pose.files import write_whole
from hourglass_pose.launch.arguments import debugging_folders, help_text, parse_arguments
from hourglass_pose.launch.checks import (
    check_data,
    check_devices,
    check_earlier_run,
    check_python,
    check_toolkit,
    check_writable,
)
from hourglass_pose.launch.placement import place_processes
from hourglass_pose.launch.plan import Plan, make_plan
from hourglass_pose.launch.processes import Processes
from hourglass_pose.launch.results import Results, case_log, final_lines
from hourglass_pose.training.performance import PERFORMANCE

# The exit code of ModelZoo's scripts when data_path is not given.
NO_DATA = 1


def main(words: Optional[Sequence[str]] = None) -> int:
    """Start a run, wait for it and print its results; return the exit code.

    0 done, 1 no data_path was given and the config's data is missing, 2 another mistake of the user or a failed check,
    128 + number after a signal stopped it, otherwise the exit code of the first process that failed.
    """
    return report_mistakes(lambda: _run(sys.argv[1:] if words is None else words))


def _run(words: Sequence[str]) -> int:
    arguments = parse_arguments(words)
    if arguments.help:
        print(help_text())
        return DONE
    output = os.path.abspath(arguments.output)
    placement = place_processes(arguments, os.environ, output)
    plan = make_plan(arguments, placement, os.environ, output)
    if arguments.autotune:
        print('note: --autotune has no effect; use the tuning tools of the toolkit')
    if arguments.dry_run:
        show(plan, arguments)
        return DONE
    problems = list(cheap_problems(plan, arguments)) + list(device_problems(plan, os.environ))
    problems += filter(None, map(check_writable, [output, plan.config.Saver.saver_directory]))
    if problems:
        for problem in problems:
            print(f'error: {problem}', file=sys.stderr)
        return USERS_MISTAKE if arguments.data_path or not check_data(plan.config) else NO_DATA
    return carry_out(plan, arguments)


def cheap_problems(plan: Plan, arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the problems that the files show, which takes no time."""
    if plan.placement.problem:
        yield f'rank table: {plan.placement.problem}'
    problem = plan.data_problem or check_data(plan.config)
    if problem:
        yield problem
    starts_over = arguments.fresh and not arguments.ckpt_path
    problem = check_earlier_run(plan.config.Saver.saver_directory, bool(plan.resumed or starts_over))
    if problem:
        yield problem


def device_problems(plan: Plan, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the problems of the devices and their software; none for a run without devices."""
    if plan.config.Device.device != 'npu':
        return
    first = plan.processes[0]
    for problem in (check_toolkit(environ), check_devices([slot.device for slot in plan.placement.here], environ)):
        if problem:
            yield problem
    yield from check_python(first.command[0], dict(environ, **first.environment))


def show(plan: Plan, arguments: argparse.Namespace) -> None:
    """Print the commands of the processes and the problems that would keep them from starting."""
    placement = plan.placement
    for problem in cheap_problems(plan, arguments):
        print(f'# problem: {problem}')
    if placement.table:
        print(f'# {placement.table_path} would hold {json.dumps(placement.table)}')
    for process in plan.processes:
        print(f'# rank {process.rank} of {placement.size}, device {process.device}')
        print(process.shell())


def carry_out(plan: Plan, arguments: argparse.Namespace) -> int:
    """Start the processes, wait for them and print the results; return the exit code."""
    started = time.monotonic()
    for folder in debugging_folders(arguments).values():
        os.makedirs(folder, exist_ok=True)
    folder = plan.config.Saver.saver_directory
    if plan.placement.table and plan.placement.table_path:
        write_whole(plan.placement.table_path, f'{json.dumps(plan.placement.table, indent=2)}\n'.encode())
    results = Results(folder)
    processes = Processes(plan.processes, arguments.stop_seconds, lambda line: print(line, flush=True))
    code = processes.run()
    if code:
        return code
    finished = results.read(PERFORMANCE).get('finished')
    if not finished and (processes.stopped_by or finished is False):
        # The signal may have reached a process directly, or another server.
        print(f'stopped; --ckpt_path={folder} continues from the last checkpoint')
        return 128 + (processes.stopped_by or signal.SIGTERM)
    if plan.processes[0].rank != 0:
        print('done; the results are on the server of rank 0')
        return DONE
    collected = results.collect(
        plan.config.Train.batch_size, plan.placement.size, arguments.case, time.monotonic() - started
    )
    write_whole(
        os.path.join(plan.processes[0].folder, f'{collected["CaseName"]}.log'), case_log(collected).encode('utf-8')
    )
    print('\n'.join(final_lines(collected)))
    return DONE
