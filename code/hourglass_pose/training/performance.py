"""Performance: the training speed, without the first steps and without the time between steps."""

import json
import math
import os
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from hourglass_pose.files import write_whole

PERFORMANCE = 'performance.json'

# The first steps compile the network for its device, and the queue of batches is full or empty by chance.
FIRST_STEPS = 10

_DEFINITION = (
    'images of all processes a second, over the steps after the first ones; a step lasts from the request of its '
    'batch to its loss on the host, whether it overflowed or not; validation, checkpoints, summaries and '
    'pictures are not included'
)


class Performance:
    """Measures training steps: call begin() before a batch is requested and end() when its loss is known.

    Up to Train.prefetch batches are prepared during a validation, and the steps after it do not wait for them.
    clock: function that returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began = 0.0
        self._first: List[Tuple[int, float, int]] = []
        self._total = (0, 0.0, 0)
        self._loss: Optional[float] = None

    def begin(self) -> None:
        """Start the clock of a step."""
        self._began = self._clock()

    def end(self, images: int, loss: float, steps: int = 1) -> None:
        """Record the steps since begin(). images: of all processes in these steps. loss: of the last step."""
        part = (steps, self._clock() - self._began, images)
        if sum(first[0] for first in self._first) < FIRST_STEPS:
            self._first.append(part)
        self._total = _sum([self._total, part])
        self._loss = float(loss)

    def as_dict(self) -> Dict[str, Any]:
        """Return the measurements, JSON-able; None for what was not measured, as in a run of a single step.

        The first ten steps are excluded; of fewer than twenty steps, the first half.
        """
        left_out = self._left_out()
        steps, seconds, images = [total - part for total, part in zip(self._total, _sum(left_out))]
        if not (left_out and steps > 0 and seconds > 0):
            steps, seconds, images = 0, 0.0, 0
        return {
            'images_per_second': images / seconds if steps else None,
            'seconds_per_step': seconds / steps if steps else None,
            'steps': steps,
            'images': images,
            'seconds': seconds,
            'steps_left_out': self._total[0] - steps,
            'last_loss': self._loss if self._loss is not None and math.isfinite(self._loss) else None,
            'definition': _DEFINITION,
        }

    def write(self, folder: str, **more: Any) -> None:
        """Write performance.json into a folder; more: further entries."""
        content = {**self.as_dict(), **more}
        write_whole(os.path.join(folder, PERFORMANCE), (f'{json.dumps(content, indent=2)}\n').encode())

    def _left_out(self) -> List[Tuple[int, float, int]]:
        """Return the (steps, seconds, images) of the excluded runs: whole runs of a device loop, at least one."""
        chosen: List[Tuple[int, float, int]] = []
        for part in self._first:
            made = sum(each[0] for each in chosen)
            if made >= FIRST_STEPS or (chosen and 2 * (made + part[0]) > self._total[0]):
                break
            chosen.append(part)
        return chosen


def _sum(parts: List[Tuple[int, float, int]]) -> Tuple[int, float, int]:
    return sum(part[0] for part in parts), sum(part[1] for part in parts), sum(part[2] for part in parts)
