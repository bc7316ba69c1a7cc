"""OKS: closed forms, and every pair that COCOeval.computeOks gives on generated files."""

import contextlib
import io

import numpy as np
import pytest

from coco_files import random_annotations, random_results
from hourglass_pose.evaluation.oks import keypoint_similarity, person_areas
from hourglass_pose.skeleton import SKELETONS

COCO_SIGMAS = SKELETONS['coco'].oks_sigmas


def truth_arrays(persons):
    keypoints = np.array([person['keypoints'] for person in persons], float).reshape(-1, 17, 3)
    boxes = np.array([person['bbox'] for person in persons], float)
    boxes[:, 2:] += boxes[:, :2] - 1  # COCO's width and height; ours end at the last pixel
    return keypoints[..., :2], keypoints[..., 2] > 0, np.array([person['area'] for person in persons]), boxes


@pytest.mark.parametrize('seed', range(5))
def test_every_pair_is_as_cocoeval_has_it(seed):
    pytest.importorskip('pycocotools', reason='pycocotools is not installed; pip install pycocotools')
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    random = np.random.RandomState(seed)
    content = random_annotations(random)
    results = random_results(random, content)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dict(content, info={})
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes([dict(result) for result in results]), 'keypoints')
        evaluation._prepare()
    compared = ignored = 0
    for image in content['images']:
        persons = evaluation._gts[image['id'], 1]
        found = sorted(evaluation._dts[image['id'], 1], key=lambda each: -each['score'])
        if not persons or not found:
            continue
        pred = np.array([each['keypoints'] for each in found], float).reshape(-1, 17, 3)[..., :2]
        ours = keypoint_similarity(pred[:, None], *truth_arrays(persons), COCO_SIGMAS)
        np.testing.assert_allclose(ours, evaluation.computeOks(image['id'], 1), rtol=0, atol=1e-12)
        compared += ours.size
        ignored += sum(person['num_keypoints'] == 0 for person in persons)
    assert compared > 20 and ignored > 0


def test_a_perfect_pose_has_1_and_one_joint_off_by_two_sigmas_of_the_size_has_its_share():
    joints = np.zeros((1, 17, 2))
    labelled = np.ones((1, 17), bool)
    box, area = np.array([[0, 0, 99, 99]]), np.array([10000.0])
    assert keypoint_similarity(joints, joints, labelled, area, box, COCO_SIGMAS)[0] == 1
    off = joints.copy()
    # d = 2 sigma x the square root of the area: exp(-1/2).
    off[0, 0, 0] = 2 * COCO_SIGMAS[0] * 100
    similarity = keypoint_similarity(off, joints, labelled, area, box, COCO_SIGMAS)[0]
    assert similarity == pytest.approx((16 + np.exp(-0.5)) / 17, abs=1e-12)


def test_joints_that_are_not_found_are_wrong_and_unlabelled_ones_do_not_count():
    joints = np.zeros((1, 2, 2))
    pred = joints.copy()
    pred[0, 1] = np.nan
    box, area, sigmas = np.array([[0, 0, 9, 9]]), np.array([100.0]), np.array([0.1, 0.1])
    assert keypoint_similarity(pred, joints, np.array([[True, True]]), area, box, sigmas)[0] == 0.5
    assert keypoint_similarity(pred, joints, np.array([[True, False]]), area, box, sigmas)[0] == 1


def test_areas_are_annotated_or_53_hundredths_of_the_box():
    boxes = np.array([[0, 0, 9, 19], [10, 10, 10, 10]])
    np.testing.assert_allclose(person_areas(boxes), [0.53 * 200, 0.53])
    np.testing.assert_allclose(person_areas(boxes, np.array([np.nan, 7.0])), [0.53 * 200, 7])
