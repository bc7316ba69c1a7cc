"""Checkpoint: saves the training after epochs, after a number of minutes, and when it ends."""

import time
from typing import Any, Dict, Optional, Tuple

from hourglass_pose.checkpoints.folder import CheckpointFolder
from hourglass_pose.checkpoints.variables import VariableSaver
from hourglass_pose.invocation import command
from hourglass_pose.tf_compat import describe_versions
from hourglass_pose.training.hooks.hook import Hook, Training
from hourglass_pose.training.hooks.validation import Validation
from hourglass_pose.training.stepper import StepOutcome


class Checkpoint(Hook):
    """Writes checkpoints. It is the last hook, so that the states of the other hooks are those after the epoch.

    manifest: what every manifest holds besides the position of the training. every: epochs from one checkpoint to the
    next; the best validation so far, the last epoch and the end of the training are also saved. minutes: a checkpoint
    is also due when the last one is older; 0 turns this off. resumed_here: whether the training resumes from a
    checkpoint in this folder.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        saver: VariableSaver,
        manifest: Dict[str, Any],
        validation: Validation,
        *,
        every: int,
        minutes: float,
        resumed_here: bool,
    ) -> None:
        self._folder, self._saver, self._manifest = folder, saver, manifest
        self._validation = validation
        self._every, self._seconds = every, minutes * 60
        self._resumed_here = resumed_here
        self._saved: Optional[Tuple[int, int]] = None
        self._time = time.time()
        self._is_due = False

    def before_training(self, training: Training) -> None:
        if self._resumed_here:
            self._saved = (training.step, training.skipped)
        self._time = time.time()

    def after_step(self, training: Training, outcome: StepOutcome) -> None:
        if training.length.epochs_at(outcome.step) <= training.finished_epochs and self._is_overdue():
            self._save(training)

    def before_validation(self, training: Training, epoch: int) -> None:
        self._is_due = (
            epoch // self._every > training.finished_epochs // self._every
            or epoch == training.length.num_epochs
            or self._is_overdue()
        )
        # A checkpoint that is due is written before the validation, so that a kill during it does not lose the epoch.
        if self._is_due and self._validation.is_due(training, epoch):
            self._save(training)

    def after_epoch(self, training: Training, epoch: int) -> None:
        is_best = self._validation.is_of(training.step) and self._validation.is_best
        is_saved = self._saved == (training.step, training.skipped)
        if self._is_due or is_best or is_saved or training.is_finished:
            self._save(training, is_best)

    def after_failure(self, training: Training) -> None:
        if training.runtime.is_chief:
            # A device loop may have completed some of its steps before the failure.
            names = [counter.op.name for counter in (training.graph.global_step, training.graph.skipped_steps)]
            counters = self._saver.values(training.session, names)
            training.step, training.skipped = [int(counters[name]) for name in names]
            self._save(training)

    def after_training(self, training: Training) -> None:
        if not training.is_finished:
            self._save(training)
            end = training.length.last_step_at(training.step)
            training.report(
                f'stopped at step {training.step} of {end}; "{command("resume")} {self._folder.folder}" continues from '
                'here'
            )

    def _is_overdue(self) -> bool:
        return 0 < self._seconds < time.time() - self._time

    def _save(self, training: Training, is_best: bool = False) -> None:
        if not training.runtime.is_chief:
            return
        manifest = dict(
            self._manifest,
            global_step=training.step,
            skipped_steps=training.skipped,
            versions=describe_versions(),
            progress=training.progress,
            **training.length.as_manifest(training.step, training.skipped),
        )
        if self._saved == (training.step, training.skipped):
            # The variables of this step are on the disk already.
            self._folder.update(training.step, manifest, is_best)
        else:
            self._folder.write(
                training.step, manifest, lambda folder: self._saver.save(training.session, folder), is_best
            )
        self._saved = (training.step, training.skipped)
        self._time = time.time()
