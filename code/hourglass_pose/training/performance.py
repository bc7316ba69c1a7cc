"""Performance: how fast a process trains, without the first steps and whatever is between the steps."""

import json
import math
import os
import time
from collections import OrderedDict

from hourglass_pose.files import write_whole

PERFORMANCE = 'performance.json'

# The first steps compile the network for its device, and find the queue of batches full or empty by chance.
FIRST_STEPS = 10

_DEFINITION = (
    'images of all processes by seconds, over the steps after the first; a step is from asking for its '
    'batch to its loss on the host, whether it overflowed or not; validation, checkpoints, summaries and '
    'pictures are not in it'
)


class Performance:
    """Takes the time of training steps: begin() before a batch is asked for, end() when its loss is there.

    Batches that are prepared during a validation, at most Train.prefetch of them, are found ready after it.
    clock: function that returns seconds.
    """

    def __init__(self, clock=time.perf_counter):
        self._clock = clock
        self._began = None
        self._first = []
        self._steps = 0
        self._seconds = 0.0
        self._images = 0
        self._loss = None

    def begin(self):
        self._began = self._clock()

    def end(self, images, loss, steps=1):
        """Note that steps have been made since begin(). images: of all processes in these steps. loss: of the last."""
        seconds = self._clock() - self._began
        if sum(part[0] for part in self._first) < FIRST_STEPS:
            self._first.append((steps, seconds, images))
        self._steps += steps
        self._seconds += seconds
        self._images += images
        self._loss = float(loss)

    def as_dict(self):
        """Return what was measured, JSON-able; None for what was not, as in a run of a single step.

        The first ten steps are left out; of fewer than twenty, the first half.
        """
        left_out = self._left_out()
        steps, seconds, images = (
            total - sum(part[place] for part in left_out)
            for place, total in enumerate((self._steps, self._seconds, self._images))
        )
        measured = bool(left_out) and steps > 0 and seconds > 0
        return OrderedDict(
            [
                ('images_per_second', images / seconds if measured else None),
                ('seconds_per_step', seconds / steps if measured else None),
                ('steps', steps if measured else 0),
                ('images', images if measured else 0),
                ('seconds', seconds if measured else 0.0),
                ('steps_left_out', self._steps - (steps if measured else 0)),
                ('last_loss', _finite(self._loss)),
                ('definition', _DEFINITION),
            ]
        )

    def write(self, folder, **more):
        """Write performance.json into a folder; more: what else it says."""
        content = self.as_dict()
        content.update(more)
        write_whole(os.path.join(folder, PERFORMANCE), (f'{json.dumps(content, indent=2)}\n').encode())

    def _left_out(self):
        """Return the (steps, seconds, images) that are not counted: whole runs of a device loop, at least one."""
        chosen = []
        for part in self._first:
            made = sum(each[0] for each in chosen)
            if made >= FIRST_STEPS or (chosen and 2 * (made + part[0]) > self._steps):
                break
            chosen.append(part)
        return chosen


def _finite(value):
    return value if value is not None and math.isfinite(value) else None
