"""Metrics relative to the box: closed forms of PCK by the longer side, and OKS of every person."""

from dataclasses import replace

import numpy as np
import pytest

from annotated import SKELETON, STANDING, person
from hourglass_pose.annotations.person import Person
from hourglass_pose.evaluation.box_metrics import box_metrics
from hourglass_pose.skeleton import Skeleton

HAND = Skeleton(('wrist', 'thumb', 'index'))
ALL = np.ones(3, bool)


def box_pck(errors, labelled=(True, True, True), kept=ALL):
    """Return the mean of 'box_pck_auc' of a hand in a box of 100 x 50 px whose joints are wrong by these pixels."""
    joints = np.arange(6, dtype=np.float32).reshape(3, 2) * 3
    one = Person('a.jpg', '/a.jpg', 'a', np.array([0.0, 0, 100, 50]), joints, np.array(labelled))
    found = joints + np.array([[error, 0.0] for error in errors])
    return box_metrics(found[None], [one], kept, HAND)['box_pck_auc']['mean']


def test_box_pck_is_the_area_under_the_curve_by_the_longer_side():
    assert box_pck([0, 0, 0]) == 100
    # Wrong by a quarter of the longer side, 100: right at 76 of 101 thresholds, the last one of which counts half.
    assert box_pck([25, 25, 25]) == pytest.approx(75.5)
    assert box_pck([160, 160, np.nan]) == 0
    assert box_pck([0, 160, 160]) == pytest.approx(100 / 3)
    assert box_pck([0, 160, 0], [True, False, True]) == 100
    assert box_pck([0, 160, 160], kept=np.array([True, False, False])) == 100
    assert box_pck([0, 0, 0], [False] * 3) is None
    values = [box_pck([error] * 3) for error in (40, 20, 10, 1)]
    assert values == sorted(values) and len(set(values)) == 4


def oks(errors, persons, kept=None):
    """Return 'oks' of persons all of whose joints are wrong by (error x 2 sigma x the square root of the area)."""
    sizes = np.sqrt([0.53 * 91 * 216 if each.area is None else each.area for each in persons])
    shifts = 2 * np.outer(np.array(errors) * sizes, SKELETON.oks_sigmas)
    found = np.array([each.joints_img for each in persons], np.float64)
    found[..., 0] += shifts
    return box_metrics(found, persons, np.ones(16, bool) if kept is None else kept, SKELETON)['oks']


def test_oks_is_the_mean_over_persons_and_counts_those_above_the_thresholds():
    # Each joint is off by `error` units, so that OKS is exp(-error^2 / 2): 1, 0.75, 0.5 and less.
    errors = [0, np.sqrt(-2 * np.log(0.76)), np.sqrt(-2 * np.log(0.51)), 3]
    found = oks(errors, [person(f'{index}.jpg', joints=STANDING) for index in range(4)])
    assert found['mean'] == pytest.approx(100 * (1 + 0.76 + 0.51 + np.exp(-4.5)) / 4, abs=1e-3)
    assert (found['share@0.5'], found['share@0.75']) == (75, 50)
    assert found['areas'] == {'annotated': 0, '0.53 x box': 4}


def test_oks_uses_the_annotated_area():
    small, plain = replace(person('a.jpg'), area=100.0), person('b.jpg')
    found = oks([1, 1], [small, plain])
    assert found['mean'] == pytest.approx(100 * np.exp(-0.5), abs=1e-3)
    assert found['areas'] == {'annotated': 1, '0.53 x box': 1}


def test_oks_leaves_out_persons_without_a_scored_joint():
    kept = np.arange(16) == 0
    hidden = person('a.jpg', labelled=np.arange(16) != 0)
    assert oks([0, 5], [person('b.jpg'), hidden], kept)['mean'] == 100
    assert oks([5], [hidden], kept)['mean'] is None


def test_a_skeleton_with_a_joint_without_sigma_has_no_oks():
    one = Person('a.jpg', '/a.jpg', 'a', np.array([0.0, 0, 9, 9]), np.zeros((3, 2), np.float32), ALL)
    assert set(box_metrics(np.zeros((1, 3, 2)), [one], ALL, HAND)) == {'box_pck_auc'}
