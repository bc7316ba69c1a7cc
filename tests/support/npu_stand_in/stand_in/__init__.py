"""A device that is not there: what the stand-ins for npu_bridge and hccl share.

It computes on the processor what an Ascend device would, and raises StandInError wherever a device would silently
ignore, abort or hang. It is steered by the environment, because it has to act in processes that tests start:

HOURGLASS_STAND_IN             'A21' or 'A23', which state of the adapter it plays (default A23)
HOURGLASS_STAND_IN_JOURNAL     file to which each process appends JSON lines: sessions, graphs, ranks, the end
HOURGLASS_STAND_IN_OVERFLOW    readings of the overflow register, one a training step, counted from 0 in each process,
                               at which it is found set: '1|4-6', or '1@2' for reading 1 of rank 2 alone
HOURGLASS_STAND_IN_PORT        port on which rank 0 meets the others (default: drawn from JOB_ID and the rank table)
HOURGLASS_STAND_IN_INF_NAN     '1': arithmetic has infinities in place of saturation (A23)
HOURGLASS_STAND_IN_GRAPHS      distinct sets of fetches and feeds that one session may run (default 16)
HOURGLASS_STAND_IN_PATIENCE    seconds that a collective waits for a lost rank (default 1800, as the device does)
"""

import json
import os
import re

STATES = ('A21', 'A23')


class StandInError(Exception):
    """What would not do on a device."""


def state():
    """Return which state of the adapter is played."""
    name = os.environ.get('HOURGLASS_STAND_IN', 'A23')
    if name not in STATES:
        raise StandInError(f'HOURGLASS_STAND_IN: expected one of {", ".join(STATES)}, found {name!r}')
    return name


def rank():
    """Return the number of this process by its environment."""
    return int(os.environ.get('RANK_ID', '0'))


def size():
    """Return the number of processes by the environment."""
    return int(os.environ.get('RANK_SIZE') or os.environ.get('CM_WORKER_SIZE') or '1')


def journal(event, **details):
    """Append a line to the journal, where one is kept."""
    path = os.environ.get('HOURGLASS_STAND_IN_JOURNAL')
    if path:
        line = json.dumps(dict(details, event=event, rank=rank(), process=os.getpid()), sort_keys=True)
        with open(path, 'a') as stream:
            stream.write(f'{line}\n')


class Device:
    """The state of one process's device: whether it is up, its overflow register and what was counted."""

    def __init__(self):
        self.is_up = False
        self.was_up = False
        self.was_shut_down = False
        self.register = 0
        self.readings = 0
        self.star = None

    def read_register(self):
        """Return 1 where something overflowed since the register was cleared, or was reported to overflow now."""
        index, self.readings = self.readings, self.readings + 1
        if forced_to_overflow(os.environ.get('HOURGLASS_STAND_IN_OVERFLOW', ''), index, rank()):
            self.register = 1
        return self.register


def forced_to_overflow(text, index, own_rank):
    """Tell whether '1|4-6|7@2' names the reading `index` of a rank."""
    for part in filter(None, text.split('|')):
        match = re.match(r'^(\d+)(?:-(\d+))?(?:@(\d+))?$', part)
        if not match:
            raise StandInError(f'HOURGLASS_STAND_IN_OVERFLOW: cannot read {part!r}')
        first, last, only = [None if group is None else int(group) for group in match.groups()]
        if first <= index <= (first if last is None else last) and only in (None, own_rank):
            return True
    return False


device = Device()


def gate(module, known, of_the_other_state=()):
    """Return a __getattr__ for a module: names that only the other state has are missing, others are refused loudly.

    A guard such as hasattr(module, name) works for the former; for the latter it raises StandInError.
    """

    def missing(name):
        if name in of_the_other_state or (name.startswith('__') and name.endswith('__')):
            raise AttributeError(f'{module} of {state()} has no {name}')
        raise StandInError(f'{module}.{name}: the stand-in does not know this name, only {", ".join(known)}')

    return missing
