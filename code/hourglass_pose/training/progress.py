"""How long a run is, how far it has come, and how fast it goes."""

import time
from dataclasses import dataclass, field
from typing import Optional


@dataclass(frozen=True)
class LoopSettings:
    """How long a run is and how often things happen; names as in config.cfg."""

    num_epochs: int
    steps_per_epoch: int
    valid_every: int = 1
    checkpoint_every: int = 1
    checkpoint_minutes: float = 15.0
    saver_step: int = 100
    w_summary: bool = False

    @property
    def total_steps(self):
        return self.num_epochs * self.steps_per_epoch

    def epochs_at(self, step):
        """Return how many epochs are over after so many steps; a device loop may overshoot the last."""
        return min(step // self.steps_per_epoch, self.num_epochs)

    def validates_after(self, epoch):
        """Return whether the network is validated after an epoch, counted from 1."""
        return epoch % self.valid_every == 0 or epoch == self.num_epochs


@dataclass
class Progress:
    """What a checkpoint must remember besides the variables, so that a resumed run repeats the uninterrupted one.

    loss_sum, loss_count: of the epoch so far. learning_rate: of the last step. best_score: of all validations so
    far. validated_step, metrics: of the last validation. finished_epochs: whose row is written and whose validation,
    where it was due, is done; None in the checkpoints of earlier versions.
    """

    loss_sum: float = 0.0
    loss_count: int = 0
    learning_rate: float = 0.0
    best_score: Optional[float] = None
    validated_step: int = 0
    metrics: dict = field(default_factory=dict)
    finished_epochs: Optional[int] = 0

    @classmethod
    def restored(cls, values, loop, step):
        """Return the Progress of a manifest's dict at a step."""
        progress = cls(**dict({'finished_epochs': None}, **values))
        if progress.finished_epochs is None:
            epochs, rest = divmod(step, loop.steps_per_epoch)
            # An epoch is stopped before it is finished only in its validation.
            is_open = epochs and not rest and loop.validates_after(epochs) and progress.validated_step < step
            progress.finished_epochs = epochs - 1 if is_open else epochs
        return progress


class Clock:
    """Steps and seconds since a place in the data, for the speed shown; validation and drawing are not in it."""

    def __init__(self, place):
        self._place = place
        self._start = time.perf_counter()

    def steps_per_second(self, place):
        return (place - self._place) / max(time.perf_counter() - self._start, 1e-9)
