"""The number of processor cores that this process may use."""

import os
from typing import Optional


def available_cores(cgroups: str = '/sys/fs/cgroup', own_cgroups: str = '/proc/self/cgroup') -> int:
    """Return the number of cores that CPU affinity and control groups allow this process, at least 1.

    `os.cpu_count()` counts the cores of the machine, of which a container or a scheduler may grant only some. A quota
    of processor time is rounded up to whole cores.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    quota = _quota(cgroups, own_cgroups)
    return max(1, cores if quota is None else min(cores, -int(-quota // 1)))


def _quota(cgroups: str, own_cgroups: str) -> Optional[float]:
    """Return the processor seconds per second that the control groups of this process allow, or None for no limit."""
    limits = []
    for line in (_read(own_cgroups) or '').splitlines():
        _, controllers, path = (line.split(':', 2) + ['', ''])[:3]
        if controllers and 'cpu' not in controllers.split(','):
            continue
        root = os.path.join(cgroups, 'cpu') if controllers else cgroups
        # The limits of parent groups apply as well. Inside a container the path may be the host's.
        parts = [part for part in path.split('/') if part]
        for depth in range(len(parts) + 1):
            limits.append(_limit_of(os.path.join(root, *parts[:depth])))
    return min((limit for limit in limits if limit), default=None)


def _limit_of(folder: str) -> Optional[float]:
    """Return quota / period of one control group, version 2 or 1, or None for no limit."""
    words = (_read(os.path.join(folder, 'cpu.max')) or '').split()
    if len(words) != 2:
        words = [
            (_read(os.path.join(folder, name)) or '').strip() for name in ('cpu.cfs_quota_us', 'cpu.cfs_period_us')
        ]
    try:
        quota, period = int(words[0]), int(words[1])
    except ValueError:  # 'max', or no such file
        return None
    return quota / period if quota > 0 and period > 0 else None


def _read(path: str) -> Optional[str]:
    try:
        with open(path) as stream:
            return stream.read()
    except OSError:
        return None


def threads_of_process(processes: int) -> int:
    """Return the share of the cores that each of some processes has, at least 1."""
    return max(1, available_cores() // processes)
