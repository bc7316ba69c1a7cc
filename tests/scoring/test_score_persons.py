"""score against annotated persons: matching of predictions, missing ones, splits, and unknown persons."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.io import savemat

from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_lines import write_person_lines
from hourglass_pose.errors import UserError
from hourglass_pose.report.json_files import Prediction, write_predictions
from hourglass_pose.scoring.score_files import score_files
from hourglass_pose.skeleton import MPII_JOINTS, Skeleton

SPLITS = ['train'] * 4 + ['valid'] * 6


def make_persons():
    random = np.random.RandomState(2)
    persons = []
    for index, split in enumerate(SPLITS):
        joints = np.rint(random.uniform(10, 300, (16, 2)))
        persons.append(
            Person(
                f'{index // 2}.jpg',
                '',
                f'{index // 2}.jpg{"AB"[index % 2]}',
                np.array([0.0, 0.0, 300.0, 300.0]),
                joints.astype(np.float32),
                np.ones(16, bool),
                np.array([10.0, 10.0, 70.0, 90.0]),
                split=split,
                person_index=index % 2,
            )
        )
    return persons


PERSONS = make_persons()


def measure(predictions, *annotations, **options):
    """Return (Score, GroundTruth, protocol) of files."""
    score = score_files(predictions, annotations, **options)
    return score, score.truth, score.protocol


@pytest.fixture(scope='module')
def annotations(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('truth') / 'persons.jsonl')
    write_person_lines(path, PERSONS, MPII_JOINTS)
    return path


def write_json(path, persons, joints, skeleton=Skeleton()):
    write_predictions(
        str(path),
        [
            Prediction(person.image, person.person_id, pose, np.ones(len(pose)), person.box_img, 'x')
            for person, pose in zip(persons, joints)
        ],
        skeleton,
        {},
    )
    return str(path)


def truth_of(persons):
    return np.array([person.joints_img for person in persons], np.float64)


def test_predictions_by_name_are_matched_in_any_order_and_other_persons_left_out(tmp_path, annotations):
    chosen = [PERSONS[index] for index in (7, 2, 5)]
    joints = truth_of(chosen)
    joints[0, :4] += 1000
    measured, _, protocol = measure(write_json(tmp_path / 'p.json', chosen, joints), annotations)
    assert measured.rows.tolist() == [2, 5, 7]
    assert (measured.result.head_distances > 0.5).sum(axis=1).tolist() == [0, 0, 4]
    assert protocol['rows_matched_by'] == 'person'
    assert protocol['annotated_persons_without_prediction'] == 7


def test_with_a_split_named_missing_predictions_are_wrong(tmp_path, annotations):
    path = write_json(tmp_path / 'p.json', PERSONS[4:7], truth_of(PERSONS[4:7]))
    measured, _, protocol = measure(path, annotations, split='valid')
    assert measured.result.num_persons == 6 and measured.result.metrics['pckh@0.5']['mean'] == 50
    assert protocol['annotated_persons_without_prediction'] == 3


def test_array_of_another_program_is_of_the_validation_persons_and_counts_from_1(tmp_path, annotations):
    path = str(tmp_path / 'p.mat')
    # Half a head of 60 px is 30: 29.5 px to the right in MPII's numbers, which a shift the wrong way would lose.
    savemat(path, {'preds': truth_of(PERSONS[4:]) + 1 + (29.5, 0)})
    measured, _, protocol = measure(path, annotations)
    assert measured.result.metrics['pckh@0.5']['mean'] == 100 and protocol['rows_matched_by'] == 'order'
    assert 'shifted by -1 px' in protocol['counting'] and 'mean would be 0.00' in protocol['counting']
    assert measure(path, annotations, count_from=0)[0].result.metrics['pckh@0.5']['mean'] == 0
    savemat(path, {'preds': truth_of(PERSONS) + 1})
    with pytest.raises(UserError, match='10 persons, the ground truth 6'):
        measure(path, annotations)
    assert measure(path, annotations, split='all')[0].result.metrics['pckh@0.1']['mean'] == 100


def test_predictions_of_two_data_sets_are_scored_against_both_files(tmp_path, annotations):
    # Both data sets have the same names of images and persons, with other joints.
    other = str(tmp_path / 'other' / 'persons.jsonl')
    (tmp_path / 'other').mkdir()
    moved = [replace(person, joints_img=person.joints_img + 50) for person in PERSONS]
    write_person_lines(other, moved, MPII_JOINTS)
    lines = [
        Prediction(person.image, person.person_id, person.joints_img, np.ones(16), person.box_img, source)
        for source, persons in ((other, moved[:3]), (annotations, PERSONS[2:6]))
        for person in persons
    ]
    path = str(tmp_path / 'p.json')
    write_predictions(path, lines, Skeleton(), {})
    measured, truth, protocol = measure(path, annotations, other)
    assert measured.result.num_persons == 7 and measured.result.metrics['pckh@0.1']['mean'] == 100
    assert protocol['annotated_persons_without_prediction'] == 13
    assert [truth.persons[row].source for row in measured.rows] == [0] * 4 + [1] * 3
    # One of the files alone does not have them all, and matched with the wrong one they would be 50 px off.
    with pytest.raises(UserError, match='two predictions of person 1.jpgA'):
        measure(path, annotations)


def test_names_that_two_files_share_need_a_source_that_tells_them_apart(tmp_path, annotations):
    other = str(tmp_path / 'persons.jsonl')
    write_person_lines(other, PERSONS, MPII_JOINTS)
    path = write_json(tmp_path / 'p.json', PERSONS[:1], truth_of(PERSONS[:1]))
    with pytest.raises(UserError, match='0.jpgA: 2 persons of the ground truth'):
        measure(path, annotations, other)


def test_joints_are_matched_by_name_and_missing_ones_are_named(tmp_path, annotations):
    order = np.random.RandomState(0).permutation(16)
    skeleton = Skeleton(tuple(MPII_JOINTS[joint] for joint in order))
    path = write_json(tmp_path / 'p.json', PERSONS, truth_of(PERSONS)[:, order], skeleton)
    with open(annotations) as stream:
        text = stream.read()
    measured, truth, _ = measure(path, annotations)
    assert measured.result.metrics['pckh@0.1']['mean'] == 100 and truth.names == skeleton.joints
    path = write_json(tmp_path / 'q.json', PERSONS, truth_of(PERSONS)[:, :14], Skeleton(MPII_JOINTS[:14]))
    # Fewer joints than the annotations have are scored on what both have; joints they lack are refused.
    assert measure(path, annotations)[0].result.metrics['pckh@0.1']['mean'] == 100
    lacking = tmp_path / 'lacking.jsonl'
    lacking.write_text(text.replace('"l_wrist"', '"l_hand"', 1))
    with pytest.raises(UserError, match='l_wrist'):
        measure(path.replace('q.json', 'p.json'), str(lacking))


def test_predictions_of_unknown_persons_and_duplicates_are_refused(tmp_path, annotations):
    with open(write_json(tmp_path / 'p.json', PERSONS[:2], truth_of(PERSONS[:2]))) as stream:
        content = json.load(stream)

    def refused(match):
        (tmp_path / 'q.json').write_text(json.dumps(content))
        with pytest.raises(UserError, match=match):
            measure(str(tmp_path / 'q.json'), annotations)

    content['predictions'][1]['person_id'] = 'stranger'
    refused('1 of 2 predictions .* the first of person stranger of image 0.jpg')
    content['predictions'][1] = content['predictions'][0]
    refused('two predictions of person 0.jpgA of image 0.jpg')
    content['predictions'] = []
    refused('no predictions')


def test_an_empty_split_is_named(tmp_path, annotations):
    path = write_json(tmp_path / 'p.json', PERSONS, truth_of(PERSONS))
    with pytest.raises(UserError, match='--split test: .* assigns no person'):
        measure(path, annotations, split='test')
