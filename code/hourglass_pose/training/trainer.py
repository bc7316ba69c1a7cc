"""Trainer: the loop over steps and epochs; everything besides learning is in its hooks."""

from typing import Any

from hourglass_pose.errors import ImageError
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.hooks.hook import Training
from hourglass_pose.training.start import Start
from hourglass_pose.training.stepper import StepOutcome
from hourglass_pose.training.stopping import Stopped


class Trainer(Training):
    """Trains a network until its last epoch, until a hook ends the run, or until a request to stop.

    Each of several processes has one and runs the same steps. Hooks are called in their order.
    """

    def train(self, start: Start) -> bool:
        """Train and return whether the run is finished.

        Ctrl-C or SIGTERM in any process ends the training early in all of them, after a checkpoint. Raises
        TrainingError when the loss is not finite.
        """
        with self.stop_request, tf.Session(self.runtime.target, config=self.runtime.session_config()) as self.session:
            self.step, self.skipped = start.set_variables(self.session, self.graph, self.runtime, self.report)
            self.finished_epochs = start.finished_epochs(self.length, self.step)
            for hook in self.hooks:
                hook.restore(start.progress)
            tf.get_default_graph().finalize()
            try:
                self._loop()
            except ImageError:
                self._call('after_failure')
                raise
            finally:
                self._call('close')
        return self.is_finished

    def _loop(self) -> None:
        self._call('before_training')
        self.stepper.start(self.session, self.step, self.skipped)
        while not self.is_finished and not self.asked_to_stop():
            # A run that was stopped during the validation after an epoch continues with this validation.
            if self.length.epochs_at(self.step) <= self.finished_epochs:
                self._step()
            if self.length.epochs_at(self.step) > self.finished_epochs:
                self._finish_epoch(self.length.epochs_at(self.step))
        self.stepper.close()
        self._call('after_training')

    def _step(self) -> StepOutcome:
        """Train for one run of the device."""
        self._call('before_step')
        outcome = self.stepper.run()
        self.step, self.skipped = outcome.step, outcome.skipped
        self._call('after_step', outcome)
        return outcome

    def _finish_epoch(self, epoch: int) -> None:
        try:
            self._call('before_validation', epoch)
            self._call('validate', epoch)
        except Stopped:
            return
        self.finished_epochs = epoch
        self._call('after_epoch', epoch)

    def _call(self, name: str, *arguments: Any) -> None:
        for hook in self.hooks:
            getattr(hook, name)(self, *arguments)
