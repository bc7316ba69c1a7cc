"""The plan of a run: command, environment and files of every process on this server, to be printed or executed."""

import argparse
import glob
import hashlib
import os
import secrets
import shlex
import sys
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import hourglass_pose
from hourglass_pose.checkpoints.paths import run_to_resume
from hourglass_pose.config.config import Config, load_config
from hourglass_pose.config.keys import KEY_BY_SPELLING
from hourglass_pose.cores import threads_of_process
from hourglass_pose.errors import LaunchError
from hourglass_pose.experiment.run_folder import config_of_run
from hourglass_pose.launch.arguments import settings_of
from hourglass_pose.launch.placement import Placement
from hourglass_pose.runtime.cluster.local import free_ports
from hourglass_pose.runtime.job_key import JOB_KEY, job_key
from hourglass_pose.runtime.rank_table import Slot
from hourglass_pose.runtime.ranks import RANK_PORT_VARIABLE

CODE = os.path.dirname(os.path.dirname(os.path.abspath(hourglass_pose.__file__)))
CONFIG = 'config.cfg'

# Used unless the environment sets them. Log level: errors only. Timeout: seconds, as compiling takes minutes.
_DEFAULTS = {'ASCEND_GLOBAL_LOG_LEVEL': '3', 'HCCL_CONNECT_TIMEOUT': '600'}


@dataclass(frozen=True)
class Process:
    """One process. environment: added to the launcher's. folder: its working directory. log: file of its output.

    device: number of its NPU, None for a process on the CPU or a GPU.
    """

    rank: int
    device: Optional[int]
    environment: Dict[str, str]
    command: Tuple[str, ...]
    folder: str
    log: str

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f'rank {self.rank}' if self.device is None else f'rank {self.rank} on device {self.device}'

    def shell(self) -> str:
        """Return the shell command that starts it."""
        settings = ' '.join(f'{name}={shlex.quote(value)}' for name, value in self.environment.items())
        command = ' '.join(shlex.quote(word) for word in self.command)
        return f'(cd {shlex.quote(self.folder)} && env {settings} {command} > {shlex.quote(self.log)} 2>&1)'


@dataclass(frozen=True)
class Plan:
    """A run on this server. config: the Config of its processes. resumed: the run folder that is resumed, or None.

    data_problem: what is wrong with the folder of data, or None.
    """

    processes: Tuple[Process, ...]
    placement: Placement
    config: Config
    resumed: Optional[str]
    data_problem: Optional[str]


def make_plan(arguments: argparse.Namespace, placement: Placement, environ: Mapping[str, str], output: str) -> Plan:
    """Return the Plan. output: absolute folder of the logs. Raises LaunchError and ConfigError."""
    run = run_to_resume(arguments.ckpt_path) if arguments.ckpt_path else None
    resumed = run and os.path.abspath(run)
    source = os.path.abspath(arguments.config or os.path.join(CODE, CONFIG))
    settings, data_problem = settings_of(arguments), None
    if arguments.data_path:
        chosen, data_problem = data_settings(arguments.data_path, arguments.set)
        settings = chosen + settings
    config = config_of_run(resumed, settings) if resumed else load_config(source, settings)
    settings += share_of_workers(config, len(placement.here))
    if config.Device.device != 'npu' and placement.size > 1:
        raise LaunchError(
            f"Device.device: expected 'npu' for {placement.size} processes, found '{config.Device.device}'"
        )
    program = 'load.py' if arguments.ckpt_path else 'train_launcher.py'
    command = [environ.get('PYTHON') or sys.executable, os.path.join(CODE, program)]
    command += [resumed or os.path.abspath(arguments.ckpt_path)] if arguments.ckpt_path else []
    command += [] if resumed else ['--config', source]
    command += ['--fresh'] if arguments.fresh and not arguments.ckpt_path else []
    for setting in settings:
        command += ['--set', _rooted(setting, config)]
    shared = {name: environ.get(name) or value for name, value in _DEFAULTS.items()}
    shared.update(job_environment(placement, environ))
    shared.update(_own_port(config, placement))
    processes = tuple(_process(slot, placement, command, environ, shared, output) for slot in placement.here)
    return Plan(processes, placement, config, resumed, data_problem)


def job_environment(placement: Placement, environ: Mapping[str, str]) -> Dict[str, str]:
    """Return JOB_ID and the job's key; they are random if they are not set and this server has all processes.

    Raises:
        LaunchError: they are not set, and other servers have processes too.
    """
    job = environ.get('JOB_ID')
    if placement.is_on_one_server:
        # HCCL accepts letters and digits, but no number with a leading zero.
        found = {'JOB_ID': job or f'job{secrets.token_hex(8)}'}
        if placement.size > 1 and not environ.get(JOB_KEY):
            found[JOB_KEY] = secrets.token_hex(32)
        return found
    if not job and not environ.get(JOB_KEY):
        raise LaunchError(
            f'{JOB_KEY}: with several servers all processes need the same secret, and none is set; set it to the same '
            'text, or to the path of a file with it, on every server (JOB_ID also works, but is not secret)'
        )
    return {'JOB_ID': job or f'job{hashlib.sha256(job_key(environ)).hexdigest()[:16]}'}


def _own_port(config: Config, placement: Placement) -> Dict[str, str]:
    """Return the environment with a free port, if all processes are on this server and the settings name no port.

    It is no setting, because the run would keep it, and be resumed by it on several servers.
    """
    if config.Device.rank_port is not None or placement.size == 1 or not placement.is_on_one_server:
        return {}
    port = free_ports(1)
    return {} if port is None else {RANK_PORT_VARIABLE: str(port)}


def _process(
    slot: Slot,
    placement: Placement,
    command: Sequence[str],
    environ: Mapping[str, str],
    shared: Mapping[str, str],
    output: str,
) -> Process:
    device = str(slot.device)
    # Servers can share the folder of the logs.
    server = [] if placement.is_on_one_server else [slot.server.replace(os.sep, '_')]
    folder = os.path.join(output, *server, device)
    environment = dict(shared)
    paths = [path for path in environ.get('PYTHONPATH', '').split(os.pathsep) if path]
    environment['PYTHONPATH'] = os.pathsep.join(paths if CODE in paths else [CODE] + paths)
    environment['PYTHONUNBUFFERED'] = '1'
    environment.update(
        ASCEND_DEVICE_ID=device,
        DEVICE_ID=device,
        DEVICE_INDEX=str(slot.rank),
        RANK_ID=str(slot.rank),
        RANK_SIZE=str(placement.size),
    )
    if placement.table_path:
        environment['RANK_TABLE_FILE'] = placement.table_path
    return Process(
        slot.rank, slot.device, environment, tuple(command), folder, os.path.join(folder, f'train_{device}.log')
    )


def data_settings(folder: str, given: Sequence[str]) -> Tuple[List[str], Optional[str]]:
    """Return (settings for the data in a folder, what is wrong with it or None). given: settings that override them."""
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
            f'data: {folder}: expected one of dataset.txt, *.jsonl and *.jsonl.gz, found '
            f'{" and ".join(map(os.path.basename, found)) or "none of them"}; name the file by '
            '--set=DataSetHG.training_txt_file=FILE'
        )
    annotations = found[0] if found else os.path.join(folder, 'dataset.txt')
    return [f'DataSetHG.training_txt_file={annotations!r}', images], problem


def share_of_workers(config: Config, processes: int) -> List[str]:
    """Return the setting that gives each process its share of the cores, unless the settings have Train.workers."""
    if config.Train.workers is not None or processes == 1:
        return []
    return [f'Train.workers={threads_of_process(processes)}']


def _rooted(setting: str, config: Config) -> str:
    """Return a setting with absolute paths, as the working directory of a process is not that of the user."""
    name, _, _ = setting.partition('=')
    key = KEY_BY_SPELLING[name.rpartition('.')[2].strip().lower()]
    return f'{name}={config.as_dict()[key.section][key.name]!r}' if key.rule.is_path else setting
