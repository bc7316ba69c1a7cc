"""score: the published protocol on files of other programs, to the digit, and one line for files that do not fit."""

import json
import os

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from hourglass_pose.cli import main
from hourglass_pose.report.json_files import build_metrics
from hourglass_pose.scoring.score_files import score_files
from hourglass_pose.skeleton import MPII_JOINTS
from published_protocol import published_protocol

SHORT = (
    'rank',
    'rkne',
    'rhip',
    'lhip',
    'lkne',
    'lank',
    'pelv',
    'thor',
    'neck',
    'head',
    'rwri',
    'relb',
    'rsho',
    'lsho',
    'lelb',
    'lwri',
)
COUNT = 41


def random_truth(seed=0, count=COUNT):
    random = np.random.RandomState(seed)
    joints = random.uniform(50, 900, (count, 16, 2))
    corners = random.uniform(50, 900, (count, 2))
    boxes = np.stack([corners, corners + random.uniform(40, 200, (count, 2))], axis=1)
    return joints, boxes, random.uniform(size=(count, 16)) < 0.2, random


def write_truth(path, joints, boxes, missing, order=range(16), **more):
    """Write the variables of detections_our_format.mat, joints in the given order."""
    order = list(order)
    names = np.empty((1, 16), object)
    for place, joint in enumerate(order):
        names[0, place] = SHORT[joint]
    savemat(
        str(path),
        dict(
            jnt_missing=missing[:, order].T.astype(np.uint8),
            pos_gt_src=joints[:, order].transpose(1, 2, 0),
            headboxes_src=boxes.transpose(1, 2, 0),
            dataset_joints=names,
            **more,
        ),
    )
    return str(path)


def run_score(predictions, annotations, **options):
    score = score_files(str(predictions), [str(annotations)], **options)
    return build_metrics(score.result, {}, score.protocol)


def run_command(tmp_path, predictions, annotations, *arguments):
    output = str(tmp_path / 'out')
    assert (
        main(
            ['score', '--predictions', str(predictions), '--annotations', str(annotations), '--output', output]
            + list(arguments)
        )
        == 0
    )
    with open(os.path.join(output, 'metrics.json')) as stream:
        metrics = json.load(stream)
    with open(os.path.join(output, 'report.html'), encoding='utf-8') as stream:
        assert f'<b>{metrics["pckh@0.5"]["mean"]:.2f}</b>' in stream.read()
    return metrics


def assert_published(metrics, pred, joints, boxes, missing):
    for name, threshold in (('pckh@0.5', 0.5), ('pckh@0.1', 0.1)):
        by_joint, mean, weighted = published_protocol(pred, joints, boxes, missing, threshold)
        for joint in MPII_JOINTS:
            assert metrics[name]['joints'][joint] == pytest.approx(by_joint[joint], abs=1e-9)
        assert metrics[name]['mean'] == pytest.approx(mean, abs=1e-9)
        assert metrics[name]['mean_weighted'] == pytest.approx(weighted, abs=1e-9)
        for group in ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle'):
            assert metrics[name][group] == pytest.approx(
                (by_joint[f'r_{group}'] + by_joint[f'l_{group}']) / 2, abs=1e-9
            )
        assert metrics[name]['head'] == pytest.approx(by_joint['head'], abs=1e-9)


@pytest.fixture(scope='module')
def truth_file(tmp_path_factory):
    return write_truth(tmp_path_factory.mktemp('truth') / 'truth.mat', *random_truth()[:3])


@pytest.mark.parametrize('seed', range(3))
def test_random_predictions_score_as_the_published_protocol_in_loops(tmp_path, seed):
    joints, boxes, missing, random = random_truth(seed)
    pred = joints + random.standard_normal(joints.shape) * random.choice([3, 15, 60], (COUNT, 16, 1))
    savemat(str(tmp_path / 'p.mat'), {'preds': pred})
    metrics = run_score(tmp_path / 'p.mat', write_truth(tmp_path / 't.mat', joints, boxes, missing))
    assert_published(metrics, pred, joints, boxes, missing)
    assert metrics['protocol']['counting'].startswith('compared without a shift')
    assert 'argmax_accuracy' not in metrics


def test_a_distance_of_exactly_half_a_head_counts(tmp_path):
    joints, boxes, missing, _ = random_truth()
    boxes[:, 1] = boxes[:, 0] = 0.0
    boxes[:, 1] += (60.0, 80.0)  # diagonal 100, head size 60, threshold 30
    joints = np.rint(joints)
    pred = joints + (18.0, 24.0)  # exactly 30 away
    savemat(str(tmp_path / 'p.mat'), {'preds': pred})
    truth = write_truth(tmp_path / 't.mat', joints, boxes, missing)
    assert run_score(tmp_path / 'p.mat', truth)['pckh@0.5']['mean'] == 100
    savemat(str(tmp_path / 'p.mat'), {'preds': pred + (1e-9, 0)})
    assert run_score(tmp_path / 'p.mat', truth)['pckh@0.5']['mean'] == 0


def write_h5(path, **arrays):
    with h5py.File(str(path), 'w') as stream:
        for name, value in arrays.items():
            stream[name] = value


def write_matlab73(path, **arrays):
    """Write HDF5 behind 512 bytes of MATLAB's own header, as save('-v7.3') does."""
    with h5py.File(str(path), 'w', userblock_size=512) as stream:
        for name, value in arrays.items():
            stream[name] = value
    with open(str(path), 'r+b') as stream:
        stream.write(b'MATLAB 7.3 MAT-file, Platform: GLNXA64'.ljust(512))


def with_columns(pred):
    random = np.random.RandomState(5)
    return np.concatenate([pred, random.uniform(0, 64, pred.shape), random.uniform(size=pred.shape[:2] + (1,))], axis=2)


WAYS = {
    'python.mat': lambda path, pred: savemat(str(path), {'preds': pred.astype(np.float32)}),
    'matlab.mat': lambda path, pred: savemat(str(path), {'preds': pred.transpose(2, 1, 0)}),
    'truth_axes.mat': lambda path, pred: savemat(str(path), {'pos_pred_src': pred.transpose(1, 2, 0)}),
    'n_last_but_one.mat': lambda path, pred: savemat(str(path), {'predictions': pred.transpose(1, 0, 2)}),
    'columns_second.mat': lambda path, pred: savemat(str(path), {'x': np.arange(3.0), 'q': pred.transpose(0, 2, 1)}),
    'cells.mat': lambda path, pred: savemat(str(path), {'preds': np.array(list(pred) + [None], object)[:-1]}),
    'nested.mat': lambda path, pred: savemat(str(path), {'preds': pred[None]}),
    'python.h5': lambda path, pred: write_h5(path, preds=pred, heatmaps=np.zeros((COUNT, 16, 2))),
    'matlab73.mat': lambda path, pred: write_matlab73(path, preds=pred.transpose(2, 1, 0)),
    'reversed.h5': lambda path, pred: write_h5(path, preds=pred.astype(np.float32).transpose(2, 1, 0)),
    'torch.h5': lambda path, pred: write_h5(path, preds=with_columns(pred)),
    'with_scores.h5': lambda path, pred: write_h5(path, **{'group/preds': with_columns(pred)[..., [0, 1, 4]]}),
    'whole.mat': lambda path, pred: savemat(str(path), {'preds': np.rint(pred).astype(np.int32)}),
    'other_joint_order.mat': lambda path, pred: savemat(
        str(path), {'preds': pred[:, ::-1], 'dataset_joints': np.array(SHORT[::-1], object)[None]}
    ),
}


@pytest.mark.parametrize('way', sorted(WAYS))
def test_every_way_to_write_predictions_gives_the_same_score(tmp_path, truth_file, way):
    joints, boxes, missing, random = random_truth()
    # Whole numbers survive every type.
    pred = np.rint(joints + random.standard_normal(joints.shape) * 20)
    path = tmp_path / way
    WAYS[way](path, pred)
    assert_published(run_score(path, truth_file), pred, joints, boxes, missing)


def test_joints_of_the_truth_are_matched_by_their_names(tmp_path):
    joints, boxes, missing, random = random_truth()
    pred = joints + random.standard_normal(joints.shape) * 20
    savemat(str(tmp_path / 'p.mat'), {'preds': pred})
    truth = write_truth(tmp_path / 't.mat', joints, boxes, missing, random.permutation(16))
    assert_published(run_score(tmp_path / 'p.mat', truth), pred, joints, boxes, missing)


def test_predictions_beside_the_truth_in_its_file_are_scored(tmp_path):
    joints, boxes, missing, random = random_truth()
    pred = joints + random.standard_normal(joints.shape) * 20
    path = write_truth(tmp_path / 't.mat', joints, boxes, missing, pos_pred_src=pred.transpose(1, 2, 0))
    assert_published(run_score(path, path), pred, joints, boxes, missing)


def test_counting_from_0_is_an_option_and_its_effect_is_stated(tmp_path, truth_file):
    joints, boxes, missing, random = random_truth()
    pred = joints + random.standard_normal(joints.shape) * 40
    savemat(str(tmp_path / 'p.mat'), {'preds': pred})
    as_they_stand = run_score(tmp_path / 'p.mat', truth_file)
    shifted = run_score(tmp_path / 'p.mat', truth_file, count_from=0)
    assert_published(shifted, pred + 1, joints, boxes, missing)
    means = [metrics['pckh@0.5']['mean'] for metrics in (as_they_stand, shifted)]
    assert as_they_stand['protocol']['counting'].endswith(
        f'from 0 the mean would be {means[1]:.2f} instead of {means[0]:.2f}'
    )
    assert shifted['protocol']['counting'].startswith('shifted by +1 px')


def test_head_box_sizes_break_the_score_down(tmp_path, truth_file, capsys):
    joints, boxes, missing, random = random_truth()
    pred = joints + random.standard_normal(joints.shape) * 20
    savemat(str(tmp_path / 'p.mat'), {'preds': pred})
    metrics = run_command(tmp_path, tmp_path / 'p.mat', truth_file)
    assert 'scale' in capsys.readouterr().out
    assert metrics['pckh@0.5'] == run_score(tmp_path / 'p.mat', truth_file)['pckh@0.5']
    diagonals = np.linalg.norm(boxes[:, 1] - boxes[:, 0], axis=1)
    small = diagonals <= np.sort(diagonals)[10]  # 41 persons: the first quarter ends with the 11th
    row = metrics['breakdown']['scale']['rows'][0]
    assert row['persons'] == small.sum() == 11
    _, mean, _ = published_protocol(pred[small], joints[small], boxes[small], missing[small])
    assert row['percent']['mean'] == pytest.approx(mean, abs=1e-9)
    percents = [person['percent'] for person in metrics['worst_persons']]
    assert percents == sorted(percents) and len(percents) == COUNT


def refused(capsys, *arguments):
    capsys.readouterr()
    assert main(['score'] + [str(argument) for argument in arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith('error: ') and message.count('\n') == 1
    return message


def test_files_that_do_not_fit_are_answered_in_one_line(tmp_path, truth_file, capsys):
    joints = random_truth()[0]

    def message(truth=truth_file, arguments=(), **arrays):
        savemat(str(tmp_path / 'p.mat'), arrays)
        return refused(capsys, '--predictions', tmp_path / 'p.mat', '--annotations', truth, *arguments)

    assert '40 persons, the ground truth 41' in message(preds=joints[:40])
    assert '41 x 14 x 2' in message(preds=joints[:, :14])
    assert 'x (1 x 3)' in message(x=np.arange(3.0))
    assert 'a, b could all be the predictions; choose by --variable' in message(a=joints, b=joints)
    assert 'no variable c; it has a' in message(a=joints, arguments=['--variable', 'c'])
    assert "found 'tail'" in message(preds=joints, dataset_joints=np.array(SHORT[:15] + ('tail',), object)[None])
    savemat(str(tmp_path / 't.mat'), {'pos_gt_src': joints})
    assert 'without headboxes_src, jnt_missing' in message(str(tmp_path / 't.mat'), preds=joints)
    savemat(str(tmp_path / 't.mat'), {'pos_gt_src': joints, 'headboxes_src': joints, 'jnt_missing': joints})
    assert 'pos_gt_src has the shape' in message(str(tmp_path / 't.mat'), preds=joints)
    assert '--split valid' in message(arguments=['--split', 'valid'], preds=joints)
    assert '--output' in message(arguments=['--images', str(tmp_path)], preds=joints)


def test_damaged_files_and_files_of_another_kind_are_named(tmp_path, truth_file, capsys):
    savemat(str(tmp_path / 'whole.mat'), {'preds': random_truth()[0]}, do_compression=True)
    write_h5(tmp_path / 'whole.h5', preds=random_truth()[0])
    for name in ('whole.mat', 'whole.h5'):
        content = (tmp_path / name).read_bytes()
        for part in (2, 10):
            (tmp_path / 'cut').write_bytes(content[: len(content) * part // 11])
            message = refused(capsys, '--predictions', tmp_path / 'cut', '--annotations', truth_file)
            assert 'cut: damaged or truncated' in message or 'cut: no variable holds' in message
    for content, part in (
        (b'', 'not a file of predictions'),
        (b'{"a": 1}', '"format"'),
        (b'{"a"', 'damaged'),
        (b'{"format": "hourglass-pose predictions", "format_version": 2}', 'format_version 2'),
        (b'{"format": "hourglass-pose predictions", "format_version": 1}', '"joints"'),
    ):
        (tmp_path / 'odd').write_bytes(content)
        assert part in refused(capsys, '--predictions', tmp_path / 'odd', '--annotations', truth_file)
    assert 'cannot be read' in refused(capsys, '--predictions', tmp_path / 'none', '--annotations', truth_file)


def test_predictions_that_are_not_finite_are_wrong(tmp_path, truth_file):
    joints = random_truth()[0]
    joints[0, 0] = np.nan
    joints[1, 0, 1] = np.inf
    savemat(str(tmp_path / 'p.mat'), {'preds': joints})
    metrics = run_score(tmp_path / 'p.mat', truth_file)
    missing = random_truth()[2]
    labelled = (~missing[:, 0]).sum()
    wrong = (~missing[:2, 0]).sum()
    assert wrong and metrics['pckh@0.5']['joints']['r_ankle'] == pytest.approx(100.0 * (labelled - wrong) / labelled)
    assert metrics['pckh@0.5']['joints']['l_ankle'] == 100
