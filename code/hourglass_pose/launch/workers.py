"""The program behind scripts/run_workers.sh: a training in several processes on the CPU or the GPUs of this machine."""

import argparse
import glob
import os
import sys
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from hourglass_pose.checkpoints.folder import CheckpointFolder
from hourglass_pose.checkpoints.paths import run_to_resume
from hourglass_pose.cli import DONE, USERS_MISTAKE, parse_arguments, report_mistakes
from hourglass_pose.cli.options import config_path
from hourglass_pose.config.config import Config, load_config
from hourglass_pose.cores import threads_of_process
from hourglass_pose.errors import LaunchError
from hourglass_pose.experiment.run_folder import config_of_run, refuse_mixing
from hourglass_pose.experiment.training_data import require_data
from hourglass_pose.launch.plan import CODE, Process, share_of_workers
from hourglass_pose.launch.processes import Processes
from hourglass_pose.launch.results import Results
from hourglass_pose.runtime.cluster.local import environments_of_workers
from hourglass_pose.training.performance import PERFORMANCE

_USAGE = """usage: bash scripts/run_workers.sh N [arguments of train_launcher.py]
       bash scripts/run_workers.sh N resume [RUN] [arguments of load.py]

Trains in N processes on this machine. Each takes Train.batch_size persons in a step, and its share of the cores.
Their logs are in the folder output. Machines apart from each other: see docs/workers.md.
"""
_LOGS = 'output'
_STOP_SECONDS = 60
_THREADS = 'TF_NUM_INTRAOP_THREADS'  # TensorFlow's own variable, for sessions without a number of threads
_PROGRAMS = {'train': 'train_launcher.py', 'resume': 'load.py'}


def main(words: Optional[Sequence[str]] = None) -> int:
    """Start the processes, wait for them, and return the exit code.

    0 done, 2 a mistake of the user, 128 + number after a signal stopped it, otherwise the exit code of the first
    process that failed.
    """
    return report_mistakes(lambda: _run(list(sys.argv[1:] if words is None else words)))


def _run(words: List[str]) -> int:
    if not words or words[0] in ('-h', '--help'):
        print(_USAGE)
        return DONE if words else USERS_MISTAKE
    count = _count(words[0])
    subcommand = words[1] if words[1:] and words[1] in _PROGRAMS else 'train'
    given = words[2:] if words[1:2] == [subcommand] else words[1:]
    config, folder = settings_of(subcommand, given)
    processes = plan_workers(count, subcommand, given, config, os.environ)
    results = Results(folder)
    running = Processes(processes, _STOP_SECONDS, lambda line: print(line, flush=True))
    code = running.run()
    is_finished = bool(results.read(PERFORMANCE).get('finished'))
    if not is_finished and CheckpointFolder(folder).steps():
        print(f'"bash scripts/run_workers.sh {count} resume {folder}" continues from the last checkpoint')
    return code or (128 + running.stopped_by if running.stopped_by and not is_finished else DONE)


def _count(word: str) -> int:
    if not word.isdigit() or int(word) < 1:
        raise LaunchError(f"expected the number of processes, an integer >= 1, found '{word}'; --help shows the usage")
    return int(word)


def settings_of(subcommand: str, given: Sequence[str]) -> Tuple[Config, str]:
    """Return the settings of the run and its folder, after the checks that need no TensorFlow.

    Args:
        subcommand: 'train' or 'resume'.
        given: its arguments.

    Raises:
        UserError: the settings are wrong, the data is missing, or a new run would mix with an earlier one.
    """
    options = parse_arguments([subcommand, *given])
    config = load_config(config_path(options), options.overrides)
    folder = config.Saver.saver_directory
    if subcommand == 'resume':
        run = run_to_resume(options.checkpoint or folder)
        if run:
            folder = os.path.abspath(run)
            config = config_of_run(folder, options.overrides)
    else:
        _check_new_run(config, options)
    if config.Device.device == 'npu':
        raise LaunchError(
            "Device.device: expected 'auto', 'cpu' or 'gpu', found 'npu'; use scripts/run_npu.sh for NPUs"
        )
    return config, folder


def _check_new_run(config: Config, options: argparse.Namespace) -> None:
    if not config.Train.training:
        raise LaunchError('Train.training: expected True for a training in several processes, found False')
    if not options.synthetic:
        require_data(config)
    refuse_mixing(config.Saver.saver_directory, options.fresh)


def plan_workers(
    count: int, subcommand: str, given: Sequence[str], config: Config, environ: Mapping[str, str]
) -> List[Process]:
    """Return the processes: the same command in the caller's folder, each with its TF_CONFIG and the job's key.

    Raises:
        LaunchError: there are too few GPUs, or no free ports.
    """
    command = [environ.get('PYTHON') or sys.executable, os.path.join(CODE, _PROGRAMS[subcommand]), *given]
    for setting in share_of_workers(config, count):
        command += ['--set', setting]
    threads = _share_of_threads(config, count, environ)
    gpus = gpus_of_workers(count, config, environ)
    processes = []
    for rank, environment in enumerate(environments_of_workers(count, environ)):
        environment = {**environment, 'PYTHONUNBUFFERED': '1', **threads, **gpus[rank]}
        log = os.path.abspath(os.path.join(_LOGS, f'worker_{rank}.log'))
        processes.append(Process(rank, None, environment, tuple(command), os.getcwd(), log))
    return processes


def _share_of_threads(config: Config, count: int, environ: Mapping[str, str]) -> Dict[str, str]:
    """Return the environment that gives each process its share of the cores, unless the settings have intra_threads.

    It is no setting, because a run that is resumed with another number of processes would keep it.
    """
    if config.Device.intra_threads or count == 1 or environ.get(_THREADS):
        return {}
    return {_THREADS: str(threads_of_process(count))}


def gpus_of_workers(
    count: int, config: Config, environ: Mapping[str, str], devices: str = '/dev/nvidia[0-9]*'
) -> List[Dict[str, str]]:
    """Return the environment of each process that gives it its own GPU, empty on a machine without GPUs.

    Raises:
        LaunchError: there are fewer GPUs than processes.
    """
    visible = environ.get('CUDA_VISIBLE_DEVICES')
    if visible is None:
        gpus = [str(number) for number in range(len(glob.glob(devices)))]
    else:
        gpus = [name.strip() for name in visible.split(',') if name.strip() not in ('', '-1')]
    if config.Device.device == 'cpu' or not gpus:
        return [{} for _ in range(count)]
    if len(gpus) < count:
        raise LaunchError(
            f"{count} processes need a GPU each, found {len(gpus)}; start {len(gpus)}, or set Device.device='cpu'"
        )
    return [{'CUDA_VISIBLE_DEVICES': gpus[rank]} for rank in range(count)]
