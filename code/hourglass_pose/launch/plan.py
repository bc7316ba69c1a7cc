"""The plan of a run: what every process on this server is started with, as a value that can be shown or carried out."""

import glob
import os
import shlex
import sys
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Optional, Tuple

import hourglass_pose
from hourglass_pose.config.config import load_config
from hourglass_pose.config.keys import KEY_BY_SPELLING
from hourglass_pose.cores import available_cores
from hourglass_pose.errors import LaunchError
from hourglass_pose.launch.arguments import settings_of

CODE = os.path.dirname(os.path.dirname(os.path.abspath(hourglass_pose.__file__)))
CONFIG = 'config.cfg'

# Kept where they are set already. ModelZoo's number of a job; errors only; seconds, for compiling takes minutes.
_DEFAULTS = OrderedDict([('JOB_ID', '10087'), ('ASCEND_GLOBAL_LOG_LEVEL', '3'), ('HCCL_CONNECT_TIMEOUT', '600')])


@dataclass(frozen=True)
class Process:
    """One process. environment: what it has besides that of the launcher. folder: where it works. log: its output."""

    rank: int
    device: int
    environment: OrderedDict
    command: Tuple[str, ...]
    folder: str
    log: str

    def shell(self):
        """Return the shell command that starts it."""
        settings = ' '.join(f'{name}={shlex.quote(value)}' for name, value in self.environment.items())
        command = ' '.join(shlex.quote(word) for word in self.command)
        return f'(cd {shlex.quote(self.folder)} && env {settings} {command} > {shlex.quote(self.log)} 2>&1)'


@dataclass(frozen=True)
class Plan:
    """A run on this server. config: the Config of its processes. going_on: the run folder that goes on, or None."""

    processes: Tuple[Process, ...]
    placement: Any
    config: Any
    going_on: Optional[str]
    data_problem: Optional[str]


def make_plan(arguments, placement, environ, output):
    """Return the Plan. output: absolute folder of the logs. Raises LaunchError and ConfigError."""
    going_on = _run_folder(arguments.ckpt_path)
    source = os.path.abspath(arguments.config or os.path.join(CODE, CONFIG))
    settings, data_problem = settings_of(arguments), None
    if arguments.data_path:
        chosen, data_problem = data_settings(arguments.data_path, arguments.set)
        settings = chosen + settings
    # As load.py has it: a run goes on where it is, whatever the folder was called when it began.
    config = (
        load_config(os.path.join(going_on, CONFIG), [f'Saver.saver_directory={going_on!r}'] + settings)
        if going_on
        else load_config(source, settings)
    )
    settings += _share_of_workers(config, len(placement.here))
    if config.Device.device != 'npu' and placement.size > 1:
        raise LaunchError(
            "Device.device: expected 'npu' for %d processes, found '%s'" % (placement.size, config.Device.device)
        )
    program = 'load.py' if arguments.ckpt_path else 'train_launcher.py'
    command = [environ.get('PYTHON') or sys.executable, os.path.join(CODE, program)]
    command += [os.path.abspath(arguments.ckpt_path)] if arguments.ckpt_path else []
    command += [] if going_on else ['--config', source]
    command += ['--fresh'] if arguments.fresh and not arguments.ckpt_path else []
    for setting in settings:
        command += ['--set', _rooted(setting, config)]
    processes = tuple(_process(place, placement, command, environ, output) for place in placement.here)
    return Plan(processes, placement, config, going_on, data_problem)


def _process(place, placement, command, environ, output):
    device = str(place.device)
    folder = os.path.join(output, device)
    environment = OrderedDict((name, environ.get(name) or value) for name, value in _DEFAULTS.items())
    paths = [path for path in environ.get('PYTHONPATH', '').split(os.pathsep) if path]
    environment['PYTHONPATH'] = os.pathsep.join(paths if CODE in paths else [CODE] + paths)
    environment['PYTHONUNBUFFERED'] = '1'
    environment.update(
        [
            ('ASCEND_DEVICE_ID', device),
            ('DEVICE_ID', device),
            ('DEVICE_INDEX', str(place.rank)),
            ('RANK_ID', str(place.rank)),
            ('RANK_SIZE', str(placement.size)),
        ]
    )
    if placement.table_path:
        environment['RANK_TABLE_FILE'] = placement.table_path
    return Process(
        place.rank, place.device, environment, tuple(command), folder, os.path.join(folder, f'train_{device}.log')
    )


def _run_folder(path):
    """Return the absolute run folder that a ckpt_path names, or None for a prefix of the original code's checkpoint."""
    if not path:
        return None
    if os.path.isdir(path) and os.path.isfile(os.path.join(path, CONFIG)):
        return os.path.abspath(path)
    if os.path.isfile(os.path.join(path, 'manifest.json')):
        raise LaunchError(
            f'--ckpt_path={path}: this is one checkpoint of a run, which goes on from its newest; give the '
            f'run folder, {os.path.dirname(os.path.abspath(path))}'
        )
    if os.path.isdir(path) or glob.glob(f'{glob.escape(path)}.*'):
        return None
    raise LaunchError(f'--ckpt_path={path}: there is neither a run folder nor a checkpoint with this prefix')


def data_settings(folder, given):
    """Return (settings for the data in a folder, what is wrong with it or None). given: settings that win anyway."""
    folder = os.path.abspath(folder)
    images = f'DataSetHG.img_directory={os.path.join(folder, "images")!r}'
    if any(setting.lower().startswith('datasethg.training_txt_file=') for setting in given):
        return [images], None
    found = [
        path
        for pattern in ('dataset.txt', '*.jsonl', '*.jsonl.gz')
        for path in sorted(glob.glob(os.path.join(glob.escape(folder), pattern)))
    ]
    problem = None
    if not os.path.isdir(folder):
        problem = f'data: --data_path={folder}: there is no such folder'
    elif len(found) != 1:
        problem = (
            'data: {}: expected one of dataset.txt, *.jsonl and *.jsonl.gz, found {}; name the file by '
            '--set=DataSetHG.training_txt_file=FILE'.format(
                folder, ' and '.join(map(os.path.basename, found)) or 'none of them'
            )
        )
    annotations = found[0] if found else os.path.join(folder, 'dataset.txt')
    return [f'DataSetHG.training_txt_file={annotations!r}', images], problem


def _share_of_workers(config, processes):
    """Each process takes its share of the cores for preparing batches, unless the settings say how many."""
    if config.Train.workers is not None or processes == 1:
        return []
    return ['Train.workers=%d' % max(1, available_cores() // processes)]


def _rooted(setting, config):
    """Return a setting with its paths absolute, for a process works in another folder than its user."""
    name, _, _ = setting.partition('=')
    key = KEY_BY_SPELLING[name.rpartition('.')[2].strip().lower()]
    return f'{name}={config.as_dict()[key.section][key.name]!r}' if key.rule.is_path else setting
