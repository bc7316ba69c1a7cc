"""The only `import tensorflow`: exports `tf`, TensorFlow's graph-mode API, and says which versions work."""

import os
import platform
import re
import sys
import tempfile
import warnings

import numpy

# Python code of ours reports what matters; TensorFlow's start-up chatter is kept for real warnings.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

from hourglass_pose import __version__  # noqa: E402
from hourglass_pose.errors import UserError  # noqa: E402  (the log level must be set before TensorFlow loads)

SUPPORTED = 'TensorFlow 1.15, or 2.16 to 2.21'

_CHATTER = (
    'All log messages before absl::InitializeLog',
    'oneDNN custom operations are on',
    'cpu_feature_guard',
    'To enable the following instructions',
    'Could not find cuda drivers',
)


def _import_tensorflow():
    """Import TensorFlow without the lines that it always writes to the error stream; all others are passed on."""
    with tempfile.TemporaryFile() as captured:
        sys.stderr.flush()
        stderr = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            with warnings.catch_warnings():
                # TensorFlow 1.15 uses what the NumPy of its time had; nobody here can mend that.
                warnings.simplefilter('ignore', FutureWarning)
                import tensorflow
        except ImportError as error:
            raise UserError(
                f'TensorFlow cannot be imported ({error}); install it with "pip install .[cpu]" or "pip install '
                f'.[gpu]", '
                'on an Ascend host use the TensorFlow 1.15 of its toolkit'
            )
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            for line in captured.read().decode('utf-8', 'replace').splitlines():
                if not any(chatter in line for chatter in _CHATTER):
                    print(line, file=sys.stderr)
    return tensorflow


def parse_version(text):
    """Return (major, minor) of a version string such as '2.21.0' or '1.15.5'."""
    return tuple(int(number) for number in re.findall(r'\d+', text)[:2])


def is_supported(version):
    """Say whether a (major, minor) version of TensorFlow is in the range this project is tested on."""
    return version == (1, 15) or (2, 16) <= version <= (2, 21)


_tensorflow = _import_tensorflow()
TF_VERSION = _tensorflow.__version__
VERSION = parse_version(TF_VERSION)
if VERSION < (1, 15):
    raise UserError(f'TensorFlow {TF_VERSION} is too old; this project runs on {SUPPORTED}')
if not is_supported(VERSION):
    print(f'TensorFlow {TF_VERSION} has not been tried; this project is tested on {SUPPORTED}', file=sys.stderr)

tf = _tensorflow.compat.v1
tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_eager_execution()
# Reference variables on every version: what the Ascend adapter expects, and one kind of graph to test. The newer
# conditions cannot assign to them, which the loss scale of float16 does.
tf.disable_resource_variables()
tf.disable_control_flow_v2()


def describe_versions():
    """Return {'hourglass_pose', 'tensorflow', 'numpy', 'python'} -> version, for manifests and results."""
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
