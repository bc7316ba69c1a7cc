"""The gate of an export: the offline model must agree with its checkpoint on the same crops before it is kept."""

import time
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose import geometry
from hourglass_pose.evaluation.headline import METRIC_TITLES, headline_metric
from hourglass_pose.evaluation.passes import run_in_passes
from hourglass_pose.evaluation.pckh import PckhEvaluator
from hourglass_pose.export.gate_crops import GateCrops
from hourglass_pose.export.offline_graph import OfflineGraph
from hourglass_pose.export.offline_models import OfflineModel, run_crops
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.representations.heatmap.numpy import HeatmapCodec

_NOISES = 8
_DECODING_BOUND_PX = 0.01
_DECODING_BOUND_SCORE = 1e-5
_WARM_UP = 2


@dataclass(frozen=True)
class GateResult:
    """lines: what was measured, for people. passed: whether each difference is within its bound. record: JSON-able."""

    lines: Tuple[str, ...]
    passed: bool
    record: Dict[str, Any]


def compare(predictor: Predictor, offline: OfflineGraph, model: OfflineModel, crops: GateCrops) -> GateResult:
    """Return the GateResult of an open offline model.

    predictor: of its checkpoint, on the CPU and with the graph as it was trained. The bound is that of float32, while
    GPUs may compute with fewer digits, and a graph that the same code rewrote would hide the errors of that code.
    """
    logits = predictor.last_logits(crops.images)
    outputs = run_crops(model, offline, crops.images)
    poses = [_decode(predictor.codec, logits)[0]]
    if offline.is_decoded:
        poses.append(outputs[0].astype(np.float64))
        lines, passed, record = _compare_poses(predictor.codec, logits, outputs, offline.relative_bound)
    else:
        inference = predictor.inference
        maps = _sigmoid(logits) if inference.gives_probabilities else logits
        poses.append(_decode(predictor.codec, inference.logits_of_output(outputs[0]))[0])
        lines, passed, record = _compare_heatmaps(maps, outputs[0], offline)
    if predictor.engine.gives_person:
        expected = run_in_passes(predictor.engine.run, crops.images, predictor.engine.pass_sizes(1))[-1]
        line, is_same, record['person'] = _compare_person(expected, outputs[-1], offline.relative_bound)
        lines, passed = [*lines, line], passed and is_same
    metric, scores = _scores(predictor, crops, poses)
    record.update(metric=metric, checkpoint=scores[0], offline=scores[1])
    lines.append(
        'PCKh was not measured: the network has none of the joints of the people in the crops'
        if metric is None
        else f'{metric} {scores[0]:.2f} of the checkpoint, {scores[1]:.2f} of the offline model'
    )
    record.update(crops=crops.description, passed=passed)
    return GateResult(tuple(lines), passed, record)


def _compare_heatmaps(
    expected: np.ndarray, found: np.ndarray, offline: OfflineGraph
) -> Tuple[List[str], bool, Dict[str, Any]]:
    largest = float(np.abs(expected).max())
    # A value that is not finite counts as infinitely far away.
    difference = float(np.where(np.isfinite(found), np.abs(found - expected), np.inf).max())
    bound = offline.relative_bound * largest
    line = (
        f'largest difference of heatmaps {difference:.2g}, of values up to {largest:.3g}; bound {bound:.2g}, '
        f'{offline.relative_bound:.2g} of these: {offline.bound_formula}'
    )
    return [line], difference <= bound, {'largest_difference': difference, 'largest_value': largest, 'bound': bound}


def _compare_person(expected: np.ndarray, found: np.ndarray, relative_bound: float) -> Tuple[str, bool, Dict[str, Any]]:
    """Compare person logits. The terms of a logit near 0 are not, so its bound is that of a logit of at least 1."""
    largest = max(float(np.abs(expected).max()), 1.0)
    difference = float(np.where(np.isfinite(found), np.abs(found - expected), np.inf).max())
    bound = relative_bound * largest
    line = f'largest difference of person logits {difference:.2g}; bound {bound:.2g}'
    return line, difference <= bound, {'largest_difference': difference, 'bound': bound}


def _compare_poses(
    codec: HeatmapCodec, logits: np.ndarray, outputs: Sequence[np.ndarray], relative_bound: float
) -> Tuple[List[str], bool, Dict[str, Any]]:
    """Compare joints and scores, each with a bound that follows from the rounding of the heatmaps.

    Where two cells are almost equal, rounding decides which one is the peak. So the bound of a joint is twice the
    largest shift that several random noises, as large as the bound of heatmaps, cause in the checkpoint's own joint,
    plus the error of decoding in float32 instead of float64.
    """
    expected = _decode(codec, logits)
    noise = relative_bound * np.abs(logits).max()
    random = np.random.RandomState(0)
    shifts = [np.zeros(array.shape) for array in (_lengths(expected[0]), expected[1])]
    for _ in range(_NOISES):
        noisy = _decode(codec, logits + random.uniform(-noise, noise, logits.shape).astype(np.float32))
        for largest, change in zip(shifts, _differences(noisy, expected)):
            np.maximum(largest, change, out=largest)
    record: Dict[str, Any] = {}
    lines, passed = [], True
    for name, unit, found, allowed in zip(
        ('joints', 'scores'),
        (' px of the crop', ''),
        _differences(outputs, expected),
        (_DECODING_BOUND_PX + 2 * shifts[0], _DECODING_BOUND_SCORE + 2 * shifts[1]),
    ):
        beyond = int((found > allowed).sum())
        worst = np.unravel_index(np.argmax(found / allowed), found.shape)
        lines.append(
            f'largest difference of {name} {found.max():.2g}{unit}; {beyond} of {found.size} beyond the bound for '
            f'noise of {noise:.2g} in the heatmaps (nearest to its bound: {found[worst]:.2g} of {allowed[worst]:.2g})'
        )
        passed = passed and beyond == 0
        record[name] = {'largest_difference': float(found.max()), 'beyond': beyond}
    return lines, passed, record


def _differences(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    joints = np.where(np.isfinite(found[0]), found[0], np.inf) - expected[0]
    scores = np.where(np.isfinite(found[1]), found[1], np.inf) - expected[1]
    return _lengths(joints), np.abs(scores)


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(np.asarray(vectors, np.float64)).sum(axis=-1))


def _decode(codec: HeatmapCodec, logits: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    return codec.decode(codec.maps_of_logits(logits))


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))


def _scores(
    predictor: Predictor, crops: GateCrops, poses: Sequence[np.ndarray]
) -> Tuple[Optional[str], List[Optional[float]]]:
    """Return (name, percent of each of some poses (N, J, 2) in crop pixels) by the headline metric."""
    metrics = [_metrics(predictor, crops, joints_crop) for joints_crop in poses]
    name = headline_metric(metrics[0])
    if name is None:
        return None, [None] * len(poses)
    return METRIC_TITLES[name], [metric[name]['mean'] for metric in metrics]


def _metrics(predictor: Predictor, crops: GateCrops, joints_crop: np.ndarray) -> Dict[str, Any]:
    joints_img = geometry.image_from_crops(crops.affines_crop_from_img, joints_crop)
    persons = crops.persons
    evaluator = PckhEvaluator(predictor.skeleton)
    evaluator.add(
        np.arange(len(persons)),
        joints_img,
        np.array([person.joints_img for person in persons]),
        np.array([person.labelled for person in persons]),
        [person.head_box_img for person in persons],
        scored_joints=predictor.kept_joints,
    )
    return evaluator.result().metrics


def measure_speed(
    predictor: Predictor, offline: OfflineGraph, model: OfflineModel, crops: np.ndarray, turns: int
) -> Tuple[float, float]:
    """Return images a second of (checkpoint, offline model), medians over batches run alternately after a warm-up.

    Both take the same uint8 crops and give the same: heatmaps, or joints and scores.
    """
    batch = crops[np.arange(offline.crops_of_pass()) % len(crops)]

    def run_checkpoint() -> None:
        logits = predictor.last_logits(batch)
        if offline.is_decoded:
            _decode(predictor.codec, logits)

    runs = (run_checkpoint, lambda: run_crops(model, offline, batch))
    seconds: Tuple[List[float], List[float]] = ([], [])
    for turn in range(turns + _WARM_UP):
        for run, taken in zip(runs, seconds):
            start = time.perf_counter()
            run()
            if turn >= _WARM_UP:
                taken.append(time.perf_counter() - start)
    checkpoint, offline_model = (len(batch) / float(np.median(taken)) for taken in seconds)
    return checkpoint, offline_model
