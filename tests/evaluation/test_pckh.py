"""PCKh, PCK, AUC and argmax accuracy against closed forms and a slow recomputation."""

import math

import numpy as np
import pytest

from hourglass_pose.evaluation.pckh import (
    CURVE_THRESHOLDS,
    PckhEvaluator,
    area_under_curve,
    argmax_accuracies,
    measure_heads,
    measure_torsos,
    normalised_distances,
    percent_within,
    summarise_joints,
)
from hourglass_pose.skeleton import MPII_JOINTS, SKELETONS, Skeleton

SKELETON = Skeleton()
METRICS = ['pckh@0.5', 'pckh@0.1', 'pck@0.2', 'auc', 'argmax_accuracy']


def evaluate(pred, true, labelled, boxes=None, skeleton=SKELETON, argmax_percent=None):
    evaluator = PckhEvaluator(skeleton)
    evaluator.add(np.arange(len(true)), pred, true, labelled, boxes, argmax_percent)
    return evaluator.result()


def random_persons(seed, count=40):
    """Persons of 60 to 200 pixels, a fifth of the joints unlabelled, half of the head boxes missing."""
    random = np.random.RandomState(seed)
    true = random.uniform(0, 200, (count, len(SKELETON), 2))
    pred = true + random.standard_normal(true.shape) * random.choice([2, 10, 40], (count, len(SKELETON), 1))
    labelled = random.uniform(size=(count, len(SKELETON))) < 0.8
    corners = np.hstack([random.uniform(0, 40, (count, 2)), random.uniform(60, 99, (count, 2))])
    boxes = [list(corner) if random.uniform() < 0.5 else None for corner in corners]
    argmax_percent = np.where(labelled, random.uniform(50, 100, labelled.shape), np.nan)
    return pred, true, labelled, boxes, argmax_percent


def distance(a, b):
    return math.sqrt((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2)


def slow_head(true, labelled, box):
    neck, head = MPII_JOINTS.index('neck'), MPII_JOINTS.index('head')
    if box is not None:
        return 0.6 * distance(box[:2], box[2:])
    return 0.75 * distance(true[neck], true[head]) if labelled[neck] and labelled[head] else None


def slow_torso(true, labelled):
    for names in (('l_shoulder', 'r_hip'), ('r_shoulder', 'l_hip')):
        a, b = (MPII_JOINTS.index(name) for name in names)
        if labelled[a] and labelled[b]:
            return distance(true[a], true[b])
    return None


def slow_pck(pred, true, labelled, lengths, joint, threshold):
    """Return (percent, number of labelled joints) of one joint by a loop over persons."""
    hits = count = 0
    for person, length in enumerate(lengths):
        if length is not None and labelled[person][joint]:
            count += 1
            hits += distance(pred[person][joint], true[person][joint]) / length <= threshold
    return 100.0 * hits / count, count


def slow_means(values_and_counts):
    kept = [vc for name, vc in zip(MPII_JOINTS, values_and_counts) if name not in ('pelvis', 'thorax')]
    return (
        sum(value for value, _ in kept) / len(kept),
        sum(value * count for value, count in kept) / sum(count for _, count in kept),
    )


@pytest.mark.parametrize('seed', range(3))
def test_metrics_equal_a_slow_recomputation(seed):
    pred, true, labelled, boxes, argmax_percent = random_persons(seed)
    metrics = evaluate(pred, true, labelled, boxes, argmax_percent=argmax_percent).metrics
    heads = [slow_head(*person) for person in zip(true, labelled, boxes)]
    torsos = [slow_torso(*person) for person in zip(true, labelled)]
    joints = range(len(SKELETON))
    expected = {
        name: [slow_pck(pred, true, labelled, lengths, joint, threshold) for joint in joints]
        for name, lengths, threshold in (('pckh@0.5', heads, 0.5), ('pckh@0.1', heads, 0.1), ('pck@0.2', torsos, 0.2))
    }
    expected['auc'] = []
    for joint in joints:
        curve = [slow_pck(pred, true, labelled, heads, joint, k / 100) for k in range(51)]
        area = sum((left[0] + right[0]) / 2 * 0.01 for left, right in zip(curve, curve[1:])) / 0.5
        expected['auc'].append((area, curve[0][1]))
    expected['argmax_accuracy'] = [
        (sum(argmax_percent[labelled[:, joint], joint]) / labelled[:, joint].sum(), labelled[:, joint].sum())
        for joint in joints
    ]
    assert list(metrics) == METRICS
    for name in METRICS:
        assert list(metrics[name]['joints']) == list(MPII_JOINTS)
        np.testing.assert_allclose(
            list(metrics[name]['joints'].values()), [value for value, _ in expected[name]], rtol=0, atol=1e-9
        )
        np.testing.assert_allclose(
            (metrics[name]['mean'], metrics[name]['mean_weighted']), slow_means(expected[name]), rtol=0, atol=1e-9
        )


def test_perfect_prediction_scores_100_everywhere():
    _, true, labelled, boxes, _ = random_persons(7)
    cells = np.round(true / 4)
    metrics = evaluate(
        true, true, labelled, boxes, argmax_percent=argmax_accuracies(cells, cells, 64, labelled)
    ).metrics
    for name in METRICS:
        scores = dict(metrics[name])
        assert set(scores.pop('joints').values()) == {100.0}
        assert set(scores.values()) == {100.0}


def test_distance_of_exactly_the_threshold_counts_and_the_next_double_does_not():
    true = np.zeros((2, len(SKELETON), 2))
    boxes = [(0, 0, 60, 80)] * 2  # diagonal 100, head size 60
    pred = np.stack([np.full((len(SKELETON), 2), (18.0, 24.0)), np.full((len(SKELETON), 2), (30 * (1 + 1e-15), 0.0))])
    metrics = evaluate(pred, true, np.ones((2, len(SKELETON)), bool), boxes).metrics
    assert metrics['pckh@0.5']['mean'] == 50.0


def test_every_hundredth_of_a_length_counts_at_its_own_threshold():
    for length in (50.0, 60.0, 130.0, 1000.0):
        # Distances k x length / 100 that are whole pixels lie exactly on the k-th threshold.
        whole = np.array([k for k in range(51) if k * length % 100 == 0])
        pred = np.zeros((len(whole), 1, 2))
        pred[:, 0, 0] = whole * length / 100
        distances = normalised_distances(
            pred, np.zeros_like(pred), np.ones((len(whole), 1), bool), np.full(len(whole), length)
        )
        percent, _ = percent_within(distances, CURVE_THRESHOLDS)
        np.testing.assert_allclose(percent[whole, 0], 100 * (1 + np.arange(len(whole))) / len(whole))


def test_group_is_the_mean_of_its_joints_and_head_is_the_head_top_alone():
    values = np.arange(16.0)
    scores = summarise_joints(values, np.ones(16), SKELETON)
    assert scores['head'] == MPII_JOINTS.index('head')
    for group in ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle'):
        assert scores[group] == (MPII_JOINTS.index(f'r_{group}') + MPII_JOINTS.index(f'l_{group}')) / 2


def test_weighted_mean_by_hand_leaves_out_pelvis_and_joints_without_labels():
    skeleton = Skeleton(('head', 'r_knee', 'l_knee', 'pelvis'))
    scores = summarise_joints(np.array([90.0, 50.0, np.nan, 10.0]), np.array([3, 1, 0, 100]), skeleton)
    assert scores['mean'] == 70.0
    assert scores['mean_weighted'] == (3 * 90 + 1 * 50) / 4
    assert scores['knee'] == 50.0
    assert scores['joints']['l_knee'] is None
    assert scores['joints']['pelvis'] == 10.0


def test_result_depends_neither_on_order_nor_on_size_of_batches():
    pred, true, labelled, boxes, argmax_percent = random_persons(11, count=53)
    whole = evaluate(pred, true, labelled, boxes, argmax_percent=argmax_percent)
    order = np.random.RandomState(0).permutation(53)
    for size in (1, 7, 53):
        evaluator = PckhEvaluator(SKELETON)
        for start in range(0, 53, size):
            rows = order[start : start + size]
            evaluator.add(
                rows, pred[rows], true[rows], labelled[rows], [boxes[row] for row in rows], argmax_percent[rows]
            )
        parts = evaluator.result()
        assert parts.metrics == whole.metrics
        assert parts.head_sources == whole.head_sources
        np.testing.assert_array_equal(parts.person_indices, np.arange(53))
        np.testing.assert_array_equal(parts.head_distances, whole.head_distances)


def test_head_size_comes_from_the_box_else_from_neck_and_head_top():
    true = np.zeros((5, len(SKELETON), 2))
    true[:, SKELETON.index('head')] = (0, 40)
    labelled = np.ones((5, len(SKELETON)), bool)
    labelled[2, SKELETON.index('neck')] = False
    boxes = np.full((5, 4), np.nan)
    boxes[0], boxes[4] = (10, 10, 13, 14), (7, 7, 7, 7)
    sizes, sources = measure_heads(true, labelled, boxes, SKELETON)
    np.testing.assert_allclose(sizes, [0.6 * 5, 0.75 * 40, np.nan, 0.75 * 40, 0.75 * 40])
    assert dict(sources) == {'head_box': 1, 'neck_to_head': 3, 'none': 1}


def test_torso_is_left_shoulder_to_right_hip_else_the_other_diagonal():
    true = np.zeros((3, len(SKELETON), 2))
    true[:, SKELETON.index('l_shoulder')] = (3, 4)
    true[:, SKELETON.index('r_shoulder')] = (6, 8)
    labelled = np.ones((3, len(SKELETON)), bool)
    labelled[1:, SKELETON.index('r_hip')] = False
    labelled[2, SKELETON.index('r_shoulder')] = False
    sizes, sources = measure_torsos(true, labelled, SKELETON)
    np.testing.assert_array_equal(sizes, [5, 10, np.nan])
    assert dict(sources) == {'l_shoulder_to_r_hip': 1, 'r_shoulder_to_l_hip': 1, 'none': 1}


def test_data_without_heads_has_null_pckh_and_still_a_pck():
    joints = tuple(name for name in MPII_JOINTS if name not in ('neck', 'head'))
    skeleton = Skeleton(joints)
    true = np.random.RandomState(0).uniform(0, 99, (6, len(joints), 2))
    result = evaluate(true, true, np.ones((6, len(joints)), bool), skeleton=skeleton)
    assert result.head_sources['none'] == 6
    assert result.metrics['pckh@0.5']['mean'] is None and result.metrics['auc']['mean_weighted'] is None
    assert result.metrics['pckh@0.1']['joints']['r_knee'] is None
    assert 'head' not in result.metrics['pck@0.2']
    assert result.metrics['pck@0.2']['mean'] == 100.0
    assert np.isnan(result.head_distances).all()


def test_prediction_that_is_not_finite_is_wrong_and_not_left_out():
    true = np.random.RandomState(0).uniform(0, 99, (4, len(SKELETON), 2))
    pred = true.copy()
    pred[0, SKELETON.index('head')] = np.nan
    pred[1, SKELETON.index('head'), 0] = np.inf
    result = evaluate(pred, true, np.ones((4, len(SKELETON)), bool))
    assert result.metrics['pckh@0.5']['head'] == 50.0
    wrong = result.head_distances[:, SKELETON.mean_joints] > 0.5
    assert wrong.sum(axis=1).tolist() == [1, 1, 0, 0]


def test_area_under_a_straight_line_and_under_a_step_in_closed_form():
    thresholds = np.arange(51) / 100
    line = (200 * thresholds)[:, None]
    step = np.where(np.arange(51) >= 30, 100.0, 0.0)[:, None]
    np.testing.assert_allclose(area_under_curve(line), [50.0])
    # Joined by straight lines, the step rises from 0.29 to 0.30: 100 x (0.5 - 0.295) / 0.5.
    np.testing.assert_allclose(area_under_curve(step), [41.0])


def test_argmax_accuracy_by_hand_at_64_cells_and_in_proportion_elsewhere():
    pred = np.array([[[3, 4], [63, 0], [9, 9]]])
    true = np.zeros((1, 3, 2), int)
    labelled = np.array([[True, True, False]])
    np.testing.assert_allclose(
        argmax_accuracies(pred, true, 64, labelled), [[100 * (1 - 5 / 91), 100 * (1 - 63 / 91), np.nan]]
    )
    np.testing.assert_allclose(
        argmax_accuracies(pred[:, :1], true[:, :1], 32, labelled[:, :1]), [[100 * (1 - 5 / 45.5)]]
    )


def test_person_added_twice_and_shapes_that_do_not_fit_are_refused():
    pred, true, labelled, boxes, _ = random_persons(1, count=3)
    evaluator = PckhEvaluator(SKELETON)
    with pytest.raises(ValueError, match='no person'):
        evaluator.result()
    with pytest.raises(ValueError, match='shape'):
        evaluator.add([0, 1, 2], pred[:, :5], true, labelled, boxes)
    evaluator.add([4, 2, 4], pred, true, labelled, boxes)
    with pytest.raises(ValueError, match='person 4 was added twice'):
        evaluator.result()


@pytest.mark.parametrize('name, has_head', [('mpii', True), ('lsp', True), ('coco', False)])
def test_every_skeleton_that_ships_has_a_torso_and_those_with_a_neck_a_head(name, has_head, rng):
    skeleton = SKELETONS[name]
    joints = rng.uniform(0, 100, (5, len(skeleton), 2))
    evaluator = PckhEvaluator(skeleton)
    evaluator.add(np.arange(5), joints, joints, np.ones(joints.shape[:2], bool))
    metrics = evaluator.result().metrics
    assert metrics['pck@0.2']['mean'] == 100.0
    assert metrics['pckh@0.5']['mean'] == (100.0 if has_head else None)
    assert metrics['pck@0.2']['wrist'] == 100.0
