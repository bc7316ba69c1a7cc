"""Percentages of correct keypoints: PCKh, the area under its curve, PCK by torso, and argmax accuracy."""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from hourglass_pose.skeleton import TORSO_ENDS, Skeleton

# Thresholds of the PCKh curve, in head sizes. k / 100 is the double nearest to the decimal, so that a ratio
# of exactly k hundredths counts as within.
CURVE_THRESHOLDS = np.arange(51) / 100.0

# SC_BIAS of MPII's evaluation code: head size = 0.6 x diagonal of the head box (Andriluka et al. 2014).
HEAD_BOX_FACTOR = 0.6
NECK_TO_HEAD_FACTOR = 0.75

# The original divides by 91 cells, its rounded diagonal of a 64 x 64 heatmap.
_ARGMAX_DIAGONAL_PER_CELL = 91.0 / 64.0


@dataclass(frozen=True, eq=False)
class PckhResult:
    """The result of PckhEvaluator.

    metrics: JSON-able dict; 'pckh@0.5', 'pckh@0.1', 'pck@0.2', 'auc' and 'argmax_accuracy' each hold the
        joint groups, 'mean', 'mean_weighted' and 'joints' (name -> value), in percent, None where undefined.
    curves: group name or 'mean' -> float64 (51,), PCKh in percent at CURVE_THRESHOLDS, NaN where undefined.
    head_sources: 'head_box', 'neck_to_head', 'none' -> number of persons with this source of the head size;
        PCKh and AUC exclude 'none'.
    torso_sources: 'l_shoulder_to_r_hip', 'r_shoulder_to_l_hip', 'none' -> number of persons, likewise for PCK.
    person_indices: int64 (N,), ascending, the indices passed to add().
    head_distances, torso_distances: float64 (N, J), errors in head sizes and in torsos, NaN where not scored.
    """

    metrics: Dict[str, dict]
    curves: Dict[str, np.ndarray]
    head_sources: Dict[str, int]
    torso_sources: Dict[str, int]
    person_indices: np.ndarray
    head_distances: np.ndarray
    torso_distances: np.ndarray

    @property
    def num_persons(self) -> int:
        """Number of persons that were added."""
        return len(self.person_indices)


class PckhEvaluator:
    """Collects predictions batch by batch; order and size of the batches do not change the result.

    skeleton: Skeleton of J joints.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self._batches: List[Tuple[np.ndarray, ...]] = []

    def add(
        self,
        person_indices: Union[np.ndarray, Sequence[int]],
        joints_pred_img: np.ndarray,
        joints_img: np.ndarray,
        labelled: np.ndarray,
        head_boxes_img: Optional[Sequence[Optional[np.ndarray]]] = None,
        argmax_percent: Optional[np.ndarray] = None,
        scored_joints: Optional[np.ndarray] = None,
    ) -> None:
        """Add a batch of N persons.

        person_indices: int (N,), a different number for every person of the data set.
        joints_pred_img: (N, J, 2) image pixels; a joint that is not finite counts as wrong.
        joints_img: (N, J, 2) image pixels, in the frame of the predictions.
        labelled: bool (N, J); head and torso are measured by these joints, and no other joint is scored.
        head_boxes_img: N entries, each None or (x0, y0, x1, y1); or None where no person has one.
        argmax_percent: float (N, J) from argmax_accuracies, or None if not measured.
        scored_joints: bool (J,), the joints that are scored where they are labelled; None for all.
        Raises ValueError for shapes that do not fit.
        """
        joints_img = np.asarray(joints_img, np.float64)
        count, joints = len(joints_img), len(self._skeleton)
        boxes = head_boxes_of([None] * count if head_boxes_img is None else head_boxes_img)
        if argmax_percent is None:
            argmax_percent = np.full((count, joints), np.nan)
        batch = (
            np.asarray(person_indices, np.int64),
            np.asarray(joints_pred_img, np.float64),
            joints_img,
            np.asarray(labelled, bool),
            boxes,
            np.asarray(argmax_percent, np.float64),
            np.tile(np.ones(joints, bool) if scored_joints is None else np.asarray(scored_joints, bool), (count, 1)),
        )
        shapes = ((count,),) + 2 * ((count, joints, 2),) + ((count, joints), (count, 4)) + 2 * ((count, joints),)
        for array, shape in zip(batch, shapes):
            if array.shape != shape:
                raise ValueError(f'expected an array of shape {shape}, found {array.shape}')
        self._batches.append(batch)

    def result(self) -> PckhResult:
        """Return the PckhResult of all persons added.

        Raises ValueError if there are none, or two with the same index.
        """
        if not self._batches:
            raise ValueError('no person was added')
        columns = [np.concatenate(column) for column in zip(*self._batches)]
        order = np.argsort(columns[0], kind='stable')
        indices, pred, true, labelled, boxes, argmax_percent, scored = [column[order] for column in columns]
        if (indices[1:] == indices[:-1]).any():
            raise ValueError(f'person {indices[1:][indices[1:] == indices[:-1]][0]} was added twice')
        head_sizes, head_sources = measure_heads(true, labelled, boxes, self._skeleton)
        torso_sizes, torso_sources = measure_torsos(true, labelled, self._skeleton)
        # A joint that is not scored, such as the neck, may still define the head or the torso.
        scored &= labelled
        by_head = normalised_distances(pred, true, scored, head_sizes)
        by_torso = normalised_distances(pred, true, scored, torso_sizes)
        curve, labelled_with_head = percent_within(by_head, CURVE_THRESHOLDS)
        torso_percent, labelled_with_torso = percent_within(by_torso, [0.2])
        by_joint = {
            'pckh@0.5': (curve[50], labelled_with_head),
            'pckh@0.1': (curve[10], labelled_with_head),
            'pck@0.2': (torso_percent[0], labelled_with_torso),
            'auc': (area_under_curve(curve), labelled_with_head),
            'argmax_accuracy': _column_means(argmax_percent),
        }
        return PckhResult(
            metrics={
                name: summarise_joints(values, counts, self._skeleton) for name, (values, counts) in by_joint.items()
            },
            curves=_summarise_curve(curve, self._skeleton),
            head_sources=head_sources,
            torso_sources=torso_sources,
            person_indices=indices,
            head_distances=by_head,
            torso_distances=by_torso,
        )


def head_boxes_of(boxes_img: Sequence[Optional[np.ndarray]]) -> np.ndarray:
    """Return float64 (N, 4): head boxes x0, y0, x1, y1; NaN for None."""
    return np.array([[np.nan] * 4 if box is None else box for box in boxes_img], np.float64).reshape(-1, 4)


def normalised_distances(
    joints_pred_img: np.ndarray, joints_img: np.ndarray, labelled: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """Return float64 (N, J): |prediction - truth| / length of the person; NaN where not to be scored.

    joints_pred_img, joints_img: (N, J, 2) in one frame; lengths: (N,) in its pixels, NaN where unknown.
    A prediction that is not finite is infinitely far away.
    """
    found = np.isfinite(joints_pred_img).all(axis=-1)
    difference = np.where(found[..., None], joints_pred_img, 0.0) - np.asarray(joints_img, np.float64)
    # Very large numbers in a file of predictions overflow to infinity.
    with np.errstate(over='ignore', invalid='ignore'):
        distances = np.sqrt((difference**2).sum(axis=-1)) / np.asarray(lengths, np.float64)[:, None]
    distances = np.where(found, distances, np.inf)
    return np.where(labelled & np.isfinite(lengths)[:, None], distances, np.nan)


def percent_within(
    distances: np.ndarray, thresholds: Union[np.ndarray, Sequence[float]]
) -> Tuple[np.ndarray, np.ndarray]:
    """Return (percent, counts): the share of distances <= each threshold, and how many there are.

    distances: (N, J), NaN where not scored; thresholds: T values in their unit, inclusive as in MPII's code.
    percent: float64 (T, J), NaN for a joint that no person has; counts: int64 (J,).
    """
    missing = np.isnan(distances)
    counts = (~missing).sum(axis=0)
    never_within = np.where(missing, np.inf, distances)
    hits = np.array([(never_within <= threshold).sum(axis=0) for threshold in thresholds], np.float64)
    return 100.0 * hits / np.where(counts > 0, counts, np.nan), counts


def area_under_curve(curve: np.ndarray) -> np.ndarray:
    """Return float64 (J,): area under PCKh over thresholds 0 to 0.5, scaled so that a curve at 100 has 100.

    curve: (51, J) percent at CURVE_THRESHOLDS. As in MPII's evaluation code, the integral of the points joined
    with straight lines: AUC = (p_0 / 2 + p_1 + ... + p_49 + p_50 / 2) / 50.
    """
    return (curve[1:] + curve[:-1]).sum(axis=0) / (2.0 * (len(curve) - 1))


def argmax_accuracies(
    cells_pred_hm: np.ndarray, cells_true_hm: np.ndarray, heatmap_size: int, labelled: np.ndarray
) -> np.ndarray:
    """Return float64 (N, J): 100 x (1 - argmax distance / diagonal), the original code's accuracy in percent.

    cells_pred_hm, cells_true_hm: int (N, J, 2), the cells where predicted and target heatmap are largest.
    heatmap_size: side of the square heatmap in cells; at 64 the diagonal is 91, at other sizes in proportion.
    labelled: bool (N, J); the other joints are NaN. The original scores these against cell (0, 0): to repeat
        that, pass them as labelled at that cell.
    """
    difference = np.asarray(cells_pred_hm, np.float64) - np.asarray(cells_true_hm, np.float64)
    distances = np.sqrt((difference**2).sum(axis=-1))
    return np.where(labelled, 100.0 * (1.0 - distances / (_ARGMAX_DIAGONAL_PER_CELL * heatmap_size)), np.nan)


def measure_heads(
    joints_img: np.ndarray, labelled: np.ndarray, head_boxes_img: np.ndarray, skeleton: Skeleton
) -> Tuple[np.ndarray, Dict[str, int]]:
    """Return (sizes, sources) of N heads: 0.6 x diagonal of the head box, otherwise 0.75 x |head top - neck|.

    head_boxes_img: (N, 4) x0, y0, x1, y1, NaN where there is none. The diagonal joins the centres of the
        corner pixels, as in MPII's code.
    sizes: float64 (N,) pixels, NaN if a person has neither.
    sources: the source's name -> number of persons.
    """
    boxes = np.asarray(head_boxes_img, np.float64)
    diagonals = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) ** 2).sum(axis=1))
    neck_to_head = _joint_distance(joints_img, labelled, skeleton, 'neck', 'head')
    return _first_positive(
        [('head_box', HEAD_BOX_FACTOR * diagonals), ('neck_to_head', NECK_TO_HEAD_FACTOR * neck_to_head)]
    )


def measure_torsos(
    joints_img: np.ndarray, labelled: np.ndarray, skeleton: Skeleton
) -> Tuple[np.ndarray, Dict[str, int]]:
    """Return (sizes, sources) of N torsos: |left shoulder - right hip|, otherwise |right shoulder - left hip|.

    Shapes and sources as in measure_heads.
    """
    return _first_positive(
        [(f'{a}_to_{b}', _joint_distance(joints_img, labelled, skeleton, a, b)) for a, b in TORSO_ENDS]
    )


def summarise_joints(values: np.ndarray, counts: np.ndarray, skeleton: Skeleton) -> dict:
    """Return the JSON-able dict of one metric: joint groups, 'joints', 'mean' and 'mean_weighted'.

    values: (J,) percent, NaN where undefined; counts: (J,) labelled joints behind each value.
    A group is the mean of its joints, 'mean' that of all but pelvis and thorax, 'mean_weighted' the same
    weighted by counts; joints without a value are left out; a score without any joint is None.
    """
    scores: dict = {group: _mean(values[members]) for group, members in skeleton.groups.items()}
    kept = skeleton.mean_joints
    scores['mean'] = _mean(values[kept])
    scores['mean_weighted'] = _mean(values[kept], counts[kept])
    scores['joints'] = {name: _mean(values[[joint]]) for joint, name in enumerate(skeleton.joints)}
    return scores


def _mean(values: np.ndarray, weights: Optional[np.ndarray] = None) -> Optional[float]:
    known = np.isfinite(values)
    if not known.any():
        return None
    weights = np.ones(len(values)) if weights is None else weights
    return float((values[known] * weights[known]).sum() / weights[known].sum())


def _column_means(table: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(table)
    counts = known.sum(axis=0)
    return np.where(known, table, 0.0).sum(axis=0) / np.where(counts > 0, counts, np.nan), counts


def _summarise_curve(curve: np.ndarray, skeleton: Skeleton) -> Dict[str, np.ndarray]:
    rows = [summarise_joints(row, np.ones(len(row)), skeleton) for row in curve]
    return {name: np.array([row[name] for row in rows], np.float64) for name in list(skeleton.groups) + ['mean']}


def _joint_distance(
    joints_img: np.ndarray, labelled: np.ndarray, skeleton: Skeleton, first: str, second: str
) -> np.ndarray:
    a, b = skeleton.index(first), skeleton.index(second)
    if a is None or b is None:
        return np.full(len(joints_img), np.nan)
    difference = np.asarray(joints_img[:, a], np.float64) - joints_img[:, b]
    return np.where(labelled[:, a] & labelled[:, b], np.sqrt((difference**2).sum(axis=1)), np.nan)


def _first_positive(candidates: Sequence[Tuple[str, np.ndarray]]) -> Tuple[np.ndarray, Dict[str, int]]:
    sizes = np.full(len(candidates[0][1]), np.nan)
    sources: Dict[str, int] = {}
    for source, values in candidates:
        # A length of zero cannot normalise distances: coinciding labels count as missing.
        usable = np.isnan(sizes) & (np.where(np.isfinite(values), values, 0.0) > 0)
        sizes = np.where(usable, values, sizes)
        sources[source] = int(usable.sum())
    sources['none'] = int(np.isnan(sizes).sum())
    return sizes, sources
