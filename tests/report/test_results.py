"""The results of an evaluation on the disk: every file, worst and best persons, and missing photos."""

import json
import os
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from annotated import SKELETON, STANDING, person
from hourglass_pose.config.config import format_sections, load_config
from hourglass_pose.evaluation.box_metrics import box_metrics
from hourglass_pose.evaluation.evaluator import Evaluation
from hourglass_pose.evaluation.pckh import PckhEvaluator
from hourglass_pose.report.results import results_of_evaluation, write_results
from hourglass_pose.skeleton import Skeleton

FILES = {'metrics.json', 'pckh.png', 'report.html', 'predictions.json', 'predictions.png', 'worst.png'}


def read(*path):
    with open(os.path.join(*path), encoding='utf-8') as stream:
        return stream.read()


def sections_of(page):
    return re.findall('<section id="([^"]*)">', page)


@pytest.fixture
def results(tmp_path, rng):
    """Return the Results of five persons with photos, the k-th predicted with an error of k x 6 px."""
    persons, joints = [], []
    for index in range(5):
        cv2.imwrite(str(tmp_path / f'{index}.png'), rng.randint(0, 256, (300, 200, 3)).astype(np.uint8))
        persons.append(person(f'{index}.png', folder=str(tmp_path)))
        joints.append(STANDING + [6.0 * index, 0])
    evaluator = PckhEvaluator(SKELETON)
    evaluator.add(np.arange(5), joints, [STANDING] * 5, np.ones((5, 16), bool))
    evaluation = Evaluation(evaluator.result(), {}, persons, np.array(joints), np.ones((5, 16), np.float32))
    return results_of_evaluation(evaluation, SKELETON, {'data': 'a.txt'}, persons, ['some/a.txt'])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'out').mkdir()
    return str(tmp_path / 'out')


def persons_on(page):
    return re.findall(r'</b> (\d\.pngA)<', page)


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
    folder = os.path.basename(os.path.dirname(command_line_run.annotations))
    assert f'<h1>{folder}</h1>' in page and '[Train]' in page and page.count('<img ') >= 8


def test_all_files_are_written_and_named(results, folder):
    lines = []
    write_results(folder, results, lines.append)
    assert set(os.listdir(folder)) == FILES
    assert all(name in lines[-1] for name in FILES)
    assert json.loads(read(folder, 'predictions.json'))['predictions'][0]['source'] == 'some/a.txt'


def with_box_metrics(results, **protocol):
    """Return results with the metrics that need a box, and with further items of the protocol."""
    metrics = box_metrics(results.joints_img, results.persons, np.ones(len(results.skeleton), bool), results.skeleton)
    result = replace(results.result, metrics={**results.result.metrics, **metrics})
    return replace(results, result=result, protocol={**results.protocol, **protocol})


def test_oks_is_in_the_table_in_metrics_json_and_on_the_page(results, folder):
    lines = []
    with_oks = with_box_metrics(results)
    write_results(folder, with_oks, lines.append)
    oks = json.loads(read(folder, 'metrics.json'))['oks']
    assert 0 < oks['share@0.75'] < oks['share@0.5'] < 100 and oks['areas'] == {'annotated': 0, '0.53 x box': 5}
    numbers = [f'{oks[name]:.2f}' for name in ('mean', 'share@0.5', 'share@0.75')]
    rows = lines[0].split('\n')
    start = next(index for index, row in enumerate(rows) if row.startswith('OKS'))
    assert rows[start].split()[1:] == ['Mean', '@0.5', '@0.75'] and rows[start + 1].split()[-3:] == numbers
    page = read(folder, 'report.html')
    table = page[page.index('Object keypoint similarity') :]
    assert all(f'<td>{number}</td>' in table for number in numbers)


def test_pck_by_box_is_shown_where_it_decides_best(results, folder):
    for best_by, is_shown in (('pckh@0.5', False), ('box_pck_auc', True)):
        lines = []
        write_results(folder, with_box_metrics(results, best_by=best_by, best_score=41.23456789), lines.append)
        score = json.loads(read(folder, 'metrics.json'))['box_pck_auc']['mean']
        assert ('PCK by box' in lines[0]) == is_shown == ('PCK by box' in read(folder, 'report.html'))
        assert (f'{score:.2f}' in lines[0]) == is_shown
        assert f'best by {best_by}' in lines[0] and 'best score 41.2346' in lines[0].replace('\n', ' ')


def test_pck_by_box_is_the_headline_of_joints_without_head_and_torso(results, folder):
    skeleton = Skeleton(tuple(f'finger_{index}' for index in range(16)))
    evaluator = PckhEvaluator(skeleton)
    evaluator.add(np.arange(5), results.joints_img, [STANDING] * 5, np.ones((5, 16), bool))
    lines = []
    write_results(
        folder, with_box_metrics(replace(results, skeleton=skeleton, result=evaluator.result())), lines.append
    )
    assert 'PCK by box' in lines[0] and 'OKS' not in lines[0]
    page = read(folder, 'report.html')
    assert '<div class="tile first"><span>PCK by box</span>' in page and 'joints' in sections_of(page)


def test_without_a_folder_the_tables_are_shown_and_nothing_is_written(results, folder):
    lines = []
    write_results(None, results, lines.append)
    assert 'PCKh@0.5' in lines[0] and 'by neighbours' in lines[1] and os.listdir(folder) == []


def test_worst_and_best_are_ranked_and_disjoint(results, folder):
    write_results(folder, results, lambda line: None)
    page = read(folder, 'report.html')
    assert persons_on(page) == ['4.pngA', '3.pngA', '2.pngA', '0.pngA', '1.pngA']
    assert 'training' not in sections_of(page) and 'settings' not in sections_of(page)
    worst = json.loads(read(folder, 'metrics.json'))['worst_persons']
    assert [entry['person'] for entry in worst] == ['4.pngA', '3.pngA', '2.pngA', '1.pngA', '0.pngA']


def test_a_missing_photo_costs_only_its_own_images(results, folder):
    os.remove(results.persons[4].image_path)
    lines = []
    write_results(folder, results, lines.append)
    assert set(os.listdir(folder)) == FILES
    assert persons_on(read(folder, 'report.html')) == ['3.pngA', '2.pngA', '1.pngA', '0.pngA', '1.pngA']
    # Four tiles of 200 pixels with gaps of 8.
    assert cv2.imread(os.path.join(folder, 'worst.png')).shape[1] == 4 * 208 + 8
    assert any('cannot be read' in line and ': 1' in line for line in lines)


def test_without_any_photo_the_numbers_are_still_written(results, folder):
    for each in results.persons:
        os.remove(each.image_path)
    write_results(folder, results, lambda line: None)
    assert set(os.listdir(folder)) == FILES - {'predictions.png', 'worst.png'}
    assert persons_on(read(folder, 'report.html')) == []


def test_settings_are_written_as_a_config_that_reads_the_same(command_line_run, tmp_path):
    config = load_config(command_line_run.config)
    path = tmp_path / 'config.cfg'
    path.write_text(format_sections(config.as_dict()), encoding='utf-8')
    assert load_config(str(path)).as_dict() == config.as_dict()
