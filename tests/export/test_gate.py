"""The gate of an export: rounding passes, any larger difference fails, and the result is reported."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.export import gate as export_gate
from hourglass_pose.export.gate import compare, measure_speed
from hourglass_pose.export.gate_crops import crops_of_persons, crops_of_rendered_people
from hourglass_pose.export.offline_graph import build_offline_graph
from hourglass_pose.export.offline_models import run_crops
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.skeleton import Skeleton

COUNT, SIZE = 5, 32


class Echo:
    """An offline model that returns given outputs, changed by `change`."""

    def __init__(self, outputs, change=lambda outputs: outputs):
        self.outputs, self.change, self.start = outputs, change, 0

    def run(self, images):
        part = [output[self.start : self.start + len(images)] for output in self.change(self.outputs)]
        padding = [np.zeros((len(images) - len(rows),) + rows.shape[1:], np.float32) for rows in part]
        self.start += len(images)
        return [np.concatenate(pair) for pair in zip(part, padding)]


@pytest.fixture(scope='module')
def predictor(command_line_run):
    with Predictor(
        command_line_run.folder, flip_test=False, device='cpu', batch_size=2, folds_batch_norms=False
    ) as opened:
        yield opened


@pytest.fixture(scope='module')
def crops(predictor):
    return crops_of_rendered_people(predictor, COUNT)


@pytest.fixture(scope='module')
def offline(predictor):
    """Return {whether it decodes: OfflineGraph}."""
    return {
        decode: build_offline_graph(
            predictor.stored, predictor.engine.hyperparameters, predictor.codec, 2, decode, 'in_graph'
        )
        for decode in (False, True)
    }


@pytest.fixture(scope='module')
def logits(predictor, crops):
    return predictor.last_logits(crops.images)


def decoded(predictor, logits):
    joints, scores = predictor.codec.decode(predictor.codec.maps_of_logits(logits))
    return [joints.astype(np.float32), scores]


def rounded(logits, offline, share):
    noise = np.random.RandomState(1).uniform(-1, 1, logits.shape)
    return (logits + share * offline[False].relative_bound * np.abs(logits).max() * noise).astype(np.float32)


def test_heatmaps_within_rounding_pass_and_report_their_difference(predictor, crops, offline, logits):
    result = compare(predictor, offline[False], Echo([rounded(logits, offline, 0.9)]), crops)
    assert result.passed and result.record['passed']
    bound = offline[False].relative_bound * np.abs(logits).max()
    assert 0.8 * bound < result.record['largest_difference'] <= 0.9 * bound * 1.01
    assert result.record['bound'] == pytest.approx(bound)
    assert result.record['metric'] == 'PCKh@0.5'
    assert abs(result.record['checkpoint'] - result.record['offline']) <= 100.0 / COUNT


@pytest.mark.parametrize(
    'change',
    [
        lambda maps: maps * np.float32(1.01),
        lambda maps: maps[:, ::-1],
        lambda maps: maps[..., ::-1],
        lambda maps: np.where(np.arange(maps.shape[1]) == 3, np.float32('nan'), maps.swapaxes(1, 3)).swapaxes(1, 3),
    ],
)
def test_heatmaps_that_differ_in_any_other_way_do_not_pass(predictor, crops, offline, logits, change):
    result = compare(predictor, offline[False], Echo([logits], lambda outputs: [change(outputs[0])]), crops)
    assert not result.passed and not result.record['passed']
    assert not result.record['largest_difference'] <= result.record['bound']


def test_joints_within_rounding_of_heatmaps_pass(predictor, crops, offline, logits):
    outputs = decoded(predictor, rounded(logits, offline, 0.2))
    result = compare(predictor, offline[True], Echo(outputs), crops)
    assert result.passed and result.record['joints']['beyond'] == result.record['scores']['beyond'] == 0


@pytest.mark.parametrize(
    'change, beyond',
    [
        (lambda outputs: [outputs[0] + np.float32([4, 0]), outputs[1]], 'joints'),
        (lambda outputs: [outputs[0][..., ::-1], outputs[1]], 'joints'),
        (lambda outputs: [outputs[0] * np.float32('nan'), outputs[1]], 'joints'),
        (lambda outputs: [outputs[0], outputs[1] + np.float32(0.1)], 'scores'),
    ],
)
def test_joints_or_scores_elsewhere_do_not_pass(predictor, crops, offline, logits, change, beyond):
    result = compare(predictor, offline[True], Echo(decoded(predictor, logits), change), crops)
    assert not result.passed
    assert result.record[beyond]['beyond'] > COUNT * 16 // 2


def test_a_joint_that_two_equal_cells_compete_for_may_be_at_either(predictor, offline, crops, logits):
    # Peaks of the same height, and a model whose rounding prefers the second.
    maps = np.zeros_like(logits)
    maps[:, 2, 2] = maps[:, 5, 6] = 1.0
    preferred = maps.copy()
    preferred[:, 5, 6] += 1e-6
    lines, passed, record = export_gate._compare_poses(
        predictor.codec, maps, decoded(predictor, preferred), offline[True].relative_bound
    )
    assert passed and record['joints']['largest_difference'] > 8
    maps[:, 2, 2] += 0.1
    assert not export_gate._compare_poses(
        predictor.codec, maps, decoded(predictor, preferred), offline[True].relative_bound
    )[1]


def test_rendered_people_are_the_same_each_time_and_scored_by_joint_names(predictor, crops):
    again = crops_of_rendered_people(predictor, COUNT)
    assert len(again.images) == COUNT and np.array_equal(again.images, crops.images)
    assert len({image.tobytes() for image in crops.images}) == COUNT
    predictor.skeleton, kept = (
        Skeleton(('tail', 'head') + tuple(f'x{index}' for index in range(14))),
        predictor.skeleton,
    )
    try:
        others = crops_of_rendered_people(predictor, COUNT)
    finally:
        predictor.skeleton = kept
    assert np.array_equal(others.images, crops.images)
    for other, person in zip(others.persons, crops.persons):
        assert np.array_equal(other.joints_img[1], person.joints_img[9]) and other.labelled[1] == person.labelled[9]
        assert not other.labelled[0] and not other.labelled[2:].any()


def test_annotated_persons_are_spread_over_all(predictor, command_line_run):
    persons = read_annotations(command_line_run.annotations, command_line_run.images, 16).persons
    chosen = crops_of_persons(persons, predictor, 3).persons
    assert [persons.index(person) for person in chosen] == [0, (len(persons) - 1) // 2, len(persons) - 1]
    assert len(crops_of_persons(persons[:2], predictor, 3).persons) == 2


def test_crops_are_run_in_whole_batches_and_padding_is_dropped(offline, logits, crops):
    (found,) = run_crops(Echo([logits]), offline[False], crops.images)
    assert np.array_equal(found, logits)


def test_speed_is_measured_of_both_in_turns(predictor, offline, crops, logits, monkeypatch):
    order = []
    monkeypatch.setattr(predictor, 'last_logits', lambda images: order.append('checkpoint') or logits[:2])

    class Model:
        def run(self, images):
            order.append('model')
            return [logits[:2]]

    rates = measure_speed(predictor, offline[False], Model(), crops.images, 3)
    assert order == ['checkpoint', 'model'] * 5 and min(rates) > 0


def test_rendered_people_have_only_boxes_and_are_also_cropped_by_centre_and_scale(predictor, crops):
    other = SimpleNamespace(rule=replace(predictor.rule, crop_rule='centre_scale'), skeleton=predictor.skeleton)
    found = crops_of_rendered_people(other, 2)
    for person, affine in zip(found.persons, found.affines_crop_from_img):
        x0, y0, x1, y1 = person.box_img
        centre = affine[:, :2].dot([(x0 + x1) / 2, (y0 + y1) / 2]) + affine[:, 2]
        assert np.abs(centre - (SIZE - 1) / 2.0).max() < 1e-9
        # A margin of 0.32 of the longer side on either side.
        assert affine[0, 0] * (max(x1 - x0, y1 - y0) + 1) * 1.64 == pytest.approx(SIZE)
