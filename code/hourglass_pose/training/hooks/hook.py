"""Hook: the methods that a training calls at fixed points, and Training: the state that hooks see."""

from typing import Any, Callable, Dict, Sequence

from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.training.run_length import RunLength
from hourglass_pose.training.stepper import StepOutcome, Stepper
from hourglass_pose.training.stopping import StopRequest
from hourglass_pose.training.train_graph import TrainGraph

Report = Callable[[str], Any]
"""Shows a line to the user."""


class Training:
    """The state of a training that hooks see.

    session: the tf.Session, once it is open. step, skipped: numbers of applied steps, and of steps that were skipped
    because of an overflow. finished_epochs: epochs whose validation, if one was due, is done and whose row is written.
    ends_early: set by a hook to end the run after the current epoch. report: shows a line to the user.
    """

    def __init__(
        self,
        graph: TrainGraph,
        runtime: Runtime,
        data: DataGenerator,
        length: RunLength,
        hooks: Sequence['Hook'],
        report: Report,
    ) -> None:
        self.graph, self.runtime, self.data, self.length = graph, runtime, data, length
        self.hooks, self.report = hooks, report
        self.session: Any = None
        self.step = self.skipped = self.finished_epochs = 0
        self.ends_early = False
        self.stepper = Stepper(graph, runtime, data, length)
        self.stop_request = StopRequest()

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to train."""
        return self.ends_early or self.finished_epochs >= self.length.num_epochs

    @property
    def progress(self) -> Dict[str, Any]:
        """What a checkpoint holds besides the variables: the states of all hooks in one dict."""
        states = [{'finished_epochs': self.finished_epochs}] + [hook.state() for hook in self.hooks]
        return {key: value for state in states for key, value in state.items()}

    def asked_to_stop(self) -> bool:
        """Return whether any process received a request to stop. All processes must call it at the same point."""
        return self.runtime.any_of(self.stop_request.requested)


class Hook:
    """Base class of all hooks; it does nothing.

    A step is one run of the device, which may be several training steps. An epoch is finished in three calls:
    before_validation, validate, which may raise Stopped to leave the epoch unfinished, and after_epoch. Every process
    calls every hook at the same points, so a hook may exchange values between processes.
    """

    def state(self) -> Dict[str, Any]:
        """Return the state for checkpoints, JSON-able. All hooks share one namespace in the manifest's `progress`."""
        return {}

    def restore(self, progress: Dict[str, Any]) -> None:
        """Restore the state from the `progress` of a manifest, which may lack it."""

    def before_training(self, training: Training) -> None:
        """Called once after the variables are set."""

    def before_step(self, training: Training) -> None:
        """Called before a batch is requested."""

    def after_step(self, training: Training, outcome: StepOutcome) -> None:
        """Called when the loss of a step is known."""

    def before_validation(self, training: Training, epoch: int) -> None:
        """Called after the last step of an epoch, and again after a resume if the epoch was left unfinished."""

    def validate(self, training: Training, epoch: int) -> None:
        """Called after before_validation. Raises Stopped to leave the epoch unfinished."""

    def after_epoch(self, training: Training, epoch: int) -> None:
        """Called when an epoch is finished; epochs count from 1."""

    def after_failure(self, training: Training) -> None:
        """Called when unreadable images end the training; the session is still open."""

    def after_training(self, training: Training) -> None:
        """Called after the last step, whether the run is finished or was stopped."""

    def close(self, training: Training) -> None:
        """Called last, also after an error."""
