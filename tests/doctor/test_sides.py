"""The vote on left and right: what exchanges it sees, what it cannot see, and what it leaves alone."""

import numpy as np
import pytest

from annotated import SKELETON, STANDING, crowd, exchanged, person
from hourglass_pose.doctor import sides as side_checks
from hourglass_pose.doctor.sides import check_sides
from hourglass_pose.skeleton import Skeleton


def turned(joints, degrees):
    angle = np.deg2rad(degrees)
    return np.asarray(joints, np.float64).dot(
        np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    )


def with_exchange(persons, share, *names):
    """Return the persons with an exchange in the first share of them."""
    count = int(round(share * len(persons)))
    return [person(each.image, joints=exchanged(each.joints_img, *names)) for each in persons[:count]] + persons[count:]


def widths(joints):
    return [
        float(values[0]) for values in side_checks.torso_widths(np.array([joints]), np.ones((1, 16), bool), SKELETON)
    ]


@pytest.mark.parametrize('degrees', [0, 37, 90, 180, 271])
def test_widths_do_not_change_with_the_rotation_of_the_image(degrees):
    # Shoulders of 50 and hips of 30 px on a torso of 75.
    assert np.allclose(widths(turned(STANDING, degrees)), [50 / 75.0, 30 / 75.0])


def test_widths_change_sign_with_the_side_that_is_seen():
    mirrored = STANDING * [-1, 1]
    assert np.allclose(widths(mirrored), [-50 / 75.0, -30 / 75.0])
    # The mirrored person with right and left exchanged is a person who faces the camera again.
    assert np.allclose(widths(exchanged(mirrored)), [50 / 75.0, 30 / 75.0])


def test_widths_are_unknown_where_a_joint_is_or_the_torso_has_no_length():
    labelled = np.ones((2, 16), bool)
    labelled[0, SKELETON.index('l_hip')] = False
    joints = np.array([STANDING, np.ones((16, 2))])
    assert np.isnan(side_checks.torso_widths(joints, labelled, SKELETON)).all()


def test_correct_labels_give_no_finding(rng):
    assert check_sides(crowd(300, rng), SKELETON) == []


@pytest.mark.parametrize('names', [('hip', 'knee', 'ankle'), ('shoulder', 'elbow', 'wrist')])
def test_half_exchanged_torsos_are_found_to_the_person(rng, names):
    persons = with_exchange(crowd(100, rng), 0.04, *names)
    (finding,) = check_sides(persons, SKELETON)
    assert finding.names == tuple(each.person_id for each in persons[:4]) and not finding.harmful
    harmful = check_sides(with_exchange(crowd(100, rng), 0.2, *names), SKELETON)[0]
    assert harmful.harmful and '20.00 %' in harmful.message


@pytest.mark.parametrize('names', [('elbow', 'wrist'), ('wrist',)])
def test_exchanged_arms_are_found_to_the_person(rng, names):
    persons = with_exchange(crowd(100, rng), 0.04, *names)
    (finding,) = check_sides(persons, SKELETON)
    assert finding.names == tuple(each.person_id for each in persons[:4])


def test_crossed_legs_and_folded_arms_are_no_exchange():
    joints = STANDING.copy()
    # Ankles side by side across the other leg's line, wrists at the other elbow.
    joints[[SKELETON.index('r_ankle'), SKELETON.index('l_ankle')]] = [[105, 260], [95, 260]]
    joints[[SKELETON.index('r_wrist'), SKELETON.index('l_wrist')]] = [[105, 115], [95, 115]]
    assert check_sides([person(joints=joints)], SKELETON) == []


def test_a_side_view_has_no_clear_sides():
    joints = STANDING.copy()
    joints[:, 0] = 100 + (joints[:, 0] - 100) * 0.15
    joints[[SKELETON.index('r_hip'), SKELETON.index('l_hip')]] = [[101, 160], [99, 160]]
    shoulders, hips = side_checks.torso_widths(joints[None], np.ones((1, 16), bool), SKELETON)
    assert shoulders[0] * hips[0] < 0 and not side_checks.opposed_torsos(shoulders, hips).any()
    assert side_checks.facing_votes(shoulders, hips) == (0, 0)


def file_findings(persons, rng):
    return [
        finding
        for finding in check_sides(persons, SKELETON, [('some/dataset.txt', 'images')])
        if 'face the camera' in finding.message
    ]


def facing(share, count, rng):
    """Return persons of a fraction faces the camera; the others show their backs, with correct labels."""
    persons = crowd(count, rng)
    backs = count - int(round(share * count))
    return [person(each.image, joints=exchanged(each.joints_img)) for each in persons[:backs]] + persons[backs:]


def test_a_file_with_all_sides_exchanged_is_harmful_and_named(rng):
    (finding,) = file_findings(facing(0.25, 400, rng), rng)
    assert finding.harmful and finding.names == ('some/dataset.txt',)
    assert 'only 25 % of 400 persons' in finding.message


def test_a_file_that_faces_the_camera_as_photos_do_is_left_alone(rng):
    assert file_findings(facing(0.7, 400, rng), rng) == []


def test_a_doubtful_fraction_is_a_note_and_few_persons_give_no_finding(rng):
    # At 400 persons a standard error is 2.5 points: 52 % is more than four of them below 65 %, and not below 50 %.
    (finding,) = file_findings(facing(0.52, 400, rng), rng)
    assert not finding.harmful
    assert file_findings(facing(0.25, 12, rng), rng) == []


def test_each_file_is_judged_by_itself(rng):
    right, wrong = facing(0.75, 400, rng), facing(0.25, 400, rng)
    wrong = [person(f'b{each.image}', joints=each.joints_img, source=1) for each in wrong]
    findings = check_sides(right + wrong, SKELETON, [('right.txt', ''), ('wrong.txt', '')])
    assert [finding.names for finding in findings] == [('wrong.txt',)]


def test_a_skeleton_without_torso_or_limbs_is_not_judged():
    assert check_sides([person(joints=STANDING[:2])], Skeleton(('r_ankle', 'head'))) == []


def test_mirroring_without_partners_is_harmful_and_a_lone_side_a_note():
    fingers = Skeleton(('finger_0', 'finger_1'))
    (finding,) = side_checks.check_mirroring(fingers, 0.5, False)
    assert finding.harmful and finding.check == 'sides' and 'flip_pairs' in finding.message
    assert side_checks.check_mirroring(fingers, 0.0, False) == []
    (finding,) = side_checks.check_mirroring(Skeleton(('left_ear', 'left_eye', 'right_eye')), 0.0, True)
    assert not finding.harmful and finding.names == ('left_ear',)
    assert side_checks.check_mirroring(SKELETON, 0.5, True) == []


def test_sides_are_judged_under_other_spellings_too(rng):
    spelled = Skeleton(tuple(name.replace('r_', 'right_').replace('l_', 'left_') for name in SKELETON.joints))
    persons = with_exchange(crowd(100, rng), 0.2, 'hip', 'knee', 'ankle')
    assert check_sides(persons, spelled) == check_sides(persons, SKELETON) != []
