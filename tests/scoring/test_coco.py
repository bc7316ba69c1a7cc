"""COCO's evaluation: AP and AR of pycocotools itself by score and evaluate, one line for files that are wrong."""

import contextlib
import io
import json
import os

import numpy as np
import pytest

from coco_files import random_annotations, random_results
from hourglass_pose.cli import main
from hourglass_pose.errors import UserError
from hourglass_pose.scoring import coco
from hourglass_pose.scoring.coco import STATS, CocoAnnotations, coco_results, lacking_joints
from hourglass_pose.skeleton import COCO_JOINTS, MPII_JOINTS, SKELETONS


@pytest.fixture
def needs_pycocotools():
    pytest.importorskip('pycocotools', reason='pycocotools is not installed; pip install pycocotools')


@pytest.fixture
def files(tmp_path):
    """Return (annotations, results) and write both as a.json and r.json."""
    random = np.random.RandomState(4)
    content = random_annotations(random, 20)
    results = random_results(random, content)
    (tmp_path / 'a.json').write_text(json.dumps(content))
    (tmp_path / 'r.json').write_text(json.dumps(results))
    return content, results


def score(tmp_path, capsys, results='r.json', annotations='a.json'):
    capsys.readouterr()
    code = main(
        ['score', '--predictions', str(tmp_path / results), '--annotations', str(tmp_path / annotations)]
        + ['--output', str(tmp_path / 'out')]
    )
    return code, capsys.readouterr()


def test_score_gives_the_numbers_of_cocoeval(tmp_path, capsys, files, needs_pycocotools):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(tmp_path / 'a.json'))
        truth.dataset.setdefault('info', {})
        expected = COCOeval(truth, truth.loadRes(str(tmp_path / 'r.json')), 'keypoints')
        expected.evaluate()
        expected.accumulate()
        expected.summarize()
    code, printed = score(tmp_path, capsys)
    assert code == 0
    found = json.loads((tmp_path / 'out' / 'metrics.json').read_text())['coco']
    assert list(found) == list(STATS)
    assert list(found.values()) == [100 * value for value in expected.stats]
    assert 0 < found['AP'] < 100 and f'{found["AP"]:.2f}' in printed.out


def test_a_perfect_result_has_100_and_images_without_predictions_are_named(tmp_path, capsys, files, needs_pycocotools):
    content, _ = files
    perfect = [
        {'image_id': each['image_id'], 'category_id': 1, 'keypoints': each['keypoints'], 'score': 1.0}
        for each in content['annotations']
        if each['num_keypoints']
    ]
    truth = CocoAnnotations(str(tmp_path / 'a.json'))
    found = truth.score(perfect)
    assert found.stats['AP'] == found.stats['AR'] == pytest.approx(100) and found.notes == []
    first = perfect[0]['image_id']
    partial = truth.score([each for each in perfect if each['image_id'] != first])
    assert partial.stats['AR'] < 100 and 'in 1 images without a prediction' in partial.notes[0]


def test_results_have_cocos_order_and_zeros_for_joints_that_the_network_lacks():
    joints = np.arange(32.0).reshape(1, 16, 2)
    scores = np.linspace(0.1, 0.9, 16)[None]
    (result,) = coco_results(joints, scores, MPII_JOINTS, [42])
    assert (result['image_id'], result['category_id'], len(result['keypoints'])) == (42, 1, 51)
    position, row = COCO_JOINTS.index('left_knee'), MPII_JOINTS.index('l_knee')
    assert result['keypoints'][3 * position : 3 * position + 3] == [*joints[0, row], scores[0, row]]
    assert result['keypoints'][:15] == [0] * 15
    assert lacking_joints(MPII_JOINTS) == list(COCO_JOINTS[:5])
    shared = [row for row, name in enumerate(MPII_JOINTS) if name[2:] in 'shoulder elbow wrist hip knee ankle'.split()]
    assert result['score'] == pytest.approx(scores[0, shared].mean())
    assert lacking_joints(COCO_JOINTS) == []
    short_names = [name.replace('left_', 'l_').replace('right_', 'r_') for name in COCO_JOINTS]
    assert lacking_joints(short_names) == []


def test_image_ids_are_found_by_file_name(tmp_path, files, needs_pycocotools):
    content, _ = files
    truth = CocoAnnotations(str(tmp_path / 'a.json'))
    name = content['images'][3]['file_name']
    assert truth.image_ids([name, f'val2017/{name}']) == [content['images'][3]['id']] * 2
    with pytest.raises(UserError, match='has no image x.jpg'):
        truth.image_ids(['x.jpg'])


def test_an_image_is_not_taken_for_another_of_the_same_name(tmp_path, needs_pycocotools):
    people = random_annotations(np.random.RandomState(4), 3)
    for image, name in zip(people['images'], ('a/1.jpg', 'b/1.jpg', 'b/2.jpg')):
        image['file_name'] = name
    (tmp_path / 'a.json').write_text(json.dumps(people))
    truth, ids = CocoAnnotations(str(tmp_path / 'a.json')), [image['id'] for image in people['images']]
    assert truth.image_ids(['a/1.jpg', 'b/1.jpg', 'c/2.jpg']) == ids
    with pytest.raises(UserError, match='has 2 images for c/1.jpg'):
        truth.image_ids(['c/1.jpg'])


def test_without_pycocotools_one_line_names_what_to_install(tmp_path, capsys, files, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, 'pycocotools.coco', None)
    code, printed = score(tmp_path, capsys)
    assert code == 2 and 'pip install pycocotools' in printed.err and printed.err.count('\n') == 1


def test_files_that_are_wrong_are_answered_in_one_line(tmp_path, capsys, files, needs_pycocotools):
    content, results = files

    def refused(annotations=content, predictions=results):
        (tmp_path / 'x.json').write_text(json.dumps(annotations))
        (tmp_path / 'y.json').write_text(json.dumps(predictions))
        code, printed = score(tmp_path, capsys, 'y.json', 'x.json')
        assert code == 2 and printed.err.count('\n') == 1, printed.err
        return printed.err

    assert 'result 1: keypoints' in refused(predictions=[dict(results[0], keypoints=[1] * 34)])
    assert 'result 2: score' in refused(predictions=[results[0], dict(results[1], score=None)])
    assert 'result 1: keypoints' in refused(predictions=[dict(results[0], keypoints=[float('nan')] * 51)])
    assert 'has no image 1' in refused(predictions=[dict(results[0], image_id=1)])
    assert 'no COCO results' in refused(predictions=[])
    first = content['annotations'][0]
    assert 'annotation 1 has no area' in refused(dict(content, annotations=[dict(first, area='x')]))
    assert 'annotation 1 is of an image' in refused(dict(content, annotations=[dict(first, image_id=1)]))
    assert 'no annotation has keypoints' in refused(dict(content, annotations=[dict(first, keypoints=[0] * 51)]))
    assert 'image 1 has no id' in refused(dict(content, images=[{}]))


def test_evaluate_writes_results_and_gives_ap(command_line_run, tmp_path, needs_pycocotools):
    from hourglass_pose.annotations.reading import read_annotations

    persons = read_annotations(command_line_run.annotations, command_line_run.images, 16).persons
    names = sorted({person.image for person in persons})
    annotations = []
    for person in persons:
        joints = np.zeros((17, 3))
        for position, name in enumerate(COCO_JOINTS):
            row = SKELETONS['mpii'].index(name)
            if row is not None and person.labelled[row]:
                joints[position] = [*person.joints_img[row], 2]
        x0, y0, x1, y1 = map(float, person.box_img)
        annotations.append(
            {
                'id': 1 + len(annotations),
                'image_id': names.index(person.image),
                'category_id': 1,
                'iscrowd': 0,
                'area': 0.53 * (x1 - x0 + 1) * (y1 - y0 + 1),
                'bbox': [x0, y0, x1 - x0 + 1, y1 - y0 + 1],
                'keypoints': joints.ravel().tolist(),
            }
        )
    official = {'images': [{'id': index, 'file_name': name} for index, name in enumerate(names)]}
    (tmp_path / 'a.json').write_text(json.dumps(dict(official, annotations=annotations)))
    output = str(tmp_path / 'out')
    arguments = ['--annotations', command_line_run.annotations, '--images', command_line_run.images]
    arguments += ['--coco-annotations', str(tmp_path / 'a.json'), '--device', 'cpu', '--output', output]
    assert main(['evaluate', '--checkpoint', command_line_run.folder, *arguments]) == 0
    with open(os.path.join(output, 'coco_results.json')) as stream:
        results = json.load(stream)
    assert len(results) == len(persons)
    with open(os.path.join(output, 'metrics.json')) as stream:
        stats = json.load(stream)['coco']
    # The file scores as evaluate did.
    assert coco.score_coco_files(os.path.join(output, 'coco_results.json'), [str(tmp_path / 'a.json')]).stats == stats
    with open(os.path.join(output, 'report.html'), encoding='utf-8') as stream:
        page = stream.read()
    assert '<h3>COCO</h3>' in page and '<h3>Object keypoint similarity</h3>' in page
