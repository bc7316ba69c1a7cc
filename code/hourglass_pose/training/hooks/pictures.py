"""Pictures: inputs, targets and predictions of the network, for TensorBoard."""

from typing import Any

from hourglass_pose.training.hooks.hook import Hook, Training
from hourglass_pose.training.hooks.validation import Validation
from hourglass_pose.training.stepper import StepOutcome


class Pictures(Hook):
    """Renders a training batch every `every` steps, and each validation.

    renderer: object with `training(run_log, step, batch, logits)` and `validation(run_log, step, evaluation)`.
    """

    def __init__(self, renderer: Any, run_log: Any, every: int, validation: Validation) -> None:
        self._renderer, self._run_log, self._every = renderer, run_log, every
        self._validation = validation

    def after_step(self, training: Training, outcome: StepOutcome) -> None:
        if outcome.passes(self._every):
            batch = training.stepper.last_batch()
            logits = training.graph.predict_logits(training.session, batch.images)
            self._renderer.training(self._run_log, outcome.step, batch, logits)

    def after_epoch(self, training: Training, epoch: int) -> None:
        if self._validation.is_of(training.step):
            self._renderer.validation(self._run_log, training.step, self._validation.evaluation)
