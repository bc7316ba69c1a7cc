"""open_runtime: picks the device that the config asks for, or the best there is, and says why."""

import importlib.util

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.native import NativeRuntime, gpu_names


def open_runtime(device='auto', precision='auto', intra_threads=0, loss_scale=None):
    """Return a Runtime. device: 'auto', 'cpu', 'gpu' or 'npu'. Raises ConfigError for a device that is not there."""
    if device == 'npu':
        raise ConfigError("[Device] device: 'npu' is not served by this version; set 'auto', 'cpu' or 'gpu'")
    gpus = gpu_names() if device in ('auto', 'gpu') else []
    if device == 'gpu' and not gpus:
        raise ConfigError("[Device] device: 'gpu' was asked for, but TensorFlow sees none; set 'auto' or 'cpu', "
                          'or install "pip install .[gpu]" and the driver')
    if device == 'auto':
        found_npu = importlib.util.find_spec('npu_bridge') is not None
        reason = ('%d GPU found' % len(gpus) if gpus else 'no GPU found') + (
            ', npu_bridge is installed but not served by this version' if found_npu else '')
    else:
        reason = 'as configured'
    return NativeRuntime('gpu' if gpus else 'cpu', precision, intra_threads, loss_scale, reason)
