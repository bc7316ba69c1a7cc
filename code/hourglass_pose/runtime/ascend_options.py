"""Settings of an NPU: from keys of config.cfg to what its session is told, and from the environment to its ranks."""

import json
import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Optional

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.npu_precision import NEWER_MODES, has_float16, mode_of

DYNAMIC, FIXED, NONE = 'dynamic', 'fixed', 'none'
INITIAL_LOSS_SCALE = 2.0**16
_OUR_HOST = '127.0.0.1'


@dataclass(frozen=True)
class NpuSettings:
    """The keys of [Device] that mean something to an NPU, by their names; config.cfg explains them."""

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
    rank_port: int = 29517

    @property
    def asks_for_an_npu(self):
        """Whether something is asked for that no other device can do."""
        return bool(
            self.precision_mode
            or self.modify_mixlist
            or self.jit_compile
            or self.data_dump
            or self.over_dump
            or self.profiling
        )


def parameters(settings, precision, steps_per_run, num_ranks, is_newer):
    """Return an OrderedDict of the adapter's parameters: bool, int and str stand for its kinds b, i and s.

    is_newer: whether the adapter is of December 2023, which knows more of them than that of February 2021. One that
    the adapter does not know, or gets as another kind, would be passed over in silence.
    Raises ConfigError for a setting that this adapter does not know, or a file or folder that is not there.
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
                    f'installed here; set None or '
                    'install a newer toolkit'
                )
    found = OrderedDict(
        [
            ('use_off_line', True),
            ('graph_run_mode', 1),
            ('mix_compile_mode', False),
            ('precision_mode', mode),
            ('iterations_per_loop', steps_per_run),
            ('enable_data_pre_proc', steps_per_run > 1),
        ]
    )
    if num_ranks > 1:
        found['hcom_parallel'] = True
    if settings.modify_mixlist:
        found['modify_mixlist'] = _existing(settings, 'modify_mixlist', os.path.isfile)
    if settings.jit_compile:
        found['jit_compile'] = settings.jit_compile
    found.update(_dump(settings))
    if settings.profiling:
        options = OrderedDict([('output', _existing(settings, 'profiling_path', os.path.isdir))])
        options.update(
            json.loads(settings.profiling_options)
            if settings.profiling_options
            else OrderedDict(
                [('training_trace', 'on'), ('task_trace', 'on'), ('aicpu', 'on'), ('fp_point', ''), ('bp_point', '')]
            )
        )
        found['profiling_mode'] = True
        found['profiling_options'] = json.dumps(options)
    return found


def _dump(settings):
    found = OrderedDict()
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


def _existing(settings, name, exists):
    path = getattr(settings, name)
    if not path or not exists(path) or not os.access(path, os.R_OK | (os.W_OK if os.path.isdir(path) else 0)):
        raise ConfigError(
            '[Device] {}: expected a {} that is there and can be used, found {}'.format(
                name, 'file' if exists is os.path.isfile else 'folder', path
            )
        )
    return path


def loss_scaling(loss_scale, mode):
    """Return (DYNAMIC, FIXED or NONE, the scale at the start) for [Device] loss_scale. Raises ConfigError."""
    if loss_scale == 'none' or (loss_scale is None and not has_float16(mode)):
        return NONE, 1.0
    if loss_scale is None:
        return DYNAMIC, INITIAL_LOSS_SCALE
    if loss_scale < 1:
        raise ConfigError(
            f"[Device] loss_scale: expected None, 'none' or a number >= 1 on an NPU, found {loss_scale:g}"
        )
    return FIXED, float(loss_scale)


@dataclass(frozen=True)
class RankEnvironment:
    """What the environment says of the processes of a training.

    num_ranks: how many there are. rank_table: the parsed RANK_TABLE_FILE, or None. chief_ip: CM_CHIEF_IP, or None.
    job: JOB_ID, '' where there is none.
    """

    num_ranks: int = 1
    rank_table: Any = None
    chief_ip: Optional[str] = None
    job: str = ''

    def meeting_host(self, rank):
        """Return the address at which rank 0 meets the others, as seen by a rank; '' for rank 0 to listen anywhere."""
        if self.rank_table is None:
            return '' if rank == 0 else self.chief_ip
        servers = self.rank_table['server_list']
        if len(servers) == 1:
            return _OUR_HOST
        if rank == 0:
            return ''
        return next(
            server['server_id'] for server in servers if any(int(device['rank_id']) == 0 for device in server['device'])
        )


def rank_environment(environment=os.environ):
    """Return the RankEnvironment of a process. Raises ConfigError where it is incomplete or contradicts itself.

    RANK_SIZE counts for the rank table, CM_WORKER_SIZE for the addresses of chief and worker; without either there is
    one process.
    """
    sizes = [name for name in ('RANK_SIZE', 'CM_WORKER_SIZE') if environment.get(name)]
    size = environment[sizes[0]] if sizes else '1'
    if not size.isdigit() or int(size) < 1:
        raise ConfigError(f'environment: {sizes[0]}: expected an integer >= 1, found {size!r}')
    if int(size) == 1 and len(sizes) < 2:
        return RankEnvironment(job=environment.get('JOB_ID', ''))
    ways = [name for name in ('RANK_TABLE_FILE', 'CM_CHIEF_IP') if environment.get(name)]
    if len(ways) != 1 or len(sizes) != 1 or (ways[0] == 'RANK_TABLE_FILE') != (sizes[0] == 'RANK_SIZE'):
        raise ConfigError(
            'environment: {} processes need either RANK_TABLE_FILE and RANK_SIZE, or CM_CHIEF_IP and '
            'CM_WORKER_SIZE, and not both; found {}'.format(size, ', '.join(ways + sizes))
        )
    if not environment.get('JOB_ID'):
        raise ConfigError(
            f'environment: JOB_ID: expected the same text in all {size} processes, found nothing; without it '
            'gradients cannot be averaged'
        )
    table = None
    if ways[0] == 'RANK_TABLE_FILE':
        table = read_rank_table(environment['RANK_TABLE_FILE'], int(size))
    return RankEnvironment(int(size), table, environment.get('CM_CHIEF_IP'), environment['JOB_ID'])


def read_rank_table(path, num_ranks):
    """Return the dict of a rank table. Raises ConfigError for one that is not whole or is of other ranks."""
    try:
        with open(path, encoding='utf-8') as stream:
            table = json.load(stream)
        ranks = sorted(int(device['rank_id']) for server in table['server_list'] for device in server['device'])
        [server['server_id'] for server in table['server_list']]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f'{path}: expected a rank table in JSON, with server_list, server_id, device and rank_id '
            f'({type(error).__name__}: {error})'
        )
    if ranks != list(range(num_ranks)):
        raise ConfigError('%s: expected the ranks 0 to %d of RANK_SIZE, found %s' % (path, num_ranks - 1, ranks))
    return table
