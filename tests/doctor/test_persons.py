"""Checks of annotated persons: what each one finds, and that it finds nothing where nothing is wrong."""

import numpy as np
import pytest

from annotated import SKELETON, STANDING, crowd, person
from hourglass_pose.doctor import persons as checks
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.skeleton import COCO_JOINTS, Skeleton

RULE = CropRule(256)
ALL = np.ones(16, bool)


def only(findings):
    (finding,) = findings
    return finding


def test_nothing_is_found_among_ordinary_persons(rng):
    persons = crowd(50, rng, scale=1.1)
    assert checks.check_split({'train': persons[:40], 'valid': persons[40:]}) == []
    assert checks.check_joints(persons, SKELETON, ALL) == []
    assert checks.check_crops(persons, RULE) == []
    assert checks.check_scales(persons, RULE) == []


def test_an_image_in_both_splits_is_harmful_and_named_with_its_persons(rng):
    persons = crowd(6, rng)
    again = person('./0001.jpg', 'B', STANDING + 30)
    finding = only(checks.check_split({'train': persons[:4], 'valid': persons[4:] + [again]}))
    assert finding.harmful and finding.message.startswith('1 image used for both training and validation')
    assert finding.names == ('0001.jpgA', './0001.jpgB')


def test_a_person_under_another_image_name_is_recognised_by_its_labels(rng):
    persons = crowd(6, rng)
    copy = person('copy.jpg', joints=persons[1].joints_img)
    across = checks.check_split({'train': persons, 'valid': [copy]})
    assert [finding.harmful for finding in across] == [True, False]
    assert across[0].names == ('0001.jpgA', 'copy.jpgA')
    within = only(checks.check_split({'train': persons + [copy], 'valid': []}))
    assert not within.harmful and '1 person with exactly the labels of another' in within.message


def test_persons_with_too_few_labels_to_tell_are_not_taken_for_copies():
    few = np.arange(16) < 5
    persons = [person(f'{index}.jpg', labelled=few) for index in range(3)]
    assert checks.check_split({'train': persons[:2], 'valid': persons[2:]}) == []


def test_a_joint_that_no_person_has_is_harmful_unless_excluded(rng):
    labelled = np.arange(16) != SKELETON.index('pelvis')
    persons = [person(f'{index}.jpg', labelled=labelled) for index in range(100)]
    finding = only(checks.check_joints(persons, SKELETON, ALL))
    assert finding.harmful and finding.names == ('pelvis',)
    assert checks.check_joints(persons, SKELETON, labelled) == []
    rare = only(checks.check_joints(persons + [person()], SKELETON, ALL))
    assert not rare.harmful and rare.names == ('pelvis',)


def test_data_without_a_head_size_is_noted():
    joints = Skeleton(('r_hip', 'l_hip'))
    bare = person(joints=STANDING[2:4])
    assert 'PCKh cannot be measured' in only(checks.check_joints([bare], joints, ALL[:2])).message
    boxed = person(joints=STANDING[2:4], head_box_img=np.zeros(4))
    assert checks.check_joints([boxed], joints, ALL[:2]) == []


@pytest.mark.parametrize('wrong, harmful', [(1, False), (40, True)])
def test_labels_outside_the_crop_are_counted_and_harmful_when_they_are_many(rng, wrong, harmful):
    persons = crowd(40, rng)
    for index in range(wrong):
        # The legs are below the crop of a box that ends above the knees; its margin is 0.2 of its height.
        persons[index] = person(f'cut{index}.jpg', joints=STANDING, box_img=np.array([40.0, 30.0, 160.0, 160.0]))
    finding = only(checks.check_crops(persons, RULE))
    # Of a square of 131 * 1.4 px around y = 95 everything above 95 + 91.7 is seen: not the knees, not the ankles.
    assert finding.message.startswith(f'{4 * wrong} labels of ') and len(finding.names) == wrong
    assert finding.harmful == harmful


def test_an_unlabelled_joint_is_never_outside():
    labelled = np.arange(16) != 0
    joints = STANDING.copy()
    joints[0] = 0
    alone = person(joints=joints, labelled=labelled)
    assert checks.check_crops([alone], RULE) == []


def test_a_person_lost_in_its_crop_and_a_crop_of_few_pixels_are_found(rng):
    persons = crowd(60, rng)
    lost = person('lost.jpg', joints=STANDING, box_img=np.array([0.0, 0.0, 1999.0, 1999.0]))
    dot = person('dot.jpg', joints=STANDING / 20)
    found = checks.check_scales(persons + [lost, dot], RULE)
    # 2000 px x 1.4 are more than ten times the 216 px of the pose; the other's 11.75 x 1.4 px are fewer than 24.
    assert [finding.names for finding in found] == [('lost.jpgA',), ('dot.jpgA',)]
    assert not any(finding.harmful for finding in found)
    assert only(checks.check_scales([lost] * 10 + persons, RULE)).harmful


@pytest.mark.parametrize(
    'scale, found',
    [
        (1.0, False),
        (3.9, False),
        (4.1, True),
        (0.24, True),
        (0.0, True),
        (-1.0, True),
        (float('nan'), True),
        (float('inf'), True),
    ],
)
def test_a_scale_that_contradicts_the_pose_is_found(scale, found):
    persons = [person(f'{index}.jpg', scale=1.0) for index in range(30)]
    odd = person('odd.jpg', scale=scale)
    findings = checks.check_scales(persons + [odd], RULE)
    assert [finding.names for finding in findings] == ([('odd.jpgA',)] if found else [])


def test_equal_file_names_in_several_folders_are_a_note(rng):
    train = [person(f'seq1/{index}.jpg', joints=STANDING + index) for index in range(4)]
    valid = [person(f'seq2/{index}.jpg', joints=STANDING - index - 1) for index in range(3)]
    finding = only(checks.check_split({'train': train, 'valid': valid}))
    assert not finding.harmful and finding.message.startswith('3 images of the same file name in several folders')
    assert "split_by='folder'" in finding.message and finding.names == ('0.jpg', '1.jpg', '2.jpg')


def test_coco_has_a_torso_and_no_head(rng):
    skeleton = Skeleton(COCO_JOINTS)
    bare = person(joints=rng.uniform(0, 99, (17, 2)))
    message = only(checks.check_joints([bare], skeleton, np.ones(17, bool))).message
    assert 'PCKh cannot be measured' in message and 'torso' not in message


def test_lines_that_cannot_be_used_stop_a_strict_training_and_hurt_where_they_are_many():
    assert checks.check_lines((), 100, True) == []
    assert only(checks.check_lines(('a.txt:1: x',), 100, True)).harmful
    assert not only(checks.check_lines(('a.txt:1: x',), 100, False)).harmful
    assert only(checks.check_lines(('a.txt:1: x',) * 6, 100, False)).harmful
