"""An Ascend server made of files: its programs and packages stand in for the real ones, and so does the training."""

import os
import signal
import stat
import subprocess
import sys
import time

from conftest import CODE

SCRIPTS = os.path.join(os.path.dirname(CODE), 'scripts')
TRAINING = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'stand_in_training.py')

SECONDS_TO_WAIT = 120

NPU_TABLE = """+------------------------------------------------------------------------------------+
| npu-smi 22.0.0                       Version: 22.0.0                               |
+----------------------+---------------+---------------------------------------------+
| NPU   Name           | Health        | Power(W)    Temp(C)    Hugepages-Usage(page)|
| Chip                 | Bus-Id        | AICore(%)   Memory-Usage(MB) HBM-Usage(MB)  |
+======================+===============+=============================================+
ROWS
"""
NPU_ROW = """| %d     910A           | %-13s | 66.6        40         0    / 0             |
| 0                    | 0000:%02X:00.0  | 0           591  / 15039      0    / 32768  |
+======================+===============+============================================="""


class AscendServer:
    """A folder with eight healthy devices, a toolkit, TensorFlow 1.15 and npu_bridge, data, and a place to work in.

    The training is tests/stand_in_training.py, in the Python of the tests; its BEHAVIOUR is an environment variable.
    Attributes may be changed before a run: `environ`, and the files below `folder`.
    """

    def __init__(self, folder):
        self.folder = str(folder)
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(
                (
                    'ASCEND',
                    'RANK_',
                    'CM_',
                    'DEVICE_',
                    'JOB_ID',
                    'HOURGLASS_JOB_KEY',
                    'HCCL',
                    'PYTHON',
                    'VIRTUAL_ENV',
                    'CONDA',
                    'LD_LIBRARY',
                )
            )
        }
        for name in ('toolkit', 'data/images', 'work', 'site/npu_bridge', 'site/tensorflow'):
            os.makedirs(self.path(name))
        self.write('data/dataset.txt', '')
        self.write('site/npu_bridge/__init__.py', '')
        self.tensorflow('1.15.0')
        self.devices(range(8))
        self.write(
            'hccn.conf', ''.join(f'address_{i}=192.168.100.{101 + i}\nnetmask_{i}=255.255.255.0\n' for i in range(8))
        )
        self.program(
            'python',
            f'case "${{1:-}}" in\n*/train_launcher.py|*/load.py) exec {sys.executable} {TRAINING} "$@";;\n'
            f'*) exec {sys.executable} "$@";;\nesac',
        )
        self.environ.update(
            PATH=self.path('bin') + os.pathsep + self.environ['PATH'],
            PYTHON=self.path('bin/python'),
            PYTHONPATH=self.path('site'),
            ASCEND_TOOLKIT_HOME=self.path('toolkit'),
        )

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), 'w') as stream:
            stream.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name)) as stream:
            return stream.read()

    def program(self, name, script):
        path = self.write(f'bin/{name}', f'#!/bin/bash\n{script}\n')
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)

    def tensorflow(self, version):
        self.write('site/tensorflow/__init__.py', f'__version__ = {version!r}\n')

    def devices(self, numbers, health=None):
        """Let npu-smi list devices. health: {number: word}, OK for those not given."""
        rows = [NPU_ROW % (number, (health or {}).get(number, 'OK'), number) for number in numbers]
        table = NPU_TABLE.replace('ROWS', '\n'.join(rows))
        self.program('npu-smi', f'[ "$1" = info ] || exit 1\ncat << EOF\n{table}EOF')

    def start(self, *arguments, **options):
        """Start a script in the folder `work`; data_path, hccn_conf and run_dir are given. script: its name."""
        command = ['bash', os.path.join(SCRIPTS, options.get('script', 'run_npu.sh'))]
        command += [f'--hccn_conf={self.path("hccn.conf")}'] + list(arguments)
        if not any(word.startswith('--data_path') for word in arguments):
            command.append(f'--data_path={self.path("data")}')
        if options.get('run_dir', True):
            command.append('--run_dir=run')
        return subprocess.Popen(
            command,
            cwd=self.path('work'),
            env=self.environ,
            universal_newlines=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *arguments, **options):
        """Run a script to its end; return (exit code, what it printed, its errors)."""
        started = self.start(*arguments, **options)
        printed, errors = started.communicate(timeout=SECONDS_TO_WAIT)
        return started.returncode, printed, errors

    def refuse(self, *arguments, **options):
        """Run a script that has to end with exit code 2; return the lines of its errors."""
        code, printed, errors = self.run(*arguments, **options)
        assert code == 2, (printed, errors)
        lines = errors.splitlines()
        assert lines and all(line.startswith('error: ') for line in lines), errors
        return [line[len('error: ') :] for line in lines]

    def log(self, device):
        return self.read(f'work/output/{device}/train_{device}.log')

    def wait_for(self, text, devices):
        """Return when the logs of devices hold a text."""
        end = time.monotonic() + SECONDS_TO_WAIT
        while time.monotonic() < end:
            logs = [f'work/output/{device}/train_{device}.log' for device in devices]
            if all(os.path.exists(self.path(name)) and text in self.read(name) for name in logs):
                return
            time.sleep(0.02)
        raise AssertionError(f'{text!r} has not come')


def is_alive(pid):
    """Tell whether a process is there and has not ended."""
    try:
        with open(f'/proc/{pid}/stat') as stream:
            return stream.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def interrupt(started):
    """Press Ctrl-C: the terminal sends SIGINT to everything in the foreground."""
    os.killpg(started.pid, signal.SIGINT)
