"""The metric that decides `best`: its choice, and its values for every skeleton."""

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.evaluation.best import BestMetric, choose_best_metric
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


def test_better_is_more_percent_but_less_loss():
    percent = BestMetric('box_pck')
    loss = BestMetric('loss')
    assert percent.is_better(0.0, None) and percent.is_better(2.0, 1.0)
    assert not percent.is_better(1.0, 1.0) and not percent.is_better(None, 1.0)
    assert loss.is_better(1.0, 2.0) and not loss.is_better(2.0, 1.0)
