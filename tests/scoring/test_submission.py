"""MPII's submission file: written and read, with the persons that the official file asks for, and scored."""

import os
import re

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from annotated import person
from hourglass_pose.cli import main
from hourglass_pose.errors import UserError
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.scoring.array_files import read_arrays
from hourglass_pose.scoring.score_files import score_files
from hourglass_pose.scoring.submission import OfficialImage, find_submission, read_submission, write_submission
from hourglass_pose.scoring.submission_persons import mpii_ids, write_checked
from mpii_mat import point_of, rectangle_of, write_mpii_mat
from published_protocol import published_protocol


def read_back(path):
    structure = find_submission(read_arrays(str(path)))
    return structure.size, read_submission(structure, str(path))


def test_a_written_submission_is_read_back_and_has_the_published_layout(tmp_path, rng):
    path = str(tmp_path / 'pred.mat')
    poses = rng.uniform(1, 900, (3, 16, 2))
    write_submission(
        path, [('a.jpg', {1: poses[0]}, 3), ('b.jpg', {}, 0), ('c.jpg', {0: poses[1], 1: poses[2]}, 2)], range(16)
    )
    count, found = read_back(path)
    assert count == 3
    assert [(pose.image, pose.image_index, pose.rect_index) for pose in found] == [
        ('a.jpg', 0, 1),
        ('c.jpg', 2, 0),
        ('c.jpg', 2, 1),
    ]
    assert np.array_equal([pose.joints for pose in found], poses)
    contents = loadmat(path, struct_as_record=False, squeeze_me=True)
    # As MPII's evaluation code reads it, pred(3).annorect(2).annopoints.point(16), and by the documented name.
    for name in ('pred', 'annolist'):
        point = contents[name][2].annorect[1].annopoints.point[15]
        assert (point.x, point.y, point.id) == (poses[2, 15, 0], poses[2, 15, 1], 15)
        assert contents[name][0].annorect[0].annopoints.size == 0 and contents[name][0].image.name == 'a.jpg'


def test_ids_tell_the_joints_and_missing_points_are_not_found(tmp_path):
    points = [point_of(5, 6, 9), point_of(1, 2, 0)]
    del points[1]['y']
    write_mpii_mat(str(tmp_path / 'p.mat'), [('a.jpg', True, [rectangle_of(points), rectangle_of([])])])
    _, (pose,) = read_back(tmp_path / 'p.mat')
    assert np.isfinite(pose.joints).all(axis=1).nonzero()[0].tolist() == [9]
    assert pose.joints[9].tolist() == [5, 6]
    for images, match in (
        ([('a.jpg', True, [rectangle_of([point_of(1, 1, 16)])])], 'image 1, person 1: joint id 16'),
        ([('a.jpg', True, None)], 'no person has joints'),
    ):
        write_mpii_mat(str(tmp_path / 'p.mat'), images)
        with pytest.raises(UserError, match=match):
            read_back(tmp_path / 'p.mat')


def official_images(rng, with_joints):
    """Three training and five test images; of the latter one is empty and one has two persons."""
    images = []
    for number, people in enumerate((1, 2, 1, 1, 0, 2, 1, 1), 1):
        rects = []
        for _ in range(people):
            joints = np.rint(rng.uniform(20, 100, (16, 2)) * 100) / 100
            points = [point_of(x, y, joint) for joint, (x, y) in enumerate(joints)]
            corner = rng.uniform(10, 60, 2)
            rects.append(
                rectangle_of(
                    points if with_joints or number <= 3 else None,
                    (60.0, 60.0),
                    0.4,
                    list(corner) + list(corner + rng.uniform(10, 40, 2)),
                )
            )
        images.append((f'{number:06d}.jpg', number <= 3, rects or None))
    return images


def numbers_of(images):
    """Return joints (N, 16, 2) and head boxes (N, 2, 2) of the test persons, as their file counts."""
    joints, boxes = [], []
    for _, is_training, rects in images:
        for rect in rects or () if not is_training else ():
            points = rect['annopoints']['point'][0, 0]
            joints.append([[point['x'][0, 0], point['y'][0, 0]] for point in points[0]])
            boxes.append([[rect['x1'][0, 0], rect['y1'][0, 0]], [rect['x2'][0, 0], rect['y2'][0, 0]]])
    return np.array(joints), np.array(boxes)


def test_submission_is_scored_by_image_and_index_as_the_published_protocol_does(tmp_path, rng):
    images = official_images(rng, with_joints=True)
    official = str(tmp_path / 'official.mat')
    write_mpii_mat(official, images)
    joints, boxes = numbers_of(images)
    pred = joints + rng.standard_normal(joints.shape) * 8
    rows = iter(pred)
    test = [
        (name, {rect: next(rows) for rect in range(len(rects or ()))}, len(rects or ()))
        for name, is_training, rects in images
        if not is_training
    ]
    write_submission(str(tmp_path / 'pred.mat'), test, range(16))
    by_joint, mean, weighted = published_protocol(pred, joints, boxes, np.zeros((len(joints), 16), bool))
    assert 5 < mean < 95
    prepared = str(tmp_path / 'persons.jsonl')
    assert main(['prepare', 'mpii', '--annotations', official, '--images', str(tmp_path), '--output', prepared]) == 0
    write_submission(str(tmp_path / 'nameless.mat'), [('', poses, count) for _, poses, count in test], range(16))
    for path, truth in (('pred.mat', official), ('pred.mat', prepared), ('nameless.mat', official)):
        measured = score_files(str(tmp_path / path), [truth])
        protocol = measured.protocol
        metrics = measured.result.metrics['pckh@0.5']
        # The joints went through float32: none of the random distances is that near to the threshold.
        assert (metrics['mean'], metrics['mean_weighted']) == pytest.approx((mean, weighted), abs=1e-9)
        assert metrics['joints'] == pytest.approx(by_joint, abs=1e-9)
        assert measured.result.num_persons == 5 and protocol['annotated_persons_without_prediction'] == 4
    with pytest.raises(UserError, match='does not name its images'):
        score_files(str(tmp_path / 'nameless.mat'), [prepared])
    write_submission(str(tmp_path / 'short.mat'), [('', poses, count) for _, poses, count in test[:3]], range(16))
    with pytest.raises(UserError, match='3 images without names; the official annotations have 8, 5 of them'):
        score_files(str(tmp_path / 'short.mat'), [official])


def submit(command_line_run, official, output, *arguments):
    return main(
        [
            'submit',
            '--checkpoint',
            command_line_run.folder,
            '--annotations',
            official,
            '--images',
            command_line_run.images,
            '--device',
            'cpu',
            '--output',
            output,
        ]
        + list(arguments)
    )


@pytest.mark.slow
def test_submit_predicts_the_official_persons_in_1_based_pixels(command_line_run, tmp_path, rng, capsys):
    official, output = str(tmp_path / 'official.mat'), str(tmp_path / 'pred.mat')
    write_mpii_mat(official, official_images(rng, with_joints=False))
    # The file names the first person of each image as one who stands apart.
    assert submit(command_line_run, official, output) == 0
    assert '4 persons on the 5 test images' in capsys.readouterr().out
    count, single = read_back(output)
    assert count == 5
    assert [(pose.image, pose.rect_index) for pose in single] == [
        ('000004.jpg', 0),
        ('000006.jpg', 0),
        ('000007.jpg', 0),
        ('000008.jpg', 0),
    ]
    assert submit(command_line_run, official, output, '--persons', 'all', '--batch-size', '3', '--workers', '0') == 0
    _, everyone = read_back(output)
    assert [(pose.image, pose.rect_index) for pose in everyone] == [
        ('000004.jpg', 0),
        ('000006.jpg', 0),
        ('000006.jpg', 1),
        ('000007.jpg', 0),
        ('000008.jpg', 0),
    ]
    assert np.array_equal(everyone[3].joints, single[2].joints)
    with Predictor(command_line_run.folder, device='cpu') as predictor:
        # Without joints a person's box is the square of 200 x scale px around the centre, 0-based at (59, 59).
        pose = predictor.predict(os.path.join(command_line_run.images, '000007.jpg'), (19.5, 19.5, 80, 80))
    np.testing.assert_allclose(single[2].joints, pose.joints_img + 1, atol=1e-9)


def test_submit_checks_its_output_before_it_predicts(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Predictor, '__init__', lambda *arguments, **options: pytest.fail('a network was opened'))

    def refused(output):
        capsys.readouterr()
        arguments = ['--checkpoint', 'c', '--annotations', 'a.mat', '--images', 'i', '--output', str(output)]
        assert main(['submit', *arguments]) == 2
        message = capsys.readouterr().err
        assert message.count('\n') == 1 and str(output) in message
        return message

    assert 'no folder' in refused(tmp_path / 'absent' / 's.mat')
    assert 'is a folder' in refused(tmp_path)


def test_submit_refuses_incomplete_submissions(command_line_run, tmp_path, rng, capsys):
    official, output = str(tmp_path / 'official.mat'), str(tmp_path / 'pred.mat')
    images = official_images(rng, with_joints=False)

    def refused():
        capsys.readouterr()
        assert submit(command_line_run, official, output) == 2 and not os.path.exists(output)
        return capsys.readouterr().err

    del images[4 + 3][2][0]['scale']
    write_mpii_mat(official, images)
    assert re.search('person 1 of 000008.jpg is to be predicted and has no position or scale', refused())
    images[4 + 3] = ('absent.jpg',) + tuple(official_images(rng, with_joints=False)[7][1:])
    write_mpii_mat(official, images)
    assert 'absent.jpg' in refused()
    savemat(official, {'preds': np.zeros((3, 16, 2))})
    assert 'not the official annotations' in refused()
    write_mpii_mat(official, official_images(rng, with_joints=False)[:3])
    assert 'no person of a test image' in refused()
    with pytest.raises(UserError, match='2 of 3 persons were predicted'):
        write_checked(
            output,
            [OfficialImage('a.jpg', False, 3, frozenset())],
            [(person('a.jpg', person_index=index), np.zeros((16, 2))) for index in (0, 2)],
            range(16),
            3,
        )
    with pytest.raises(UserError, match="network's 3 joints are not MPII's 16"):
        mpii_ids(('head', 'neck', 'pelvis'))
