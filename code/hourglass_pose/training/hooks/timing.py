"""Timing: measures the speed of the whole training."""

from hourglass_pose.training.hooks.hook import Hook, Training
from hourglass_pose.training.performance import Performance
from hourglass_pose.training.stepper import StepOutcome


class Timing(Hook):
    """Measures each step with a Performance. It is the first hook, so that the time of other hooks is not included."""

    def __init__(self) -> None:
        self.performance = Performance()

    def before_step(self, training: Training) -> None:
        self.performance.begin()

    def after_step(self, training: Training, outcome: StepOutcome) -> None:
        steps = training.runtime.steps_per_run
        self.performance.end(steps * training.length.joint_batch, outcome.loss, steps)
