"""The sides of a benchmark: the processes of the checkouts that measure the given settings."""

import os
from contextlib import ExitStack, contextmanager
from typing import Iterator, List, Optional, Sequence, Tuple

from hourglass_pose.benchmark.comparison import Side
from hourglass_pose.benchmark.crowd import Crowd
from hourglass_pose.benchmark.worker import Worker
from hourglass_pose.config.config import load_config
from hourglass_pose.cores import threads_of_process
from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.cluster.local import environments_of_workers


@contextmanager
def open_sides(
    what: str,
    config_path: Optional[str],
    overrides: Sequence[str],
    changes: Sequence[str],
    checkpoint: Optional[str],
    code: str,
    other_checkout: Optional[str],
) -> Iterator[Tuple[List[Side], List[Side]]]:
    """Start the processes of a benchmark. The value is (sides, [matrix multiplication] for steps or []).

    Args:
        what: 'step', 'input' or 'predict'.
        config_path: file of the settings, None for the defaults.
        overrides: of the settings of both sides.
        changes: further overrides of the second side; without them and without other_checkout there is one side.
        checkpoint: network of 'predict'.
        code: folder with the package of this checkout.
        other_checkout: root of another checkout, the second side.

    Raises:
        ConfigError: the settings or the combination of arguments are wrong. No process has been started.
    """
    check_arguments(what, changes, checkpoint, other_checkout)
    settings = [list(overrides)] + ([list(overrides) + list(changes)] if changes else [])
    devices = []
    if what != 'predict':
        devices = [load_config(config_path, side).Device for side in settings]
    order = {
        'what': what,
        'config': config_path and os.path.abspath(config_path),
        'checkpoint': checkpoint and os.path.abspath(checkpoint),
    }
    with ExitStack() as stack:

        def start(code: str, sides: List[List[str]]) -> Worker:
            worker = Worker(code, dict(order, sides=sides))
            stack.callback(worker.close)
            return worker

        if len(settings) == 2 and devices[0] == devices[1]:
            # One process opens the device for both.
            worker = start(code, settings)
            sides = [Side('config', worker, 0), Side('compared', worker, 1)]
        else:
            workers = [start(code, [side]) for side in settings]
            if other_checkout:
                workers.append(start(os.path.join(os.path.abspath(other_checkout), 'code'), [list(overrides)]))
            names = ['config', 'compared'] if not other_checkout else ['this checkout', other_checkout]
            sides = [Side(name, worker, 0) for name, worker in zip(names, workers)]
        first = sides[0].worker
        peak = [Side('peak', first, len(first.parts) - 1)] if what == 'step' else []
        yield sides, peak


@contextmanager
def open_crowd(config_path: Optional[str], overrides: Sequence[str], code: str, count: int) -> Iterator[Crowd]:
    """Start `count` processes on this machine that train together, for measure_scaling.

    Args:
        config_path: file of the settings, None for the defaults.
        overrides: of the settings.
        code: folder with the package of this checkout.
        count: number of processes; each has its share of the cores, unless the settings name threads.

    Raises:
        ConfigError: the settings are wrong. No process has been started.
    """
    config = load_config(config_path, overrides)
    threads = config.Device.intra_threads or threads_of_process(count)
    order = {
        'what': 'scale',
        'config': config_path and os.path.abspath(config_path),
        'checkpoint': None,
        'sides': [[*overrides, f'Device.intra_threads={threads}']],
    }
    crowd = Crowd(code, order, environments_of_workers(count))
    try:
        yield crowd
    finally:
        crowd.close()


def check_arguments(
    what: str, changes: Sequence[str], checkpoint: Optional[str], other_checkout: Optional[str]
) -> None:
    """Raise ConfigError for arguments that exclude each other."""
    if changes and other_checkout:
        raise ConfigError('--compare and --against: only one comparison is possible; leave one of them out')
    if (what == 'predict') != bool(checkpoint):
        raise ConfigError('--checkpoint: expected a network for predict, and none for step, input or scale')
    if what == 'scale' and (changes or other_checkout):
        raise ConfigError('--compare and --against: scale measures one checkout with one config; leave them out')
    if what == 'predict' and changes:
        raise ConfigError('--compare: predict takes no settings; leave it out')
