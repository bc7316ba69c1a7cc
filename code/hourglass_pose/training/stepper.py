"""Stepper: runs the steps of a TrainGraph from a position in the data on, and returns the outcome of each run."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hourglass_pose.errors import ImageError, TrainingError
from hourglass_pose.input.generator import Batch, DataGenerator
from hourglass_pose.invocation import command
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.run_length import RunLength
from hourglass_pose.training.train_graph import TrainGraph

MOST_SKIPPED_IN_A_ROW = 200
_IMAGES_NAMED = 8


@dataclass(frozen=True)
class StepOutcome:
    """Outcome of a run of one or several steps, the same in all processes.

    step: applied steps so far. skipped: steps so far that were skipped because of an overflow. applied: applied steps
    of this run. loss_sum: sum of their losses. loss, rate: of the last step; loss is the mean over the processes.
    """

    step: int
    skipped: int
    applied: int
    loss_sum: float
    loss: float
    rate: float

    def passes(self, every: int) -> bool:
        """Return whether this run reaches or passes a multiple of `every` steps."""
        return self.step // every > (self.step - self.applied) // every


class Stepper:
    """Trains from a position in the data on. data: generator of the training persons."""

    def __init__(self, graph: TrainGraph, runtime: Runtime, data: DataGenerator, length: RunLength) -> None:
        self.graph = graph
        self.runtime = runtime
        self.data = data
        self.length = length
        self._fetches = [
            graph.train_op,
            graph.finished,
            graph.skipped,
            graph.loss,
            graph.loss_sum,
            graph.rate,
            graph.gradient_norm,
        ]
        self._session: Any = None
        self._batches: Any = None
        self._step = self._skipped = self._skipped_in_a_row = 0

    def start(self, session: Any, step: int, skipped: int) -> None:
        """Continue after these numbers of applied and skipped steps."""
        self._session, self._step, self._skipped = session, step, skipped
        self._batches = self.data.training_batches(self.length.position_at(step, skipped))
        self.graph.input.start(session, self._batches)

    def run(self) -> StepOutcome:
        """Train for runtime.steps_per_run steps and return the StepOutcome.

        Raises ImageError when too many images cannot be read, TrainingError when the loss is not finite or when every
        step overflows.
        """
        feed = self.graph.input.next_feed()
        try:
            _, step, skipped, loss, loss_sum, rate, norm = self.runtime.run(self._session, self._fetches, feed)
        except tf.errors.OpError:
            failure = self.graph.input.failure()
            if isinstance(failure, ImageError):
                raise failure
            raise
        step, skipped = int(step), int(skipped)
        # One message between the processes, for the check that all values are finite and for the means.
        losses = self.runtime.exchange([repr(float(loss)), repr(float(loss_sum)), repr(float(norm))])
        loss, loss_sum, norm = [float(np.mean([float(text) for text in column])) for column in zip(*losses)]
        self._check(step, skipped, loss, rate, norm)
        outcome = StepOutcome(step, skipped, step - self._step, loss_sum, loss, float(rate))
        self._step, self._skipped = step, skipped
        return outcome

    def last_batch(self) -> Batch:
        """Return the Batch of the last step."""
        position = self.length.position_at(self._step, self._skipped) - self.length.joint_batch
        return self.graph.input.batch or self.data.training_batch(position)

    def close(self) -> None:
        """Stop the threads that prepare batches."""
        if self.runtime.steps_per_run == 1:
            # Otherwise the generator belongs to the session, which ends it.
            self._batches.close()

    def _check(self, step: int, skipped: int, loss: float, rate: float, norm: float) -> None:
        is_finite = np.isfinite(loss) and (np.isfinite(norm) or self.runtime.skips_overflow)
        if not is_finite:
            position = self.length.position_at(step, skipped) - self.length.joint_batch
            rows = self.data.training_indices(position)[:_IMAGES_NAMED]
            images = ', '.join(self.data.persons[self.data.person_index(index)].image for _, index in rows)
            raise TrainingError(
                f'step {step}: the loss is {loss} and the norm of its gradient {norm}, at learning rate {rate:.3g}, on '
                f'images {images}; the last checkpoint is untouched: lower Train.lear_rate, lengthen '
                f'Train.warmup_steps or set Train.clip_norm, then "{command("resume")}"'
            )
        self._skipped_in_a_row = 0 if step > self._step else self._skipped_in_a_row + skipped - self._skipped
        if self._skipped_in_a_row >= MOST_SKIPPED_IN_A_ROW:
            raise TrainingError(
                f'step {step + 1}: the gradient has overflowed {self._skipped_in_a_row} times in a row at the loss '
                f'{loss:.4g}; the last checkpoint is untouched: lower Train.lear_rate or a fixed Device.loss_scale, '
                f'then "{command("resume")}"'
            )
