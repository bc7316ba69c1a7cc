"""ProgressBar: a bar on the terminal for each epoch."""

from typing import Any

from tqdm import tqdm

from hourglass_pose.training.hooks.hook import Hook, Training
from hourglass_pose.training.stepper import StepOutcome


class ProgressBar(Hook):
    """Counts the persons of the current epoch. Only the chief process shows it, and only on a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None

    def before_step(self, training: Training) -> None:
        if self._bar is None:
            epoch, persons = divmod(training.length.persons_at(training.step), training.length.persons_per_epoch)
            self._bar = tqdm(
                total=training.length.persons_per_epoch,
                initial=persons,
                unit='person',
                leave=False,
                dynamic_ncols=True,
                # None lets tqdm decide, which shows the bar on a terminal only.
                disable=None if training.runtime.is_chief else True,
                desc=f'epoch {epoch + 1}/{training.length.num_epochs}',
            )

    def after_step(self, training: Training, outcome: StepOutcome) -> None:
        self._bar.update(outcome.applied * training.length.joint_batch)
        skips = f', {outcome.skipped} skipped' if outcome.skipped else ''
        self._bar.set_postfix_str(f'loss {outcome.loss:.4f}{skips}', refresh=False)

    def before_validation(self, training: Training, epoch: int) -> None:
        self.close(training)

    def after_training(self, training: Training) -> None:
        self.close(training)

    def close(self, training: Training) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
