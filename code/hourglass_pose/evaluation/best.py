"""The metric that decides which validation is the best; defined for every skeleton."""

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.evaluation.evaluator import Evaluation
from hourglass_pose.evaluation.pckh import head_boxes_of, measure_heads, measure_torsos
from hourglass_pose.skeleton import Skeleton

_NAMES = {'pckh': 'pckh@0.5', 'pck': 'pck@0.2', 'box_pck': 'box_pck_auc', 'loss': 'loss'}
_TITLES = {
    'pckh': 'PCKh@0.5',
    'pck': 'PCK@0.2 of the torso',
    'box_pck': "the area under the curve of PCK by the longer side of the person's box, from 0 to 1",
    'loss': 'the validation loss',
}


@dataclass(frozen=True)
class BestMetric:
    """kind: 'pckh', 'pck', 'box_pck' or 'loss'."""

    kind: str

    @property
    def name(self) -> str:
        """Name in metrics and in history.csv, after `valid_`."""
        return _NAMES[self.kind]

    @property
    def title(self) -> str:
        """Name for people."""
        return _TITLES[self.kind]

    def score(self, evaluation: Evaluation) -> Optional[float]:
        """Return the value in percent, None if it is not defined. Not for 'loss', which does not follow from poses."""
        return evaluation.result.metrics[self.name]['mean']

    def is_better(self, score: Optional[float], best: Optional[float]) -> bool:
        """Return whether a score is better than the best one before; the first is the best."""
        if best is None:
            return True
        if score is None:
            return False
        return score < best if self.kind == 'loss' else score > best


def choose_best_metric(
    best_by: str, persons: Sequence[Person], skeleton: Skeleton, kept_joints: np.ndarray
) -> BestMetric:
    """Return the BestMetric of a setting: 'auto' is the first metric that is defined for the validation persons.

    In this order: PCKh@0.5, PCK@0.2 of the torso, PCK by the box, which every person with a labelled joint has.
    """
    if best_by != 'auto':
        return BestMetric(best_by)
    joints = np.array([person.joints_img for person in persons], np.float64)
    labelled = np.array([person.labelled for person in persons], bool)
    boxes = head_boxes_of([person.head_box_img for person in persons])
    scored = (labelled & kept_joints)[:, skeleton.mean_joints].any(axis=1)
    heads = measure_heads(joints, labelled, boxes, skeleton)[0]
    torsos = measure_torsos(joints, labelled, skeleton)[0]
    for kind, sizes in (('pckh', heads), ('pck', torsos)):
        if (np.isfinite(sizes) & scored).any():
            return BestMetric(kind)
    return BestMetric('box_pck')
