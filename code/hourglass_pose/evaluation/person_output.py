"""The measure of the person output: plain crops against negative views of the same photos."""

from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Callable, Dict, List, Optional

import numpy as np

from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.input.negatives import NegativeViews
from hourglass_pose.input.samples import SampleMaker

PredictPerson = Callable[[np.ndarray], np.ndarray]
"""A network: crops (B, S, S, 3) uint8 to person logits (B,)."""

_SEED = 20160726


@dataclass(frozen=True)
class PersonMeasure:
    """accuracy: percent of the crops on the right side of the logit 0. auc: area under the ROC curve in percent.

    Either is None where it is not defined. positives, negatives: numbers of crops.
    """

    accuracy: Optional[float]
    auc: Optional[float]
    positives: int
    negatives: int

    def as_dict(self) -> Dict[str, Optional[float]]:
        """Return a dict for JSON."""
        return dict(vars(self))

    def line(self) -> str:
        """Return one line for people."""
        named = (('accuracy', self.accuracy), ('AUC', self.auc))
        shares = [f'{title} {value:.1f} %' for title, value in named if value is not None]
        crops = f'{self.positives} crops of one whole person and {self.negatives} others'
        return f'person output: {", ".join(shares) or "not measured"} on {crops}'


def person_measure(logits: np.ndarray, targets: np.ndarray) -> PersonMeasure:
    """Return the PersonMeasure of logits (N,) for targets (N,) of 0 and 1. Equal logits count half in the AUC."""
    is_positive = np.asarray(targets) > 0.5
    positives, negatives = int(is_positive.sum()), int((~is_positive).sum())
    accuracy = 100.0 * float(np.mean((logits > 0) == is_positive)) if len(is_positive) else None
    if not positives or not negatives:
        return PersonMeasure(accuracy, None, positives, negatives)
    # Mann and Whitney: the share of pairs in which the positive has the higher logit.
    below = np.searchsorted(np.sort(logits[~is_positive]), logits[is_positive], 'left')
    up_to = np.searchsorted(np.sort(logits[~is_positive]), logits[is_positive], 'right')
    auc = 100.0 * float((below + up_to).mean()) / 2 / negatives
    return PersonMeasure(accuracy, auc, positives, negatives)


def measure_person_output(
    generator: DataGenerator,
    predict_person: PredictPerson,
    gather: Callable[[Dict[str, np.ndarray]], List[Dict[str, np.ndarray]]] = lambda columns: [columns],
    limit: Optional[int] = None,
) -> PersonMeasure:
    """Return the PersonMeasure of a network on a generator's persons, half of whose crops are negative views.

    Every person gives one crop, which depends on the persons alone. Unreadable photos and crops without
    a certain label are left out.

    Args:
        generator: of the persons to validate with.
        predict_person: it gets crops in batches of the generator's size.
        gather: as in Evaluator.evaluate.
        limit: number of batches to use, None for all.
    """
    mixed = _mixed(generator)
    count = mixed.num_validation_batches if limit is None else min(limit, mixed.num_validation_batches)
    columns: Dict[str, List[np.ndarray]] = {'logits': [np.zeros(0, np.float32)], 'targets': [np.zeros(0, np.float32)]}
    with closing(mixed.training_batches()) as batches:  # type: ignore[type-var]
        for number, batch in enumerate(islice(batches, count)):
            first = (number * mixed.world_size + mixed.rank) * mixed.batch_size
            # After the last person, training batches continue with the next epoch.
            is_first_epoch = np.arange(first, first + mixed.batch_size) < len(mixed.persons)
            rows = np.flatnonzero(batch.mask * batch.person_labels[:, 1] * is_first_epoch)
            columns['logits'].append(predict_person(batch.images)[rows])
            columns['targets'].append(batch.person_labels[rows, 0])
    shares = gather({name: np.concatenate(parts) for name, parts in columns.items()})
    return person_measure(*[np.concatenate([share[name] for share in shares]) for name in ('logits', 'targets')])


def _mixed(generator: DataGenerator) -> DataGenerator:
    """Return a generator of the same persons whose training batches are half plain crops and half negative views."""
    maker = generator.sample_maker
    negatives = NegativeViews(generator.persons, maker.rule, 0.5)
    return DataGenerator(
        generator.persons,
        SampleMaker(
            maker.cache, maker.rule, maker.flip_permutation, maker.kept_joints, None, _SEED, negatives=negatives
        ),
        generator.batch_size,
        _SEED,
        generator.rank,
        generator.world_size,
        generator.workers,
        generator.prefetch,
        1.0,
    )
