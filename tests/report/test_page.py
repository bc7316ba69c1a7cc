"""The report page of a real run: sections, persons, and what is done about pictures that are not there."""

import os
import re

import cv2
import numpy as np
import pytest

from annotated import SKELETON, STANDING, person
from hourglass_pose.config.config import format_sections, load_config
from hourglass_pose.evaluation.pckh import PckhEvaluator
from hourglass_pose.report.page import draw_persons, write_report_page
from hourglass_pose.report.tables import build_metrics


def read(*path):
    with open(os.path.join(*path), encoding='utf-8') as stream:
        return stream.read()


def sections_of(page):
    return re.findall('<section id="([^"]*)">', page)


@pytest.fixture
def measured(tmp_path, rng):
    """Return (persons with pictures, predictions of which the k-th is k x 6 px off, their PckhResult)."""
    persons, joints = [], []
    for index in range(5):
        cv2.imwrite(str(tmp_path / ('%d.png' % index)), rng.randint(0, 256, (300, 200, 3)).astype(np.uint8))
        persons.append(person('%d.png' % index, folder=str(tmp_path)))
        joints.append(STANDING + [6.0 * index, 0])
    evaluator = PckhEvaluator(SKELETON)
    evaluator.add(np.arange(5), joints, [STANDING] * 5, np.ones((5, 16), bool))
    return persons, np.array(joints), evaluator.result()


def test_a_finished_run_has_a_page_with_its_epochs_persons_and_settings(command_line_run):
    page = read(command_line_run.folder, 'report.html')
    assert sections_of(page) == [
        'scores',
        'curves',
        'joints',
        'breakdown',
        'training',
        'worst-persons',
        'best-persons',
        'how-it-was-measured',
        'settings',
    ]
    assert '<h1>dataset.txt</h1>' in page and '[Train]' in page and page.count('<img ') >= 8


def test_worst_and_best_are_ranked_and_nobody_is_both(measured, tmp_path):
    persons, joints, result = measured
    metrics = build_metrics(result, {}, {})
    assert write_report_page(str(tmp_path), 'Title', metrics, result, {}, SKELETON, persons, joints) == ['report.html']
    page = read(str(tmp_path), 'report.html')
    assert re.findall(r'</b> (\d\.pngA)<', page) == ['4.pngA', '3.pngA', '2.pngA', '0.pngA', '1.pngA']
    assert 'training' not in sections_of(page) and 'settings' not in sections_of(page)


def test_a_person_whose_picture_is_gone_is_passed_over(measured):
    persons, joints, _ = measured
    os.remove(persons[1].image_path)
    drawn = draw_persons([(0, 10.0), (1, 20.0), (2, 30.0), (3, 40.0)], persons, joints, SKELETON, 2)
    assert [(each.title, each.note) for each in drawn] == [('0.pngA', '10 %'), ('2.pngA', '30 %')]
    assert all(each.image_rgb.shape == (320, 320, 3) for each in drawn)


def test_settings_are_written_as_a_config_that_reads_the_same(command_line_run, tmp_path):
    config = load_config(command_line_run.config)
    path = tmp_path / 'config.cfg'
    path.write_text(format_sections(config.as_dict()), encoding='utf-8')
    assert load_config(str(path)).as_dict() == config.as_dict()
