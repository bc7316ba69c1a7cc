"""Checks before a run is started on Ascend devices: each gives None, or one line that says what to do."""

import json
import os
import re
import shutil
import subprocess

from hourglass_pose.checkpoints.folder import CheckpointFolder

_TOOLKIT_VARIABLES = ('ASCEND_TOOLKIT_HOME', 'ASCEND_HOME_PATH', 'ASCEND_HOME', 'ASCEND_OPP_PATH')
_SET_ENV = ('/usr/local/Ascend/ascend-toolkit/set_env.sh', '~/Ascend/ascend-toolkit/set_env.sh')
_ANSWER_SECONDS = 60
_IMPORT_SECONDS = 300

# A line of npu-smi's table that begins with the number of a device, its name and its health.
_DEVICE_LINE = re.compile(r'^\|\s*(\d+)\s+(\S*[A-Za-z]\S*)\s*\|\s*(\S+)', re.MULTILINE)
_SICK = ('alarm', 'critical')

_PACKAGES = ('numpy', 'cv2', 'PIL', 'matplotlib', 'tqdm')
_PROBE = f"""
import importlib.util, json
found = {{'missing': [name for name in {_PACKAGES!r} if importlib.util.find_spec(name) is None]}}
for name in ('tensorflow', 'npu_bridge'):
    try:
        found[name] = str(getattr(__import__(name), '__version__', ''))
    except Exception as error:
        found[name + ' failed'] = ('%s: %s' % (type(error).__name__, error)).splitlines()[0]
print('\\n' + json.dumps(found))
"""


def check_toolkit(environ):
    """The toolkit's set_env.sh has to be sourced: it names folders of the toolkit that are there."""
    named = [environ[name] for name in _TOOLKIT_VARIABLES if environ.get(name)]
    named += [path for path in environ.get('LD_LIBRARY_PATH', '').split(os.pathsep) if 'ascend' in path.lower()]
    if any(os.path.isdir(path) for path in named):
        return None
    scripts = [path for path in map(os.path.expanduser, _SET_ENV) if os.path.isfile(path)]
    found = f'they name {named[0]}, which is not there' if named else 'none is set'
    return (
        f'toolkit: neither ASCEND_TOOLKIT_HOME, ASCEND_HOME_PATH nor LD_LIBRARY_PATH names a folder of it, '
        f'{found}; run '
        f'"source {(scripts or _SET_ENV)[0]}" first'
    )


def check_python(python, environ):
    """Yield a line for what the Python of the processes lacks: TensorFlow 1.15, npu_bridge, our requirements."""
    try:
        done = subprocess.run(
            [python, '-c', _PROBE], env=environ, capture_output=True, stdin=subprocess.DEVNULL, timeout=_IMPORT_SECONDS
        )
        found = json.loads(done.stdout.decode('utf-8', 'replace').strip().split('\n')[-1])
    except (OSError, subprocess.TimeoutExpired) as error:
        yield f'python: {python} cannot be asked ({_one_line(error)}); name another by PYTHON=/path/to/python'
        return
    except ValueError:
        yield (
            'python: %s ended with exit code %d while it imported tensorflow and npu_bridge; try "%s -c \'import '
            'npu_bridge\'"' % (python, done.returncode, python)
        )
        return
    version = found.get('tensorflow')
    if version is None or version.split('.')[:2] != ['1', '15']:
        yield (
            'TensorFlow: 1.15 is needed, {} has {}; install the TensorFlow 1.15 of the toolkit, or name the Python '
            'that has it by PYTHON=/path/to/python'.format(python, version or found['tensorflow failed'])
        )
    if 'npu_bridge' not in found:
        yield (
            "npu_bridge: {} cannot import it ({}); install the toolkit's TensorFlow plugin (tfplugin) for this "
            'Python and source its set_env.sh'.format(python, found['npu_bridge failed'])
        )
    if found['missing']:
        yield 'requirements: {} lacks {}; run "{} -m pip install ." in the project'.format(
            python, ', '.join(found['missing']), python
        )


def check_devices(devices, environ):
    """npu-smi has to answer, list the devices, and call none of them sick."""
    program = shutil.which('npu-smi', path=environ.get('PATH'))
    if program is None:
        return 'devices: there is no npu-smi; install the driver, or add its folder (/usr/local/sbin) to PATH'
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
        return 'devices: "npu-smi info" has not answered for %d s; restart the devices or the server' % _ANSWER_SECONDS
    except OSError as error:
        return f'devices: {program} cannot be run ({error.strerror})'
    text = done.stdout.decode('utf-8', 'replace')
    if done.returncode:
        return 'devices: "npu-smi info" ended with exit code %d (%s); check driver and permissions' % (
            done.returncode,
            _one_line(text),
        )
    health = {int(number): state for number, _, state in _DEVICE_LINE.findall(text)}
    # Inside a container the table may keep the server's numbers, where processes count from 0.
    missing = [device for device in devices if health and device not in health and device >= len(health)]
    if missing:
        return 'devices: npu-smi lists {} and not {}; choose others by --device_ids'.format(
            ', '.join(map(str, sorted(health))), ', '.join(map(str, missing))
        )
    sick = [device for device in devices if health.get(device, '').lower() in _SICK]
    if sick:
        return 'devices: npu-smi calls device %d %s; choose others by --device_ids' % (sick[0], health[sick[0]])
    return None


def check_data(config):
    """Annotation files and image folders have to be there."""
    data = config.DataSetHG
    missing = [path for path in data.training_txt_file if not os.path.isfile(path)]
    missing += [path for path in data.img_directory if not os.path.isdir(path)]
    if missing:
        return (
            f'data: {missing[0]} is not there; give a folder with dataset.txt (or one *.jsonl, *.jsonl.gz) and '
            f'images/ by '
            '--data_path=FOLDER'
        )
    return None


def check_earlier_run(folder, may_be_there):
    """A new run must not mix with an earlier one in its folder."""
    if may_be_there or not CheckpointFolder(folder).steps():
        return None
    return (
        f'checkpoints: {folder} holds an earlier run; go on with it by --ckpt_path={folder}, set it aside by '
        f'--fresh, or name '
        'another folder by --run_dir=FOLDER'
    )


def check_writable(folder):
    """Logs and checkpoints need a folder. Makes it."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        return f'{folder}: the folder cannot be made ({error.strerror})'
    return None if os.access(folder, os.W_OK) else f'{folder}: the folder cannot be written to'


def _one_line(text):
    lines = str(text).strip().splitlines()
    return lines[0] if lines else 'it said nothing'
