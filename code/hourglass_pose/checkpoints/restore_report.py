"""RestoreReport: which variables of a checkpoint fit a graph, in lines for people."""

from dataclasses import dataclass
from typing import Dict, Iterator, List, Sequence, Tuple

AVERAGE_SUFFIX = '/ExponentialMovingAverage'
"""Ending of an average's name, the one that tf.train.ExponentialMovingAverage uses."""

_NAMES_SHOWN = 3

# Descriptions of variables that are only in the graph, and of those that are only in the checkpoint, by kind.
_STARTS_FRESH = {
    'average': 'moving averages of the weights',
    'optimizer': "the optimizer's state",
    'step': 'the count of steps',
    'loss scale': 'the loss scale',
    'other': 'not in the checkpoint',
}
_LEFT_OUT = {
    'average': 'moving averages of the weights',
    'optimizer': "an optimizer's state",
    'step': 'a count of steps',
    'loss scale': 'a loss scale',
    'other': 'unknown to this network',
}


@dataclass(frozen=True)
class RestoreReport:
    """Which variables of a checkpoint fit a graph, by name.

    restored: in both. fresh: the checkpoint lacks them, or holds them in another shape. unused: only in the
    checkpoint. network: the variables of the graph that belong to the network.
    """

    restored: Tuple[str, ...]
    fresh: Tuple[str, ...]
    unused: Tuple[str, ...]
    network: Tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether no variable starts fresh and none is left out."""
        return not self.fresh and not self.unused

    def lines(self) -> List[str]:
        """Return lines for people: what was matched, what starts fresh, what was left out and why."""
        of_network = len(set(self.restored) & set(self.network))
        return (
            [f'matched: {of_network} variables of the network, {len(self.restored) - of_network} others']
            + [f'starts fresh: {line}' for line in self._by_kind(self.fresh, _STARTS_FRESH)]
            + [f'left out: {line}' for line in self._by_kind(self.unused, _LEFT_OUT)]
        )

    def _by_kind(self, names: Sequence[str], reasons: Dict[str, str]) -> Iterator[str]:
        groups: Dict[str, List[str]] = {}
        for name in names:
            groups.setdefault(self._kind(name), []).append(name)
        for kind, members in groups.items():
            yield f'{reasons[kind]} ({listed(members)})'

    def _kind(self, name: str) -> str:
        owner, _, last = name.rpartition('/')
        if name.endswith(AVERAGE_SUFFIX):
            return 'average'
        if owner in self.network or last in ('beta1_power', 'beta2_power'):
            return 'optimizer'
        if last in ('global_step', 'skipped_steps'):
            return 'step'
        is_scale = 'loss_scale' in name.lower() or last in ('good_steps', 'bad_steps')
        return 'loss scale' if is_scale else 'other'


def listed(names: Sequence[str]) -> str:
    """Return the names, or their number and the first few if there are many."""
    shown = ', '.join(names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f'{len(names)} variables, the first: {shown}'
