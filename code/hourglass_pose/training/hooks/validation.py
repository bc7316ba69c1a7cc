"""Validation: evaluates the network after epochs and records the best result."""

from dataclasses import replace
from typing import Any, Dict, Iterable, Iterator, Optional

import numpy as np
from tqdm import tqdm

from hourglass_pose.errors import counted
from hourglass_pose.evaluation.best import BestMetric
from hourglass_pose.evaluation.evaluator import Evaluation, Evaluator
from hourglass_pose.input.generator import Batch
from hourglass_pose.training.hooks.hook import Hook, Training
from hourglass_pose.training.stopping import Stopped
from hourglass_pose.training.validation_loss import ValidationLoss


class Validation(Hook):
    """Validates after every `every` epochs and after the last one.

    best_metric: decides which validation is the best. loss: measures the loss if the loss decides, otherwise None.

    Attributes: evaluation: the last Evaluation of this process, None before the first. is_best: whether it was the
    best so far.
    """

    def __init__(
        self, evaluator: Evaluator, every: int, best_metric: BestMetric, loss: Optional[ValidationLoss] = None
    ) -> None:
        self._evaluator, self._every = evaluator, every
        self._best_metric, self._loss = best_metric, loss
        self.evaluation: Optional[Evaluation] = None
        self.is_best = False
        self._best_score: Optional[float] = None
        self._score: Optional[float] = None
        self._validated_step = 0
        self._metrics: Dict[str, Any] = {}

    @property
    def best(self) -> Dict[str, Any]:
        """'best_by', the name of the metric that decides which validation is the best, and the 'best_score' so far."""
        return {'best_by': self._best_metric.name, 'best_score': self._best_score}

    def state(self) -> Dict[str, Any]:
        return {**self.best, 'score': self._score, 'validated_step': self._validated_step, 'metrics': self._metrics}

    def restore(self, progress: Dict[str, Any]) -> None:
        self._validated_step = progress.get('validated_step', 0)
        self._metrics = progress.get('metrics', {})
        # Checkpoints of earlier versions compared by the first of these that was defined.
        defined = [name for name in ('pckh@0.5', 'pck@0.2') if self._metrics.get(name, {}).get('mean') is not None]
        if progress.get('best_by', defined[0] if defined else None) == self._best_metric.name:
            self._best_score, self._score = progress.get('best_score'), progress.get('score')

    def is_of(self, step: int) -> bool:
        """Return whether this process has validated the network after this step."""
        return self.evaluation is not None and self._validated_step == step

    def is_due(self, training: Training, epoch: int) -> bool:
        """Return whether the network is validated after an epoch."""
        return epoch // self._every > training.finished_epochs // self._every or epoch == training.length.num_epochs

    def means(self, step: int) -> Dict[str, Optional[float]]:
        """Return {metric: mean over joints} of the validation after this step, {} if there was none."""
        if not self.is_of(step):
            return {}
        means = {name: values['mean'] for name, values in self._metrics.items()}
        means.setdefault(self._best_metric.name, self._score)
        return means

    def validate(self, training: Training, epoch: int) -> None:
        if not self.is_due(training, epoch):
            return
        self.evaluation = self._measure(training)
        self._validated_step = training.step
        self._metrics = self.evaluation.result.metrics
        loss = self._loss.mean(training.runtime) if self._loss else None
        self._score = self._best_metric.score(self.evaluation) if loss is None else loss
        self.is_best = self._best_metric.is_better(self._score, self._best_score)
        if self.is_best:
            self._best_score = self._score

    def after_training(self, training: Training) -> None:
        if training.is_finished and self.evaluation is None:
            # A finished run was resumed: nothing is left to train, but its results are written again.
            epochs = f'{training.finished_epochs} of {counted(training.length.num_epochs, "epoch")}'
            training.report(f'the run is finished: {epochs}{", it ended early" if training.ends_early else ""}')
            try:
                self.evaluation = self._measure(training)
            except Stopped:
                return
        graph, session, runtime = training.graph, training.session, training.runtime
        if training.is_finished and self.evaluation and graph.valid_person is not None:
            # Once a run, because it costs as much as a validation without the flip test.
            person = self._evaluator.measure_person(
                lambda images: graph.predict_person(session, images), runtime.exchange_arrays
            )
            self.evaluation = replace(self.evaluation, person=person)

    def _measure(self, training: Training) -> Evaluation:
        """Return the Evaluation of the network in its current state. Raises Stopped at a request to stop."""

        def until_stopped(batches: Iterable[Batch]) -> Iterator[Batch]:
            # All processes have the same number of batches, so all exchange the request equally often.
            for batch in tqdm(
                self._loss.watch(batches) if self._loss else batches,
                desc='validation',
                unit='batch',
                leave=False,
                dynamic_ncols=True,
                total=self._evaluator.num_batches,
                disable=None if training.runtime.is_chief else True,
            ):
                _raise_if_stopped(training)
                yield batch
            _raise_if_stopped(training)

        def logits(images: np.ndarray) -> np.ndarray:
            found = training.graph.predict_logits(training.session, images)
            if self._loss:
                self._loss.add(training.session, images, found)
            return found

        training.runtime.synchronise(training.session)
        return self._evaluator.evaluate(logits, until_stopped, training.runtime.exchange_arrays)


def _raise_if_stopped(training: Training) -> None:
    if training.asked_to_stop():
        raise Stopped()
