"""evaluate: options for speed change no bit of the result; scales, breakdown and worst persons are written."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest

from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.cli import main
from hourglass_pose.cli.options import scales_argument
from hourglass_pose.evaluation.evaluator import Evaluator
from hourglass_pose.prediction.measuring import person_generator
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.scoring.score_files import score_files


@pytest.fixture(scope='module')
def predictor(command_line_run):
    with Predictor(command_line_run.folder, device='cpu') as opened:
        yield opened


def evaluation(predictor, persons, batch_size=16, workers=0, scales=(1.0,), flip_test=True):
    generator = person_generator(persons, predictor, scales, batch_size, workers)
    evaluator = Evaluator(generator, predictor.codec, predictor.skeleton, predictor.mean_pose_crop, flip_test)
    return evaluator.evaluate(predictor.last_logits)


@pytest.fixture(scope='module')
def persons(command_line_run):
    return list(read_annotations(command_line_run.annotations, command_line_run.images, 16).persons)


@pytest.mark.parametrize('scales', [(1.0,), (0.8, 1.0, 1.2)])
def test_batch_size_and_workers_change_no_bit(predictor, persons, scales):
    expected = evaluation(predictor, persons, scales=scales)
    for batch_size, workers in ((1, 0), (3, 4), (7, 1), (1000, 2)):
        found = evaluation(predictor, persons, batch_size, workers, scales)
        assert np.array_equal(found.joints_img, expected.joints_img)
        assert np.array_equal(found.scores, expected.scores)
        assert found.result.metrics == expected.result.metrics


def test_on_a_cpu_a_pose_depends_on_no_other_person(predictor, persons):
    expected = evaluation(predictor, persons)
    reversed_order = evaluation(predictor, persons[::-1])
    assert np.array_equal(reversed_order.joints_img[::-1], expected.joints_img)
    some = evaluation(predictor, persons[5:8])
    assert np.array_equal(some.joints_img, expected.joints_img[5:8])
    assert np.array_equal(some.scores, expected.scores[5:8])


def run(command_line_run, output, *arguments):
    assert (
        main(
            [
                'evaluate',
                '--checkpoint',
                command_line_run.folder,
                '--annotations',
                command_line_run.annotations,
                '--images',
                command_line_run.images,
                '--device',
                'cpu',
                '--output',
                output,
            ]
            + list(arguments)
        )
        == 0
    )
    with open(os.path.join(output, 'metrics.json')) as stream:
        metrics = json.load(stream)
    with open(os.path.join(output, 'predictions.json'), 'rb') as stream:
        return metrics, stream.read()


@pytest.mark.slow
def test_evaluate_leaves_breakdown_and_worst_persons_and_the_same_files_for_every_speed(
    command_line_run, tmp_path, persons, capsys
):
    metrics, predictions = run(
        command_line_run, str(tmp_path / 'a'), '--scales', '0.9,1.1', '--batch-size', '1', '--workers', '0'
    )
    printed = capsys.readouterr().out
    assert 'PCKh@0.5 by scale: longer side' in printed and 'scales 0.9, 1.1' in ' '.join(printed.split())
    rows = metrics['breakdown']['scale']['rows']
    assert sum(row['persons'] for row in rows) == len(persons)
    assert [person['percent'] for person in metrics['worst_persons']] == sorted(
        person['percent'] for person in metrics['worst_persons']
    )
    assert {person['person'] for person in metrics['worst_persons']} == {person.person_id for person in persons}
    sheet = cv2.imread(str(tmp_path / 'a' / 'worst.png'))
    # Ten tiles of 200 pixels in a row, with gaps of 8.
    assert sheet.shape[1] == 10 * 208 + 8 and sheet.std() > 10
    other, other_predictions = run(
        command_line_run, str(tmp_path / 'b'), '--scales', '0.9,1.1', '--batch-size', '7', '--workers', '3'
    )
    assert predictions == other_predictions
    for content in (metrics, other):
        del content['protocol']['command']
    assert metrics == other


def test_scoring_the_predictions_file_gives_the_metrics_of_evaluate(command_line_run, tmp_path):
    metrics, _ = run(command_line_run, str(tmp_path / 'a'))
    predictions = str(tmp_path / 'a' / 'predictions.json')
    score = score_files(predictions, [command_line_run.annotations])
    truth, protocol = score.truth, score.protocol
    assert protocol['rows_matched_by'] == 'person' and protocol['annotated_persons_without_prediction'] == 0
    assert protocol['counting'].startswith('compared without a shift')
    for name in ('pckh@0.5', 'pckh@0.1', 'auc', 'pck@0.2'):
        assert score.result.metrics[name] == metrics[name]
    images = os.path.join(str(tmp_path), 'some')
    os.mkdir(images)
    for person in truth.persons[:3]:
        shutil.copy(os.path.join(command_line_run.images, person.image), images)
    assert (
        main(
            [
                'score',
                '--predictions',
                predictions,
                '--annotations',
                command_line_run.annotations,
                '--images',
                images,
                '--output',
                str(tmp_path / 'b'),
            ]
        )
        == 0
    )
    with open(str(tmp_path / 'b' / 'metrics.json')) as stream:
        again = json.load(stream)
    assert again['breakdown'] == metrics['breakdown'] and again['worst_persons'] == metrics['worst_persons']
    there = {person.image for person in truth.persons[:3]}
    tiles = sum(person.image in there for person in truth.persons)
    assert cv2.imread(str(tmp_path / 'b' / 'worst.png')).shape[1] == tiles * 208 + 8


def test_wrong_scales_workers_and_batch_sizes_are_refused(command_line_run, tmp_path, capsys):
    assert scales_argument('0.8,1,1.2') == (0.8, 1.0, 1.2)
    for option, value, part in (
        ('--scales', '1,1', 'different numbers'),
        ('--scales', 'a', "found 'a'"),
        ('--scales', '0', 'from 0.25 to 4'),
        ('--scales', 'nan', 'nan'),
        ('--workers', '-1', 'integer >= 0'),
        ('--batch-size', '0', 'integer >= 1'),
        ('--batch-size', 'nan', 'integer >= 1'),
    ):
        try:
            code = main(
                [
                    'evaluate',
                    '--checkpoint',
                    command_line_run.folder,
                    '--annotations',
                    'a',
                    '--images',
                    'b',
                    '--output',
                    str(tmp_path),
                    option,
                    value,
                ]
            )
        except SystemExit as end:
            code = end.code
        message = capsys.readouterr().err
        assert code == 2 and option in message and part in message and message.count('\n') == 1
