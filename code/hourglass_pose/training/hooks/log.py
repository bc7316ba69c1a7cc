"""Log: TensorBoard scalars every few steps, and a row of history.csv and a line every epoch."""

import time
from typing import Any, Dict, Optional

from hourglass_pose.checkpoints.variables import VariableSaver
from hourglass_pose.training.hooks.hook import Hook, Training
from hourglass_pose.training.hooks.validation import Validation
from hourglass_pose.training.stepper import StepOutcome


class Log(Hook):
    """Writes to a RunLog every `every` steps and every epoch.

    histograms_of: saver that reads the weights for histograms, or None.
    """

    def __init__(
        self, run_log: Any, every: int, validation: Validation, histograms_of: Optional[VariableSaver] = None
    ) -> None:
        self._run_log, self._every, self._histograms_of = run_log, every, histograms_of
        self._validation = validation
        self._loss_sum, self._loss_count, self._rate = 0.0, 0, 0.0
        self._seconds, self._images, self._began = 0.0, 0, 0.0

    def state(self) -> Dict[str, Any]:
        return {'loss_sum': self._loss_sum, 'loss_count': self._loss_count, 'learning_rate': self._rate}

    def restore(self, progress: Dict[str, Any]) -> None:
        self._loss_sum = progress.get('loss_sum', 0.0)
        self._loss_count = progress.get('loss_count', 0)
        self._rate = progress.get('learning_rate', 0.0)

    def before_training(self, training: Training) -> None:
        self._run_log.start_at(training.step)

    def before_step(self, training: Training) -> None:
        self._began = time.perf_counter()

    def after_step(self, training: Training, outcome: StepOutcome) -> None:
        self._seconds += time.perf_counter() - self._began
        self._images += training.runtime.steps_per_run * training.length.joint_batch
        self._loss_sum += outcome.loss_sum
        self._loss_count += outcome.applied
        self._rate = outcome.rate
        if outcome.passes(self._every):
            scalars = {
                'loss': outcome.loss,
                'learning_rate': outcome.rate,
                'images_per_second': self._images / max(self._seconds, 1e-9),
            }
            if training.runtime.skips_overflow:
                scalars['skipped_steps'] = outcome.skipped
            self._run_log.scalars('train', outcome.step, scalars)
            if self._histograms_of:
                names = [name for group in training.graph.storage.weights for name in group.names]
                weights = self._histograms_of.values(training.session, names)
                self._run_log.histograms(outcome.step, weights)
            self._seconds, self._images = 0.0, 0

    def after_epoch(self, training: Training, epoch: int) -> None:
        means = self._validation.means(training.step)
        self._run_log.scalars('test', training.step, means)
        loss = self._loss_sum / max(self._loss_count, 1)
        self._run_log.epoch(
            {
                'epoch': epoch,
                'step': training.step,
                'persons': training.length.persons_at(training.step),
                'skipped_steps': training.skipped,
                'train_loss': repr(loss),
                'learning_rate': repr(self._rate),
                **{f'valid_{name}': value for name, value in means.items()},
            }
        )
        shown = ''.join(f', {name} {value:.2f}' for name, value in means.items() if value is not None)
        best = ', the best so far' if means and self._validation.is_best else ''
        skips = f', {training.skipped} skipped' if training.skipped else ''
        training.report(
            f'epoch {epoch}/{training.length.num_epochs}, step {training.step}{skips}: loss {loss:.4f}{shown}{best}'
        )
        self._loss_sum, self._loss_count = 0.0, 0
        self._run_log.flush()

    def close(self, training: Training) -> None:
        self._run_log.close()
