"""Checks before a run starts on Ascend devices: each returns None, or one line on the problem and its solution."""

import json
import os
import re
import shutil
import subprocess
from typing import Iterator, Mapping, Optional, Sequence

from hourglass_pose.checkpoints.folder import CheckpointFolder
from hourglass_pose.config.config import Config

_TOOLKIT_VARIABLES = ('ASCEND_TOOLKIT_HOME', 'ASCEND_HOME_PATH', 'ASCEND_HOME', 'ASCEND_OPP_PATH')
_SET_ENV = ('/usr/local/Ascend/ascend-toolkit/set_env.sh', '~/Ascend/ascend-toolkit/set_env.sh')
_ANSWER_SECONDS = 60
_IMPORT_SECONDS = 300

# A line of npu-smi's table that begins with the number of a device, its name and its health.
_DEVICE_LINE = re.compile(r'^\|\s*(\d+)\s+(\S*[A-Za-z]\S*)\s*\|\s*(\S+)', re.MULTILINE)
_UNHEALTHY = ('alarm', 'critical')

_PACKAGES = ('numpy', 'cv2', 'PIL', 'matplotlib', 'tqdm')
_PROBE = f"""
import importlib.util, json
found = {{'missing': [name for name in {_PACKAGES!r} if importlib.util.find_spec(name) is None]}}
for name in ('tensorflow', 'npu_bridge'):
    try:
        found[name] = str(getattr(__import__(name), '__version__', ''))
    except Exception as error:
        found[name + ' failed'] = (type(error).__name__ + ': ' + str(error)).splitlines()[0]
print('\\n' + json.dumps(found))
"""


def check_toolkit(environ: Mapping[str, str]) -> Optional[str]:
    """Check that the toolkit's set_env.sh is sourced: its variables name folders of the toolkit that exist."""
    named = [environ[name] for name in _TOOLKIT_VARIABLES if environ.get(name)]
    named += [path for path in environ.get('LD_LIBRARY_PATH', '').split(os.pathsep) if 'ascend' in path.lower()]
    if any(os.path.isdir(path) for path in named):
        return None
    scripts = [path for path in map(os.path.expanduser, _SET_ENV) if os.path.isfile(path)]
    found = f'they name {named[0]}, which does not exist' if named else 'none is set'
    return (
        'toolkit: neither ASCEND_TOOLKIT_HOME, ASCEND_HOME_PATH nor LD_LIBRARY_PATH names a folder of it, '
        f'{found}; run "source {(scripts or _SET_ENV)[0]}" first'
    )


def check_python(python: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each thing that the Python of the processes lacks: TensorFlow 1.15, npu_bridge, requirements."""
    try:
        done = subprocess.run(
            [python, '-c', _PROBE], env=environ, capture_output=True, stdin=subprocess.DEVNULL, timeout=_IMPORT_SECONDS
        )
        found = json.loads(done.stdout.decode('utf-8', 'replace').strip().split('\n')[-1])
    except (OSError, subprocess.TimeoutExpired) as error:
        yield f'python: {python} cannot be run ({_one_line(error)}); choose another by PYTHON=/path/to/python'
        return
    except ValueError:
        yield (
            f'python: {python} ended with exit code {done.returncode} while it imported tensorflow and npu_bridge; '
            f'try "{python} -c \'import npu_bridge\'"'
        )
        return
    version = found.get('tensorflow')
    if version is None or version.split('.')[:2] != ['1', '15']:
        yield (
            f'TensorFlow: 1.15 is needed, {python} has {version or found["tensorflow failed"]}; install the TensorFlow '
            '1.15 of the toolkit, or choose the Python that has it by PYTHON=/path/to/python'
        )
    if 'npu_bridge' not in found:
        yield (
            f"npu_bridge: {python} cannot import it ({found['npu_bridge failed']}); install the toolkit's TensorFlow "
            'plugin (tfplugin) for this Python and source its set_env.sh'
        )
    if found['missing']:
        missing = ', '.join(found['missing'])
        yield f'requirements: {python} lacks {missing}; run "{python} -m pip install ." in the project'


def check_devices(devices: Sequence[int], environ: Mapping[str, str]) -> Optional[str]:
    """Check that npu-smi answers, lists the devices, and reports all of them as healthy."""
    program = shutil.which('npu-smi', path=environ.get('PATH'))
    if program is None:
        return 'devices: npu-smi is not on the PATH; install the driver, or add its folder (/usr/local/sbin) to PATH'
    try:
        done = subprocess.run(
            [program, 'info'],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=_ANSWER_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f'devices: "npu-smi info" has not answered for {_ANSWER_SECONDS} s; restart the devices or the server'
    except OSError as error:
        return f'devices: {program} cannot be run ({error.strerror})'
    text = done.stdout.decode('utf-8', 'replace')
    if done.returncode:
        return (
            f'devices: "npu-smi info" ended with exit code {done.returncode} ({_one_line(text)}); check driver and '
            'permissions'
        )
    health = {int(number): state for number, _, state in _DEVICE_LINE.findall(text)}
    # Inside a container the table may show the server's numbers, while processes count from 0.
    missing = [device for device in devices if health and device not in health and device >= len(health)]
    if missing:
        listed, others = (', '.join(map(str, numbers)) for numbers in (sorted(health), missing))
        return f'devices: npu-smi lists {listed} and not {others}; choose others by --device_ids'
    unhealthy = [device for device in devices if health.get(device, '').lower() in _UNHEALTHY]
    if unhealthy:
        return (
            f'devices: npu-smi reports device {unhealthy[0]} as {health[unhealthy[0]]}; choose others by --device_ids'
        )
    return None


def check_data(config: Config) -> Optional[str]:
    """Check that annotation files and image folders exist."""
    data = config.DataSetHG
    missing = [path for path in data.training_txt_file if not os.path.isfile(path)]
    missing += [path for path in data.img_directory if not os.path.isdir(path)]
    if missing:
        return (
            f'data: {missing[0]} does not exist; give a folder with dataset.txt (or one *.jsonl, *.jsonl.gz) and '
            'images/ by --data_path=FOLDER'
        )
    return None


def check_earlier_run(folder: str, is_allowed: bool) -> Optional[str]:
    """Check that a new run does not mix with an earlier one in its folder."""
    if is_allowed or not CheckpointFolder(folder).steps():
        return None
    return (
        f'checkpoints: {folder} holds an earlier run; resume it by --ckpt_path={folder}, set it aside by '
        '--fresh, or choose another folder by --run_dir=FOLDER'
    )


def check_writable(folder: str) -> Optional[str]:
    """Create a folder for logs or checkpoints and check that it is writable."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        return f'{folder}: the folder cannot be created ({error.strerror})'
    return None if os.access(folder, os.W_OK) else f'{folder}: the folder cannot be written to'


def _one_line(text: object) -> str:
    lines = str(text).strip().splitlines()
    return lines[0] if lines else 'no output'
