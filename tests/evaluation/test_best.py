"""The metric that decides about `best`: which one it is, and that it is right for every skeleton."""

from types import SimpleNamespace

import numpy as np
import pytest

from hourglass_pose.annotations.person import Person
from hourglass_pose.evaluation.best import BestMetric, box_pck, choose_best_metric
from hourglass_pose.skeleton import Skeleton

HAND = Skeleton(('wrist', 'thumb', 'index'))


def person(skeleton, missing=(), head_box=None):
    joints = np.arange(2 * len(skeleton), dtype=np.float32).reshape(-1, 2) * 3
    labelled = np.array([name not in missing for name in skeleton.joints])
    return Person('a.jpg', '/a.jpg', 'a', np.array([0.0, 0, 100, 50]), joints, labelled, head_box)


def choose(skeleton, *persons, best_by='auto', kept=None):
    return choose_best_metric(best_by, persons, skeleton, np.ones(len(skeleton), bool) if kept is None else kept).name


def test_first_metric_that_is_defined_decides():
    mpii = Skeleton()
    assert choose(mpii, person(mpii)) == 'pckh@0.5'
    assert choose(mpii, person(mpii, missing=('head',))) == 'pck@0.2'
    assert choose(mpii, person(mpii, missing=('head',), head_box=np.array([0.0, 0, 9, 9]))) == 'pckh@0.5'
    assert choose(mpii, person(mpii, missing=('head', 'l_hip', 'r_hip'))) == 'box_pck_auc'
    # One person who has a head suffices.
    assert choose(mpii, person(mpii, missing=('head',)), person(mpii)) == 'pckh@0.5'
    assert choose(HAND, person(HAND)) == 'box_pck_auc'
    assert choose(mpii, person(mpii), best_by='pck') == 'pck@0.2'


def evaluation(errors, labelled=None, box=(0.0, 0, 100, 50)):
    """An Evaluation of a hand whose three joints are wrong by these many pixels."""
    one = person(HAND)
    labelled = np.ones(3, bool) if labelled is None else np.array(labelled)
    one = Person(one.image, one.image_path, 'a', np.array(box), one.joints_img, labelled)
    joints = one.joints_img + np.array([[error, 0.0] for error in errors])
    return SimpleNamespace(persons=[one], joints_img=joints[None])


def test_box_pck_is_the_area_under_the_curve_by_the_longer_side():
    kept = np.ones(3, bool)
    assert box_pck(evaluation([0, 0, 0]), kept, HAND) == 100
    # Wrong by a quarter of the longer side, 100: right at 76 of 101 thresholds, the last one of which counts half.
    assert box_pck(evaluation([25, 25, 25]), kept, HAND) == pytest.approx(75.5)
    assert box_pck(evaluation([160, 160, np.nan]), kept, HAND) == 0
    assert box_pck(evaluation([0, 160, 160]), kept, HAND) == pytest.approx(100 / 3)
    assert box_pck(evaluation([0, 160, 0], [True, False, True]), kept, HAND) == 100
    assert box_pck(evaluation([0, 160, 160]), np.array([True, False, False]), HAND) == 100
    assert box_pck(evaluation([0, 0, 0], [False] * 3), kept, HAND) is None
    values = [box_pck(evaluation([error] * 3), kept, HAND) for error in (40, 20, 10, 1)]
    assert values == sorted(values) and len(set(values)) == 4


def test_better_is_more_percent_but_less_loss():
    percent = BestMetric('box_pck', HAND, np.ones(3, bool))
    loss = BestMetric('loss', HAND, np.ones(3, bool))
    assert percent.is_better(0.0, None) and percent.is_better(2.0, 1.0)
    assert not percent.is_better(1.0, 1.0) and not percent.is_better(None, 1.0)
    assert loss.is_better(1.0, 2.0) and not loss.is_better(2.0, 1.0)
