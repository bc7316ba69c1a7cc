"""The gate of an export: the offline model against its checkpoint on the same crops, before anybody may have it."""

import time
from dataclasses import dataclass

import numpy as np

from hourglass_pose import geometry
from hourglass_pose.evaluation.headline import METRIC_TITLES, headline_metric
from hourglass_pose.evaluation.pckh import PckhEvaluator
from hourglass_pose.export.offline_models import run_crops

_NOISES = 8
_DECODING_BOUND_PX = 0.01
_DECODING_BOUND_SCORE = 1e-5


@dataclass(frozen=True)
class GateResult:
    """lines: what was found, for people. passed: whether each difference is within its bound. record: JSON-able."""

    lines: tuple
    passed: bool
    record: dict


def compare(predictor, offline, model, crops):
    """Return the GateResult of an open offline model and the Predictor of its checkpoint."""
    logits = predictor.last_logits(crops.images)
    outputs = run_crops(model, offline, crops.images)
    poses = [_decode(predictor.codec, logits)[0]]
    if offline.is_decoded:
        poses.append(outputs[0].astype(np.float64))
        lines, passed, record = _compare_poses(predictor.codec, logits, outputs, offline.relative_bound)
    else:
        maps = _sigmoid(logits) if predictor.traits.gives_probabilities else logits
        poses.append(predictor.codec.decode(_maps_of_output(predictor, outputs[0]))[0])
        lines, passed, record = _compare_heatmaps(maps, outputs[0], offline)
    metric, scores = _scores(predictor, crops, poses)
    record.update(metric=metric, checkpoint=scores[0], offline=scores[1])
    lines.append(
        'PCKh was not measured: the network has none of the joints that the people of the crops have'
        if metric is None
        else '{} {:.2f} of the checkpoint, {:.2f} of the offline model'.format(metric, *scores)
    )
    record.update(crops=crops.description, passed=bool(passed))
    return GateResult(tuple(lines), bool(passed), record)


def _compare_heatmaps(expected, found, offline):
    largest = float(np.abs(expected).max())
    # An output that is not finite is infinitely far away.
    difference = float(np.where(np.isfinite(found), np.abs(found - expected), np.inf).max())
    bound = offline.relative_bound * largest
    line = (
        'largest difference of heatmaps %.2g, of values up to %.3g; bound %.2g, %.2g of these: 16 x 2^-24 x '
        'sqrt(%d additions in a row)' % (difference, largest, bound, offline.relative_bound, offline.additions)
    )
    return [line], difference <= bound, {'largest_difference': difference, 'largest_value': largest, 'bound': bound}


def _compare_poses(codec, logits, outputs, relative_bound):
    """Compare joints and scores, each to be as near as the rounding of heatmaps lets the checkpoint's own be.

    Where two cells are almost alike, rounding decides which is the peak. So a joint may differ by twice what the
    largest of some noises as large as the bound of heatmaps moves the checkpoint's own by, and by what decoding in
    float32 in place of float64 may cost.
    """
    expected = _decode(codec, logits)
    noise = relative_bound * np.abs(logits).max()
    random = np.random.RandomState(0)
    moved = [np.zeros(array.shape) for array in (_lengths(expected[0]), expected[1])]
    for _ in range(_NOISES):
        noisy = _decode(codec, logits + random.uniform(-noise, noise, logits.shape).astype(np.float32))
        for largest, change in zip(moved, _differences(noisy, expected)):
            np.maximum(largest, change, out=largest)
    record, lines, passed = {}, [], True
    for name, unit, found, allowed in zip(
        ('joints', 'scores'),
        (' px of the crop', ''),
        _differences(outputs, expected),
        (_DECODING_BOUND_PX + 2 * moved[0], _DECODING_BOUND_SCORE + 2 * moved[1]),
    ):
        beyond = int((found > allowed).sum())
        worst = np.unravel_index(np.argmax(found / allowed), found.shape)
        lines.append(
            'largest difference of %s %.2g%s; %d of %d beyond what noise of %.2g in the heatmaps allows (the '
            'nearest to its bound: %.2g of %.2g)'
            % (name, found.max(), unit, beyond, found.size, noise, found[worst], allowed[worst])
        )
        passed = passed and beyond == 0
        record[name] = {'largest_difference': float(found.max()), 'beyond': beyond}
    return lines, passed, record


def _differences(found, expected):
    joints = np.where(np.isfinite(found[0]), found[0], np.inf) - expected[0]
    scores = np.where(np.isfinite(found[1]), found[1], np.inf) - expected[1]
    return _lengths(joints), np.abs(scores)


def _lengths(vectors):
    return np.sqrt(np.square(np.asarray(vectors, np.float64)).sum(axis=-1))


def _decode(codec, logits):
    return codec.decode(codec.maps_of_logits(logits))


def _sigmoid(logits):
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))


def _maps_of_output(predictor, output):
    """Return the heatmaps of what a network gives out, which may be the sigmoid of its logits."""
    if not predictor.traits.gives_probabilities:
        return predictor.codec.maps_of_logits(output)
    if predictor.codec.loss == 'sigmoid':
        return output
    kept = np.clip(np.asarray(output, np.float64), 1e-12, 1 - 1e-12)
    return predictor.codec.maps_of_logits(np.log(kept) - np.log(1 - kept))


def _scores(predictor, crops, poses):
    """Return (name, percent of each of some poses (N, J, 2) in crop pixels) by the headline metric."""
    metrics = [_metrics(predictor, crops, joints_crop) for joints_crop in poses]
    name = headline_metric(metrics[0])
    if name is None:
        return None, [None] * len(poses)
    return METRIC_TITLES[name], [metric[name]['mean'] for metric in metrics]


def _metrics(predictor, crops, joints_crop):
    joints_img = np.stack(
        [
            geometry.transform_points(geometry.invert(affine), joints)
            for affine, joints in zip(crops.affines_crop_from_img, joints_crop)
        ]
    )
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


def measure_speed(predictor, offline, model, crops, turns):
    """Return images a second of (checkpoint, offline model), medians over batches run in turns after a warm-up.

    Both take the same uint8 crops and give the same: heatmaps, or joints and scores.
    """
    batch = crops[np.arange(offline.input_shape[0]) % len(crops)]

    def checkpoint():
        logits = predictor.last_logits(batch)
        return _decode(predictor.codec, logits) if offline.is_decoded else logits

    sides = (checkpoint, lambda: run_crops(model, offline, batch))
    times = ([], [])
    for turn in range(turns + 2):
        for side, taken in zip(sides, times):
            start = time.perf_counter()
            side()
            if turn >= 2:
                taken.append(time.perf_counter() - start)
    return tuple(len(batch) / float(np.median(taken)) for taken in times)
