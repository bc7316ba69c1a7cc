"""open_runtime: picks the device that the config asks for, or the best there is, and says why."""

import glob
import importlib.util
import subprocess

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.ascend import AscendRuntime
from hourglass_pose.runtime.ascend_options import NpuSettings
from hourglass_pose.runtime.native import NativeRuntime, gpu_names
from hourglass_pose.tf_compat import VERSION

_ANSWER_SECONDS = 20


def npu_obstacle():
    """Return why no NPU can be used here, or None where one can."""
    if importlib.util.find_spec('npu_bridge') is None:
        if importlib.util.find_spec('npu_device') is not None:
            return 'npu_device, the adapter of TensorFlow 2.6, is not served: it has no loss scaling'
        return 'npu_bridge is not installed'
    if VERSION != (1, 15):
        return 'npu_bridge is installed, but TensorFlow %d.%d has no adapter' % VERSION
    return None if npu_answers() else 'npu_bridge is installed, but no device answers'


def npu_answers():
    """Return whether the driver shows a device."""
    if glob.glob('/dev/davinci[0-9]*'):
        return True
    try:
        return (
            subprocess.run(
                ['npu-smi', 'info'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_ANSWER_SECONDS
            ).returncode
            == 0
        )
    except (OSError, subprocess.SubprocessError):
        return False


def open_runtime(device='auto', precision='auto', intra_threads=0, loss_scale=None, steps_per_run=1, npu=NpuSettings()):
    """Return a Runtime. device: 'auto', 'cpu', 'gpu' or 'npu'. npu: what an NPU is told besides.

    Raises ConfigError for a device that is not there, or settings that the device found cannot follow.
    """
    if device == 'npu':
        if importlib.util.find_spec('npu_bridge') is None:
            raise ConfigError(
                f"[Device] device: 'npu' was asked for, but {npu_obstacle()}; source the toolkit's set_env.sh, or set "
                "'auto', 'cpu' or 'gpu'"
            )
        return AscendRuntime(precision, loss_scale, steps_per_run, npu, 'as configured')
    obstacle = npu_obstacle() if device == 'auto' else None
    if device == 'auto' and not obstacle:
        return AscendRuntime(precision, loss_scale, steps_per_run, npu, 'npu_bridge is installed and a device answers')
    if npu.asks_for_an_npu:
        raise ConfigError(
            '[Device] the settings ask for an NPU, but %s; leave precision_mode, modify_mixlist, '
            'jit_compile, the dumps and profiling at their defaults' % (obstacle or 'another is set')
        )
    gpus = gpu_names() if device in ('auto', 'gpu') else []
    if device == 'gpu' and not gpus:
        raise ConfigError(
            "[Device] device: 'gpu' was asked for, but TensorFlow sees none; set 'auto' or 'cpu', "
            'or install "pip install .[gpu]" and the driver'
        )
    reason = 'as configured'
    if device == 'auto':
        reason = f'{len(gpus)} GPU found' if gpus else 'no GPU found'
        # Where nothing of Ascend is installed, nobody waits for an NPU.
        reason += '' if obstacle == 'npu_bridge is not installed' else f', {obstacle}'
    return NativeRuntime('gpu' if gpus else 'cpu', precision, intra_threads, loss_scale, reason, steps_per_run)
