"""EarlyStopping: ends a run whose validations no longer improve."""

from typing import Any, Dict

from hourglass_pose.errors import counted
from hourglass_pose.training.hooks.hook import Hook, Training
from hourglass_pose.training.hooks.validation import Validation


class EarlyStopping(Hook):
    """Ends the run at a validation `patience` or more epochs after the best one; 0 turns it off."""

    def __init__(self, patience: int, validation: Validation) -> None:
        self._patience = patience
        self._validation = validation
        self._best_epoch = self._validated_epoch = 0

    def state(self) -> Dict[str, Any]:
        return {'best_epoch': self._best_epoch, 'validated_epoch': self._validated_epoch}

    def restore(self, progress: Dict[str, Any]) -> None:
        # Checkpoints of earlier versions do not record the best epoch: patience is counted from the resume on.
        finished = progress.get('finished_epochs') or 0
        self._best_epoch = progress.get('best_epoch', finished)
        self._validated_epoch = progress.get('validated_epoch', finished)

    def before_training(self, training: Training) -> None:
        self._decide(training)

    def after_epoch(self, training: Training, epoch: int) -> None:
        if self._validation.is_of(training.step):
            self._validated_epoch = epoch
            if self._validation.is_best:
                self._best_epoch = epoch
            self._decide(training)

    def _decide(self, training: Training) -> None:
        waited = self._validated_epoch - self._best_epoch
        if 0 < self._patience <= waited and not training.is_finished:
            training.ends_early = True
            training.report(
                f'training ends early: no better validation in {counted(waited, "epoch")} since epoch '
                f'{self._best_epoch} (Train.patience is {self._patience})'
            )
