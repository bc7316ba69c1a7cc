"""The metric that decides which validation is the best; defined for every skeleton."""

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.evaluation.evaluator import Evaluation
from hourglass_pose.evaluation.pckh import measure_heads, measure_torsos
from hourglass_pose.skeleton import Skeleton

BOX_SHARE = 0.1
"""A joint is right within this share of the longer side of the person's box: the PCK of Yang and Ramanan (2013,
section 6) with their threshold for full bodies."""

CHOICES = ('auto', 'pckh', 'pck', 'box_pck', 'loss')
_NAMES = {'pckh': 'pckh@0.5', 'pck': 'pck@0.2', 'box_pck': f'box_pck@{BOX_SHARE:g}', 'loss': 'loss'}
_TITLES = {
    'pckh': 'PCKh@0.5',
    'pck': 'PCK@0.2 of the torso',
    'box_pck': f"PCK@{BOX_SHARE:g} of the box's longer side",
    'loss': 'the validation loss',
}


@dataclass(frozen=True, eq=False)
class BestMetric:
    """kind: one of CHOICES except 'auto'. kept_joints: bool (J,), the joints that are scored."""

    kind: str
    skeleton: Skeleton
    kept_joints: np.ndarray

    @property
    def name(self) -> str:
        """Name in metrics and in history.csv, after `valid_`."""
        return _NAMES[self.kind]

    @property
    def title(self) -> str:
        """Name for people."""
        return _TITLES[self.kind]

    def score(self, evaluation: Evaluation) -> Optional[float]:
        """Return the value in percent, None where it is not defined. Not for 'loss', which follows from no poses."""
        if self.kind == 'box_pck':
            return box_pck(evaluation, self.kept_joints, self.skeleton)
        return evaluation.result.metrics[self.name]['mean']

    def is_better(self, score: Optional[float], best: Optional[float]) -> bool:
        """Return whether a score is better than the best before it; whatever is the first is the best."""
        if best is None:
            return True
        if score is None:
            return False
        return score < best if self.kind == 'loss' else score > best


def choose_best_metric(
    best_by: str, persons: Sequence[Person], skeleton: Skeleton, kept_joints: np.ndarray
) -> BestMetric:
    """Return the BestMetric of a choice; 'auto' is the first that is defined for the persons to validate with.

    In this order: PCKh@0.5, PCK@0.2 of the torso, PCK of the box's longer side, which is always defined.
    """
    if best_by != 'auto':
        return BestMetric(best_by, skeleton, kept_joints)
    joints = np.array([person.joints_img for person in persons], np.float64)
    labelled = np.array([person.labelled for person in persons], bool)
    no_box = np.full(4, np.nan)
    boxes = np.array([no_box if person.head_box_img is None else person.head_box_img for person in persons])
    scored = (labelled & kept_joints)[:, skeleton.mean_joints].any(axis=1)
    heads = measure_heads(joints, labelled, boxes, skeleton)[0]
    torsos = measure_torsos(joints, labelled, skeleton)[0]
    for kind, sizes in (('pckh', heads), ('pck', torsos)):
        if (np.isfinite(sizes) & scored).any():
            return BestMetric(kind, skeleton, kept_joints)
    return BestMetric('box_pck', skeleton, kept_joints)


def box_pck(evaluation: Evaluation, kept_joints: np.ndarray, skeleton: Skeleton) -> Optional[float]:
    """Return the percentage of joints within BOX_SHARE of the longer side of the person's box.

    It is the mean over joints, as the other metrics' means are; None where no joint is labelled.
    """
    persons = evaluation.persons
    true = np.array([person.joints_img for person in persons], np.float64)
    labelled = np.array([person.labelled for person in persons], bool) & kept_joints
    boxes = np.array([person.box_img for person in persons], np.float64)
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    distances = np.sqrt(((np.asarray(evaluation.joints_img, np.float64) - true) ** 2).sum(axis=2))
    # A comparison with a prediction that is not finite is False, so it counts as wrong.
    right = (distances <= BOX_SHARE * sides[:, None]) & labelled
    counts = labelled.sum(axis=0)
    columns = [joint for joint in skeleton.mean_joints if counts[joint]]
    return float(np.mean([100.0 * right[:, joint].sum() / counts[joint] for joint in columns])) if columns else None
