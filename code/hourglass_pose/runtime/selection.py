"""open_runtime: opens the device that the config names, or the best available one, and reports why."""

import glob
import importlib.util
import subprocess
from typing import Optional, Union

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.ascend import AscendRuntime
from hourglass_pose.runtime.ascend_options import NpuSettings
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.runtime.cluster.runtime import ClusterRuntime
from hourglass_pose.runtime.cluster.spec import TF_CONFIG, Cluster
from hourglass_pose.runtime.job_key import job_key
from hourglass_pose.runtime.native import NativeRuntime, gpu_names
from hourglass_pose.tf_compat import VERSION

_ANSWER_SECONDS = 20


def npu_obstacle() -> Optional[str]:
    """Return why no NPU can be used here, or None if one can."""
    if importlib.util.find_spec('npu_bridge') is None:
        if importlib.util.find_spec('npu_device') is not None:
            return 'npu_device, the adapter of TensorFlow 2.6, is not supported: it has no loss scaling'
        return 'npu_bridge is not installed'
    if VERSION != (1, 15):
        return f'npu_bridge is installed, but TensorFlow {VERSION[0]}.{VERSION[1]} has no adapter'
    return None if npu_answers() else 'npu_bridge is installed, but no device answers'


def npu_answers() -> bool:
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


def open_runtime(
    device: str = 'auto',
    precision: str = 'auto',
    intra_threads: int = 0,
    loss_scale: Union[None, str, float] = None,
    steps_per_run: int = 1,
    npu: NpuSettings = NpuSettings(),
    cluster: Optional[Cluster] = None,
) -> Runtime:
    """Return the Runtime of a device; the arguments are the keys of [Device].

    Args:
        device: 'auto', 'cpu', 'gpu' or 'npu'.
        precision: 'auto', 'float32' or 'mixed'.
        intra_threads: threads of one operation on a CPU, 0 for all cores.
        loss_scale: fixed scale of the loss in float16, None for a dynamic one, 'none' for none.
        steps_per_run: training steps of one run.
        npu: settings of an NPU, and of the meeting of many processes.
        cluster: the processes of TF_CONFIG that train together on CPUs or GPUs, None for one.

    Raises:
        ConfigError: the device is missing, or it does not support the settings.
    """
    if device == 'npu' and cluster is not None:
        raise _cluster_of_npus()
    if device == 'npu':
        if importlib.util.find_spec('npu_bridge') is None:
            raise ConfigError(
                f"[Device] device: 'npu' is set, but {npu_obstacle()}; source the toolkit's set_env.sh, or set "
                "'auto', 'cpu' or 'gpu'"
            )
        return AscendRuntime(precision, loss_scale, steps_per_run, npu, 'as configured')
    obstacle = npu_obstacle() if device == 'auto' else None
    if device == 'auto' and not obstacle and cluster is not None:
        raise _cluster_of_npus()
    if device == 'auto' and not obstacle:
        return AscendRuntime(precision, loss_scale, steps_per_run, npu, 'npu_bridge is installed and a device answers')
    if npu.asks_for_an_npu:
        raise ConfigError(
            f'[Device] the settings need an NPU, but {obstacle or "another device is set"}; leave precision_mode, '
            'modify_mixlist, jit_compile, the dumps and profiling at their defaults'
        )
    gpus = gpu_names() if device in ('auto', 'gpu') else []
    if device == 'gpu' and not gpus:
        raise ConfigError(
            "[Device] device: 'gpu' is set, but TensorFlow finds none; set 'auto' or 'cpu', "
            'or install "pip install .[gpu]" and the driver'
        )
    reason = 'as configured'
    if device == 'auto':
        reason = f'{len(gpus)} GPU found' if gpus else 'no GPU found'
        # If no software of Ascend is installed, no NPU is expected.
        reason += '' if obstacle == 'npu_bridge is not installed' else f', {obstacle}'
    kind = 'gpu' if gpus else 'cpu'
    if cluster is None:
        return NativeRuntime(kind, precision, intra_threads, loss_scale, reason, steps_per_run)
    return ClusterRuntime(
        cluster,
        job_key(),
        npu.rank_port,
        npu.rank_timeout,
        kind,
        precision,
        intra_threads,
        loss_scale,
        reason,
        steps_per_run,
    )


def _cluster_of_npus() -> ConfigError:
    return ConfigError(
        f'environment: {TF_CONFIG}: expected nothing with an NPU, whose processes find each other by a rank table; '
        f"unset {TF_CONFIG}, or set [Device] device to 'cpu' or 'gpu'"
    )
