"""Names of joints: sides are found for every usual spelling, and not in words that only look like one."""

import pytest

from hourglass_pose.joint_names import derived_partners, role_of, split_sides
from hourglass_pose.skeleton import Skeleton

SPELLINGS = [
    'r_wrist/l_wrist',
    'right_wrist/left_wrist',
    'Right_Wrist/Left_Wrist',
    'R_WRIST/L_WRIST',
    'right-wrist/left-wrist',
    'right wrist/left wrist',
    'wrist_r/wrist_l',
    'wrist_right/wrist_left',
    'wrist.R/wrist.L',
    'RightWrist/LeftWrist',
    'rightWrist/leftWrist',
    'RWrist/LWrist',
    'rWrist/lWrist',
    'rwrist/lwrist',
    'rightwrist/leftwrist',
    'WristRight/WristLeft',
    'RIGHTWRIST/LEFTWRIST',
    'wrist (right)/wrist (left)',
    'wrist[R]/wrist[L]',
    'wristr/wristl',
    'mixamorig:RightWrist/mixamorig:LeftWrist',
]


@pytest.mark.parametrize('spelling', SPELLINGS)
def test_partners_are_found_for_every_usual_spelling(spelling):
    right, left = spelling.split('/')
    skeleton = Skeleton(('nose', left, right))
    assert skeleton.flip_permutation.tolist() == [0, 2, 1] and skeleton.has_sides and not skeleton.unpaired
    assert [skeleton.side(joint) for joint in range(3)] == ['middle', 'left', 'right']


@pytest.mark.parametrize('spelling', SPELLINGS[:-4])
def test_roles_are_found_for_every_usual_spelling(spelling):
    right, left = spelling.split('/')
    skeleton = Skeleton(('nose', left, right))
    assert skeleton.index('r_wrist') == 2 and skeleton.index('l_wrist') == 1
    assert skeleton.groups['wrist'].tolist() == [2, 1]
    assert skeleton.oks_sigmas.tolist() == [0.026, 0.062, 0.062]


def test_sides_in_the_middle_of_a_name_are_found_beside_others_at_its_ends():
    # The joints of a quadruped as DeepLabCut names them, of a rig, of a hand; a letter that tells two things apart.
    for names in (
        ('nose', 'left_eye', 'right_eye', 'front_left_paw', 'front_right_paw', 'back_left_paw', 'back_right_paw'),
        ('neck', 'hand.L.001', 'hand.R.001', 'hand.L', 'hand.R'),
        ('palm', 'hand_left_thumb', 'hand_right_thumb', 'l_wrist', 'r_wrist'),
        ('tail', 'paw_rl', 'paw_rr', 'paw_fl', 'paw_fr'),
        ('tail', 'bl_paw', 'br_paw', 'fl_paw', 'fr_paw'),
    ):
        skeleton = Skeleton(names)
        assert skeleton.flip_permutation.tolist() == [0] + [at + 1 - 2 * (at % 2 == 0) for at in range(1, len(names))]
        assert [skeleton.side(joint) for joint in range(1, len(names))] == ['left', 'right'] * (len(names) // 2)


def test_a_name_with_two_ways_to_its_partner_has_none():
    assert Skeleton(('xll', 'xlr', 'xrl', 'xrr')).flip_permutation.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize('names', [('leg', 'rib'), ('lip', 'nose'), ('finger_0', 'finger_1'), ('Ring', 'Little')])
def test_words_that_begin_with_r_or_l_are_no_sides(names):
    sides = split_sides(names)
    assert [side for side, _ in sides] == ['', ''] and derived_partners(sides) == (0, 1)


@pytest.mark.parametrize(
    'name, role', [('Head_Top', 'head'), ('Mid-Hip', 'pelvis'), ('LHips', 'l_hip'), ('nose', 'nose')]
)
def test_a_joint_has_one_role_under_its_other_names(name, role):
    assert role_of(*split_sides((name,))[0]) == role


def test_two_spellings_of_one_joint_leave_its_partner_open():
    assert derived_partners(split_sides(('r_knee', 'right_knee', 'l_knee'))) == (0, 1, 2)
