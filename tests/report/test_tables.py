"""What is written and printed of an evaluation: strict JSON, a table with the numbers, a curve."""

import json

import cv2
import numpy as np
import pytest

from hourglass_pose.errors import UserError
from hourglass_pose.evaluation.pckh import PckhEvaluator
from hourglass_pose.report.json_files import Prediction, build_metrics, json_ready, write_json, write_predictions
from hourglass_pose.report.plots import pckh_figure, png_of
from hourglass_pose.report.tables import format_table
from hourglass_pose.skeleton import MPII_JOINTS, Skeleton

SKELETON = Skeleton()
COLUMNS = ['head', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle', 'mean', 'mean_weighted']
METRICS = ['pckh@0.5', 'pckh@0.1', 'pck@0.2', 'auc', 'argmax_accuracy']
PROTOCOL = {
    'data': 'synthetic',
    'split': 'valid',
    'flip_test': np.bool_(True),
    'decoding': 'dark',
    'command': 'evaluate --x',
    'versions': {'numpy': '1.18'},
    'learning_rate': np.float32(0.5),
}


def score(spread, skeleton=SKELETON, unlabelled=()):
    random = np.random.RandomState(5)
    true = random.uniform(0, 200, (30, len(skeleton), 2))
    labelled = np.ones((30, len(skeleton)), bool)
    labelled[:, [skeleton.index(name) for name in unlabelled]] = False
    evaluator = PckhEvaluator(skeleton)
    evaluator.add(np.arange(30), true + spread * random.standard_normal(true.shape), true, labelled)
    return evaluator.result()


def strict_json(path):
    def refuse(constant):
        raise AssertionError(f'{constant} is not JSON')

    with open(str(path), encoding='utf-8') as stream:
        return json.load(stream, parse_constant=refuse)


@pytest.fixture(scope='module')
def scored():
    return score(10), {'mean_pose': score(40), 'centre': score(80)}


def test_metrics_json_holds_every_key_and_reads_back_equal(tmp_path, scored):
    result, baselines = scored
    metrics = build_metrics(result, baselines, PROTOCOL)
    write_json(tmp_path / 'metrics.json', metrics)
    read = strict_json(tmp_path / 'metrics.json')
    assert read == metrics
    assert list(read) == METRICS + ['baselines', 'protocol']
    for scores in [read] + [read['baselines'][name] for name in ('mean_pose', 'centre')]:
        for name in METRICS:
            assert list(scores[name]) == COLUMNS + ['joints']
            assert list(scores[name]['joints']) == list(MPII_JOINTS)
    assert read['pckh@0.5']['mean'] == result.metrics['pckh@0.5']['mean']
    assert read['protocol']['num_persons'] == 30
    assert read['protocol']['head_sizes'] == {'head_box': 0, 'neck_to_head': 30, 'none': 0}
    assert read['protocol']['flip_test'] is True and read['protocol']['learning_rate'] == 0.5


def test_undefined_values_are_null_in_json():
    result = score(10, unlabelled=('head', 'l_knee'))
    metrics = json.loads(json.dumps(build_metrics(result, {}, {}), allow_nan=False))
    assert metrics['pckh@0.5']['mean'] is None and metrics['argmax_accuracy']['joints']['head'] is None
    assert metrics['pck@0.2']['joints']['l_knee'] is None and metrics['pck@0.2']['mean'] > 0
    assert json_ready({'a': np.array([1.5, np.nan, -np.inf]), 2: (np.int64(3), None)}) == {
        'a': [1.5, None, None],
        '2': [3, None],
    }


def test_table_holds_the_numbers_of_network_and_baselines_and_the_protocol(scored):
    result, baselines = scored
    text = format_table(build_metrics(result, baselines, PROTOCOL))
    lines = text.split('\n')
    assert all(len(line) <= 110 and line.isprintable() for line in lines)
    assert lines[0].split() == 'percent Head Shoulder Elbow Wrist Hip Knee Ankle Mean Mean(w)'.split()
    start = next(index for index, line in enumerate(lines) if line.startswith('PCKh@0.5'))
    rows = zip(lines[start:], ('this network', 'mean pose', 'centre'), [result] + list(baselines.values()))
    for line, pose, scores in rows:
        assert pose in line
        assert line.split()[-9:] == [f'{scores.metrics["pckh@0.5"][name]:.2f}' for name in COLUMNS]
    under = ' '.join(lines[-4:])
    for part in ('30 persons', 'split valid', 'flip test on', '0.75 x neck to head top: 30', 'decoding dark'):
        assert part in under
    assert 'evaluate --x' not in text


def test_an_undefined_metric_is_one_row_of_dashes(scored):
    lines = format_table(build_metrics(*scored, protocol={})).split('\n')
    start = next(index for index, line in enumerate(lines) if line.startswith('argmax'))
    assert lines[start].split()[-9:] == ['-'] * 9
    assert set(lines[start + 1]) == {'-'}


@pytest.mark.parametrize('unlabelled', [(), ('head',)])
def test_curve_is_a_png_with_and_without_head_sizes(unlabelled):
    result, baseline = score(10, unlabelled=unlabelled), score(60, unlabelled=unlabelled)
    content = png_of(pckh_figure(result, {'mean_pose': baseline}, 'a $title$ of 人 \ud800.txt'))
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[0] > 400 and image.shape[1] > 600
    # Vermilion is the colour of the head's curve and of nothing else.
    vermilion = (image == [0x00, 0x54, 0xC9]).all(axis=2)
    assert vermilion[:, : image.shape[1] // 2].any() == (not unlabelled)


def test_predictions_file_keeps_every_digit_and_names_its_frame(tmp_path):
    random = np.random.RandomState(2)
    joints_img = random.uniform(0, 2000, (3, len(SKELETON), 2))
    joints_img[1, 4] = np.nan
    scores = random.uniform(0, 1, (3, len(SKELETON))).astype(np.float32)
    people = [
        Prediction(
            'caf\u00e9 %d.jpg' % index,
            'caf\u00e9 %d.jpgA' % index,
            joints_img[index],
            scores[index],
            np.array([0, 1, 99.5, 120]),
            'dataset.txt',
        )
        for index in range(3)
    ]
    write_predictions(tmp_path / 'predictions.json', people, SKELETON, {'numpy': '1.18'})
    read = strict_json(tmp_path / 'predictions.json')
    assert read['joints'] == list(MPII_JOINTS)
    assert read['frame'].startswith('0-based pixels')
    assert [person['image'] for person in read['predictions']] == [person.image for person in people]
    assert read['predictions'][0]['person_id'] == 'caf\u00e9 0.jpgA'
    assert read['predictions'][0]['box_img'] == [0, 1, 99.5, 120]
    assert read['predictions'][0]['source'] == 'dataset.txt'
    np.testing.assert_array_equal(
        np.array([person['joints_img'] for person in read['predictions']], np.float64), joints_img
    )
    np.testing.assert_array_equal(np.array([person['scores'] for person in read['predictions']], np.float32), scores)


def test_empty_list_of_predictions_is_valid_json(tmp_path):
    write_predictions(tmp_path / 'predictions.json', [], SKELETON, {})
    assert strict_json(tmp_path / 'predictions.json')['predictions'] == []


def test_unwritable_report_is_a_user_error(tmp_path, scored):
    absent = tmp_path / 'absent' / 'file'
    for write in (lambda: write_json(absent, {}), lambda: write_predictions(absent, [], SKELETON, {})):
        with pytest.raises(UserError, match='cannot be written'):
            write()


def test_the_legend_of_the_curve_is_within_the_image(scored):
    figure = pckh_figure(*scored)
    figure.canvas.draw()
    legend = figure.axes[0].get_legend().get_window_extent()
    assert legend.x1 <= figure.bbox.x1 and legend.x0 >= figure.axes[0].bbox.x1
