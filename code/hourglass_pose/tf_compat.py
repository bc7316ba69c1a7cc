"""The only `import tensorflow`: exports `tf`, TensorFlow's graph-mode API, and checks the version.

Importing this module changes TensorFlow for the whole process: eager execution, resource variables and the second
version of control flow are off, and only errors are logged. `import hourglass_pose` alone does not import it.
"""

import importlib
import os
import platform
import re
import signal
import sys
import warnings
from contextlib import contextmanager
from typing import Any, Dict, Iterator, NoReturn, Tuple

import numpy

from hourglass_pose import __version__
from hourglass_pose.allocation import garbage_collection_paused
from hourglass_pose.errors import UserError

SUPPORTED = 'TensorFlow 1.15, or 2.16 to 2.21'

_CHATTER = (
    b'All log messages before absl::InitializeLog',
    b'oneDNN custom operations are on',
    b'cpu_feature_guard',
    b'To enable the following instructions',
    b'Could not find cuda drivers',
)
_LOADED = b'\0loaded\0'
_CRASHED = (
    b'error: the process ended while TensorFlow was loading; unless it was stopped from outside, this build of '
    b'TensorFlow does not run on this machine\n'
)


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Drop the lines that TensorFlow always writes to the error stream while it loads, and pass on all others.

    A forked process filters the stream. It shows all lines if a crash ends this process.
    """
    sys.stderr.flush()
    reading, writing = os.pipe()
    stderr = os.dup(2)
    with warnings.catch_warnings():
        # From Python 3.12 on, forking a process that has threads warns; the reader calls nothing but read and write.
        warnings.simplefilter('ignore', DeprecationWarning)
        reader = os.fork()
    if reader == 0:
        os.close(writing)
        _pass_on(reading, stderr)
    os.close(reading)
    os.dup2(writing, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        # Not the end of the pipe: processes that were started meanwhile may hold it open.
        os.write(writing, _LOADED)
        os.close(writing)
        os.close(stderr)
        os.waitpid(reader, 0)


def _pass_on(reading: int, stderr: int) -> NoReturn:
    """Copy lines, without chatter, until TensorFlow is loaded; show all if it fails to load. Ends the process."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the loading process
        buffer = hidden = loaded = b''
        ended = False
        while not loaded and not ended:
            part = os.read(reading, 65536)
            ended = not part
            buffer += part
            text, loaded, _ = buffer.partition(_LOADED)
            end = len(text) if loaded or ended else text.rfind(b'\n') + 1
            for line in text[:end].splitlines(True):
                if any(chatter in line for chatter in _CHATTER):
                    hidden += line
                else:
                    os.write(stderr, line)
            buffer = buffer[end:]
        if not loaded:
            os.write(stderr, hidden + _CRASHED)
    finally:
        os._exit(0)


def _import_tensorflow() -> Any:
    try:
        with _without_chatter(), warnings.catch_warnings(), garbage_collection_paused(forever=True):
            # TensorFlow 1.15 uses deprecated names of NumPy, and users cannot change that.
            warnings.simplefilter('ignore', FutureWarning)
            import tensorflow
    except Exception as error:  # also TypeError, of a protobuf that does not fit, and OSError, of a damaged library
        reason = ' '.join(str(error).split())[:500] or type(error).__name__
        raise UserError(
            f'TensorFlow cannot be imported ({reason}); install it with "pip install .[cpu]" or "pip install .[gpu]", '
            'on an Ascend host use the TensorFlow 1.15 of its toolkit'
        )
    return tensorflow


def parse_version(text: str) -> Tuple[int, ...]:
    """Return (major, minor) of a version such as '2.21.0' or '1.15.5'."""
    return tuple(int(number) for number in re.findall(r'\d+', text)[:2])


def is_supported(version: Tuple[int, ...]) -> bool:
    """Return whether this project is tested on a (major, minor) version of TensorFlow."""
    return version == (1, 15) or (2, 16) <= version <= (2, 21)


# TensorFlow reads it while it loads: errors only.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
_tensorflow = _import_tensorflow()
TF_VERSION: str = _tensorflow.__version__
VERSION = parse_version(TF_VERSION)
if VERSION < (1, 15):
    raise UserError(f'TensorFlow {TF_VERSION} is too old; this project runs on {SUPPORTED}')
if not is_supported(VERSION):
    print(f'TensorFlow {TF_VERSION} has not been tested; this project is tested on {SUPPORTED}', file=sys.stderr)

# TensorFlow has no public name for what its Saver takes in place of a variable; it is the same from 1.15 to 2.21.
_saving = importlib.import_module('tensorflow.python.training.saving.saveable_object')
SaveableObject: Any = _saving.SaveableObject
SaveSpec: Any = _saving.SaveSpec

tf = _tensorflow.compat.v1
tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_eager_execution()
# Reference variables on every version: the Ascend adapter expects them, and only one kind of graph has to be tested.
# The second version of control flow cannot assign to them, as the loss scale of float16 does.
tf.disable_resource_variables()
tf.disable_control_flow_v2()


def describe_versions() -> Dict[str, str]:
    """Return the versions of 'hourglass_pose', 'tensorflow', 'numpy' and 'python', for manifests and results."""
    return {
        'hourglass_pose': __version__,
        'tensorflow': TF_VERSION,
        'numpy': numpy.__version__,
        'python': platform.python_version(),
    }


def reason_of(error: Exception) -> str:
    """Return the reason of a TensorFlow error in one line, such as 'File too large'.

    Newer versions begin with 'Graph execution error:' and the operation's traceback; the reason comes last, before the
    name of the node.
    """
    lines = [line.strip() for line in str(getattr(error, 'message', error)).splitlines()]
    nodes = [number for number, line in enumerate(lines) if line.startswith('Node:')]
    for line in lines[nodes[-1] + 1 if nodes else 0 :]:
        if line and not line.startswith('[[') and 'root error(s)' not in line:
            return line
    return type(error).__name__
