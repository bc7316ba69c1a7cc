"""Breakdown: the rows divide the joints, each scores what a loop over its own joints gives, edges are the quartiles."""

from dataclasses import replace

import numpy as np
import pytest

from hourglass_pose.annotations.person import Person
from hourglass_pose.evaluation.breakdown import PersonAttributes, attributes_of_persons, break_down, count_neighbours
from hourglass_pose.evaluation.pckh import PckhEvaluator
from hourglass_pose.report.json_files import json_ready
from hourglass_pose.report.tables import format_breakdown
from hourglass_pose.skeleton import MPII_JOINTS, Skeleton

SKELETON = Skeleton()
COUNT = 37
COUNTED = [name not in ('pelvis', 'thorax') for name in MPII_JOINTS]


def measured(seed, head=True):
    random = np.random.RandomState(seed)
    true = random.uniform(0, 300, (COUNT, 16, 2))
    pred = true + random.standard_normal(true.shape) * 25
    labelled = random.uniform(size=(COUNT, 16)) < 0.8
    if not head:
        labelled[:, [8, 9]] = False
    evaluator = PckhEvaluator(SKELETON)
    boxes = np.tile([0.0, 0.0, 60.0, 80.0], (COUNT, 1)) if head else None  # head size 60
    evaluator.add(np.arange(COUNT), pred, true, labelled, boxes)
    return evaluator.result(), np.linalg.norm(pred - true, axis=2) <= 30, labelled, random


def rows_of(breakdown, name):
    (category,) = [category for category in breakdown.categories if category.name == name]
    return {row.label: row for row in category.rows}


def assert_row(row, hits, mask):
    """Compare with a loop over joints: group and means of the joints where mask holds."""
    by_joint = [100.0 * hits[mask[:, joint], joint].mean() if mask[:, joint].any() else None for joint in range(16)]
    counts = mask.sum(axis=0)
    assert row.joints == counts[COUNTED].sum()
    assert row.persons == mask[:, COUNTED].any(axis=1).sum()
    kept = [joint for joint in range(16) if COUNTED[joint] and by_joint[joint] is not None]
    assert row.percent['mean'] == pytest.approx(np.mean([by_joint[joint] for joint in kept]), abs=1e-9)
    assert row.percent['mean_weighted'] == pytest.approx(100.0 * hits[:, COUNTED][mask[:, COUNTED]].mean(), abs=1e-9)
    assert row.percent['head'] == pytest.approx(by_joint[9], abs=1e-9)
    assert 'joints' not in row.percent


@pytest.mark.parametrize('seed', range(3))
def test_rows_equal_a_loop_over_their_own_joints_and_divide_all(seed):
    result, hits, labelled, random = measured(seed)
    visible = random.uniform(size=labelled.shape) < 0.6
    known = np.arange(COUNT) % 5 > 0
    size = random.uniform(1, 5, COUNT)
    size[::6] = np.nan
    neighbours = random.randint(0, 6, COUNT)
    breakdown = break_down(result, SKELETON, PersonAttributes(visible, known, size, 'size', neighbours))
    assert breakdown.metric == 'pckh@0.5'
    rows = rows_of(breakdown, 'visibility')
    assert_row(rows['visible'], hits, labelled & visible & known[:, None])
    assert_row(rows['occluded'], hits, labelled & ~visible & known[:, None])
    assert_row(rows['unknown'], hits, labelled & ~known[:, None])
    rows = rows_of(breakdown, 'neighbours')
    for label, of in (('0', neighbours == 0), ('2', neighbours == 2), ('3 or more', neighbours >= 3)):
        assert_row(rows[label], hits, labelled & of[:, None])
    for category in breakdown.categories:
        assert sum(row.joints for row in category.rows) == labelled[:, COUNTED].sum()


def test_sizes_are_divided_into_quarters_with_the_edges_in_the_labels():
    result, hits, labelled, random = measured(3)
    size = random.permutation(np.arange(COUNT)) + 1.0
    rows = rows_of(break_down(result, SKELETON, PersonAttributes(size=size, size_definition='height')), 'scale')
    # 37 persons: the quarters end with the 10th, the 19th and the 28th.
    assert list(rows) == ['to 10', '10 to 19', '19 to 28', 'over 28']
    assert_row(rows['10 to 19'], hits, labelled & ((size > 10) & (size <= 19))[:, None])
    assert_row(rows['over 28'], hits, labelled & (size > 28)[:, None])


def test_persons_of_one_size_are_in_one_row():
    result, _, labelled, _ = measured(4)
    rows = rows_of(
        break_down(result, SKELETON, PersonAttributes(size=np.full(COUNT, 2.5), size_definition='')), 'scale'
    )
    assert list(rows) == ['to 2.5'] and rows['to 2.5'].joints == labelled[:, COUNTED].sum()


def test_data_without_heads_is_broken_down_by_torso_and_unknown_attributes_are_left_out():
    result, _, _, _ = measured(5, head=False)
    breakdown = break_down(result, SKELETON, PersonAttributes(neighbours=np.zeros(COUNT, int)))
    assert breakdown.metric == 'pck@0.2'
    assert [category.name for category in breakdown.categories] == ['neighbours']
    assert rows_of(breakdown, 'neighbours')['0'].percent['mean'] == result.metrics['pck@0.2']['mean']


def person(image, name, box, joints, scale=None, visible=None, source=0):
    joints = np.array(joints, np.float32)
    return Person(
        image,
        image,
        name,
        np.array(box, float),
        joints,
        np.ones(len(joints), bool),
        None,
        source,
        None if visible is None else np.array(visible),
        None,
        scale,
    )


def test_neighbours_are_others_of_the_image_with_a_joint_near_the_box():
    # The square around a box from 0 to 10 is 1.4 x 11 = 15.4 pixels wide: it reaches from -2.7 to 12.7.
    first = person('a.jpg', 'a.jpgA', (0, 0, 10, 10), [(5, 5), (100, 100)])
    near = person('a.jpg', 'a.jpgB', (190, 190, 200, 200), [(12.6, -2.6), (300, 300)])
    beside = person('a.jpg', 'a.jpgC', (400, 400, 410, 410), [(12.8, 5), (5, -2.8)])
    elsewhere = person('b.jpg', 'b.jpgA', (0, 0, 10, 10), [(5, 5), (5, 5)])
    other_source = person('a.jpg', 'a.jpgA', (0, 0, 10, 10), [(5, 5), (5, 5)], source=1)
    everyone = [first, near, beside, elsewhere, other_source]
    assert count_neighbours(everyone, everyone).tolist() == [1, 0, 0, 0, 0]
    assert count_neighbours([first], [first, beside, elsewhere]).tolist() == [0]


def test_unlabelled_joints_make_no_neighbour():
    first = person('a.jpg', 'a.jpgA', (0, 0, 10, 10), [(5, 5)])
    other = replace(person('a.jpg', 'a.jpgB', (0, 0, 10, 10), [(5, 5)]), labelled=np.array([False]))
    assert count_neighbours([first], [first, other]).tolist() == [0]


def test_attributes_come_from_the_annotations_and_sizes_from_boxes_where_no_scale_is_known():
    some = [person('a.jpg', 'A', (0, 0, 10, 20), [(0, 0)], 2.5, [True]), person('b.jpg', 'B', (0, 0, 9, 9), [(0, 0)])]
    attributes = attributes_of_persons(some, some)
    assert attributes.visible.tolist() == [[True], [False]] and attributes.visible_known.tolist() == [True, False]
    assert (
        attributes.size[0] == 2.5 and np.isnan(attributes.size[1]) and 'height / 200 px' in attributes.size_definition
    )
    without = attributes_of_persons(some[1:], some)
    assert without.visible is None and without.size.tolist() == [10] and 'px' in without.size_definition


def test_text_and_json_hold_every_row():
    result, _, labelled, _ = measured(6)
    breakdown = break_down(
        result,
        SKELETON,
        PersonAttributes(labelled, np.ones(COUNT, bool), np.arange(COUNT) + 1.0, 'height in px', np.arange(COUNT) % 2),
    )
    lines = format_breakdown(breakdown).split('\n')
    content = json_ready(breakdown.as_dict())
    for category in breakdown.categories:
        assert content[category.name]['definition'] == category.definition
        for row, written in zip(category.rows, content[category.name]['rows']):
            assert written == {'label': row.label, 'persons': row.persons, 'joints': row.joints, 'percent': row.percent}
            (line,) = [line for line in lines if line.startswith(row.label.ljust(14))]
            assert line[14:].split()[:2] == [str(row.persons), str(row.joints)]
            assert line.split()[-2:] == [f'{row.percent["mean"]:.2f}', f'{row.percent["mean_weighted"]:.2f}']
    assert max(map(len, lines)) <= 120
