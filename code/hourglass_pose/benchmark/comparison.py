"""Comparison: blocks of runs in turns, and the rates and ratios that follow from their times."""

import os
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple, Union

import numpy as np

from hourglass_pose.benchmark.crowd import Crowd
from hourglass_pose.benchmark.worker import Worker

_BLOCKS = 10
_PEAK_RUNS = 3
_REST_SECONDS, _MOST_RESTS = 0.05, 40
NOTEWORTHY_LOAD = 0.05


@dataclass(frozen=True)
class Side:
    """One side of a comparison. name: for the report. worker, index: its process, and its part there."""

    name: str
    worker: Union[Worker, Crowd]
    index: int


@dataclass(frozen=True)
class Comparison:
    """Mean seconds of a run in every block, of every side.

    peak_gflops: fastest matrix multiplication of the same run in 10^9 operations a second, 0 if none was measured.
    foreign_load: share of the processor that other processes used meanwhile.
    """

    sides: Tuple[Side, ...]
    seconds: np.ndarray  # (sides, blocks)
    runs_of_block: int
    peak_gflops: float
    peak_description: str
    foreign_load: float

    def rates(self, index: int) -> np.ndarray:
        """Return the images a second of a side in every block."""
        return self._part(index)['images'] / self.seconds[index]

    def ratios(self) -> np.ndarray:
        """Return the ratio of the two sides' rates in every block, an empty array without a second side."""
        return self.rates(0) / self.rates(1) if len(self.sides) == 2 else np.array([])

    def _part(self, index: int) -> Dict[str, Any]:
        return self.sides[index].worker.parts[self.sides[index].index]

    def as_dict(self) -> Dict[str, Any]:
        """Return everything, JSON-able."""
        sides = []
        for index, side in enumerate(self.sides):
            part = self._part(index)
            gflops = part['gflop'] / float(np.median(self.seconds[index]))
            sides.append(
                {
                    'name': side.name,
                    'code': side.worker.code,
                    'description': part['description'],
                    'seconds_of_blocks': self.seconds[index].tolist(),
                    'images_per_second': _spread(self.rates(index)),
                    'gflops': gflops or None,
                    'share_of_peak': gflops / self.peak_gflops if gflops and self.peak_gflops else None,
                }
            )
        return {
            'sides': sides,
            'ratio': _spread(self.ratios()) if len(self.sides) == 2 else None,
            'runs_of_block': self.runs_of_block,
            'peak_gflops': self.peak_gflops or None,
            'peak': self.peak_description,
            'foreign_load': self.foreign_load,
        }

    def lines(self) -> List[str]:
        """Return the report."""
        content = self.as_dict()
        lines = []
        for side in content['sides']:
            line = f'{side["name"]}: {_text(side["images_per_second"])} images/s'
            if side['gflops']:
                line += f', {side["gflops"]:.1f} GFLOP/s'
            if side['share_of_peak']:
                line += f', {side["share_of_peak"]:.2f} of the peak'
            lines.append(f'{line}; {side["description"]}')
        if content['ratio']:
            names = ' / '.join(side.name for side in self.sides)
            lines.append(f'{names}: {_text(content["ratio"], 3)}')
        if self.peak_gflops:
            lines.append(f'peak: {self.peak_gflops:.0f} GFLOP/s, {self.peak_description}')
        lines.append(f'median (quartiles) of {self.seconds.shape[1]} blocks of {self.runs_of_block} runs in turns')
        if self.foreign_load > NOTEWORTHY_LOAD:
            lines.append(foreign_load_note(self.foreign_load))
        return lines


def _wait_until_idle(worker: Union[Worker, Crowd]) -> None:
    """Wait, for some seconds at most, until a side has prepared ahead what would disturb the block of the next one."""
    used = worker.cpu_seconds()
    for _ in range(_MOST_RESTS):
        time.sleep(_REST_SECONDS)
        before, used = used, worker.cpu_seconds()
        if used - before < _REST_SECONDS / 4:
            return


def compare(sides: Sequence[Side], runs: int, peak: Sequence[Side] = ()) -> Comparison:
    """Run the sides in turns, so that a change of the machine's speed affects all of them equally.

    Args:
        sides: one or two.
        runs: smallest number of runs of each side.
        peak: one matrix multiplication, or none.
    """
    blocks = min(_BLOCKS, runs)
    count = -(-runs // blocks)
    workers = list({id(side.worker): side.worker for side in sides}.values())
    seconds = np.zeros((len(sides), blocks))
    fastest = np.inf
    load = _Load(workers)
    for block in range(blocks):
        order = list(enumerate(sides))
        for index, side in order if block % 2 == 0 else order[::-1]:
            seconds[index, block] = side.worker.block(side.index, count)
            _wait_until_idle(side.worker)
        for side in peak:
            fastest = min(fastest, *(side.worker.block(side.index, 1) for _ in range(_PEAK_RUNS)))
    parts = [side.worker.parts[side.index] for side in peak]
    return Comparison(
        tuple(sides),
        seconds,
        count,
        parts[0]['gflop'] / fastest if parts else 0.0,
        parts[0]['description'] if parts else '',
        load.foreign_share(),
    )


class _Load:
    """Measures, by /proc/stat, the processor time that is not used by this process or the workers."""

    def __init__(self, workers: Sequence[Union[Worker, Crowd]]) -> None:
        self._workers = workers
        self._begin = self._now()

    def foreign_share(self) -> float:
        """Return the share of the processor that other processes used, at least 0."""
        busy, total, own = (after - before for before, after in zip(self._begin, self._now()))
        return max(0.0, (busy - own) / total) if total > 0 else 0.0

    def _now(self) -> Tuple[float, float, float]:
        with open('/proc/stat') as stream:
            ticks = [int(text) for text in stream.readline().split()[1:9]]
        idle = ticks[3] + ticks[4]
        scale = os.sysconf('SC_CLK_TCK')
        own = time.process_time() + sum(worker.cpu_seconds() for worker in self._workers)
        return (sum(ticks) - idle) / scale, sum(ticks) / scale, own


def foreign_load_note(share: float) -> str:
    """Return the line that warns of other processes, which used this share of the processor."""
    return f'note: other processes used {100 * share:.0f} % of the processor; measure again on a quiet machine'


def _spread(values: np.ndarray) -> Dict[str, float]:
    low, median, high = np.percentile(values, [25, 50, 75])
    return {'median': float(median), 'quartile_1': float(low), 'quartile_3': float(high)}


def _text(spread: Dict[str, float], digits: int = 1) -> str:
    low, median, high = (f'{spread[name]:.{digits}f}' for name in ('quartile_1', 'median', 'quartile_3'))
    return f'{median} ({low} to {high})'
