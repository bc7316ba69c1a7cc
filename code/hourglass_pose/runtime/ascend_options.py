"""Settings of an NPU: the session parameters and the loss scaling that follow from keys of config.cfg."""

import json
import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple, Union

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.npu_precision import NEWER_MODES, has_float16, mode_of

DYNAMIC, FIXED, NONE = 'dynamic', 'fixed', 'none'
INITIAL_LOSS_SCALE = 2.0**16
_PROFILING = {'training_trace': 'on', 'task_trace': 'on', 'aicpu': 'on', 'fp_point': '', 'bp_point': ''}


@dataclass(frozen=True)
class NpuSettings:
    """The keys of [Device] that an NPU uses, by their names; config.cfg explains them."""

    precision_mode: Optional[str] = None
    modify_mixlist: Optional[str] = None
    jit_compile: Optional[str] = None
    data_dump: bool = False
    over_dump: bool = False
    dump_path: Optional[str] = None
    dump_step: Optional[str] = None
    dump_mode: str = 'output'
    profiling: bool = False
    profiling_path: Optional[str] = None
    profiling_options: Optional[str] = None
    rank_timeout: float = 60.0
    rank_port: Optional[int] = None

    @property
    def asks_for_an_npu(self) -> bool:
        """Whether a setting has an effect on an NPU only."""
        return bool(
            self.precision_mode
            or self.modify_mixlist
            or self.jit_compile
            or self.data_dump
            or self.over_dump
            or self.profiling
        )


def parameters(
    settings: NpuSettings, precision: str, steps_per_run: int, num_ranks: int, is_newer: bool
) -> Dict[str, Any]:
    """Return the adapter's parameters by name; bool, int and str stand for its kinds b, i and s.

    An adapter silently ignores a parameter that it does not know or that has another kind.

    Args:
        settings: keys of [Device].
        precision: 'auto', 'float32' or 'mixed'.
        steps_per_run: training steps that the device runs in its own loop.
        num_ranks: processes of the training.
        is_newer: whether the adapter is that of December 2023, which has more parameters than that of February 2021.

    Raises:
        ConfigError: this adapter does not know a setting, or a file or folder is missing.
    """
    mode = mode_of(precision, settings.precision_mode)
    if not is_newer:
        for name, is_unknown in (
            ('precision_mode', mode in NEWER_MODES),
            ('jit_compile', settings.jit_compile),
            ('modify_mixlist', settings.modify_mixlist),
        ):
            if is_unknown:
                raise ConfigError(
                    f'[Device] {name}: {getattr(settings, name)!r} is unknown to the npu_bridge that is '
                    'installed here; set None or install a newer toolkit'
                )
    found: Dict[str, Any] = {
        'use_off_line': True,
        'graph_run_mode': 1,
        'mix_compile_mode': False,
        'precision_mode': mode,
        'iterations_per_loop': steps_per_run,
        'enable_data_pre_proc': steps_per_run > 1,
    }
    if num_ranks > 1:
        found['hcom_parallel'] = True
    if settings.modify_mixlist:
        found['modify_mixlist'] = _existing(settings, 'modify_mixlist', os.path.isfile)
    if settings.jit_compile:
        found['jit_compile'] = settings.jit_compile
    found.update(_dump(settings))
    if settings.profiling:
        options = {'output': _existing(settings, 'profiling_path', os.path.isdir)}
        options.update(json.loads(settings.profiling_options) if settings.profiling_options else _PROFILING)
        found['profiling_mode'] = True
        found['profiling_options'] = json.dumps(options)
    return found


def _dump(settings: NpuSettings) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    if settings.data_dump or settings.over_dump:
        found['enable_dump' if settings.data_dump else 'enable_dump_debug'] = True
        found['dump_path'] = _existing(settings, 'dump_path', os.path.isdir)
    if settings.data_dump:
        found['dump_mode'] = settings.dump_mode
        if settings.dump_step:
            found['dump_step'] = settings.dump_step
    elif settings.over_dump:
        found['dump_debug_mode'] = 'all'
    return found


def _existing(settings: NpuSettings, name: str, exists: Callable[[str], bool]) -> str:
    path = getattr(settings, name)
    if not path or not exists(path) or not os.access(path, os.R_OK | (os.W_OK if os.path.isdir(path) else 0)):
        kind = 'file' if exists is os.path.isfile else 'folder'
        raise ConfigError(f'[Device] {name}: expected a {kind} that exists and can be used, found {path}')
    return path


def loss_scaling(loss_scale: Union[None, str, float], mode: str) -> Tuple[str, float]:
    """Return (DYNAMIC, FIXED or NONE, the initial scale) for [Device] loss_scale. Raises ConfigError."""
    if loss_scale == 'none' or (loss_scale is None and not has_float16(mode)):
        return NONE, 1.0
    if loss_scale is None:
        return DYNAMIC, INITIAL_LOSS_SCALE
    scale = float(loss_scale)
    if scale < 1:
        raise ConfigError(f"[Device] loss_scale: expected None, 'none' or a number >= 1 on an NPU, found {scale:g}")
    return FIXED, scale
