"""Skeleton: partners, limbs and groups follow from the names, for any choice of joints."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hourglass_pose.skeleton import MPII_JOINTS, Skeleton

SUBSETS = st.lists(st.sampled_from(MPII_JOINTS), min_size=1, unique=True).map(tuple)
MIDDLE = {'pelvis', 'thorax', 'neck', 'head'}


def test_mpii_joints_have_the_order_of_mpii():
    # The joint ids 0 to 15 of the MPII annotation format, from its web page.
    assert MPII_JOINTS == (
        'r_ankle',
        'r_knee',
        'r_hip',
        'l_hip',
        'l_knee',
        'l_ankle',
        'pelvis',
        'thorax',
        'neck',
        'head',
        'r_wrist',
        'r_elbow',
        'r_shoulder',
        'l_shoulder',
        'l_elbow',
        'l_wrist',
    )
    assert Skeleton().joints == MPII_JOINTS
    assert Skeleton().flip_permutation.tolist() == [5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10]


@settings(max_examples=50, deadline=None)
@given(SUBSETS)
def test_flip_exchanges_a_joint_with_its_partner_where_there_is_one(joints):
    permutation = Skeleton(joints).flip_permutation
    assert permutation[permutation].tolist() == list(range(len(joints)))
    for index, name in enumerate(joints):
        partner = {'r': 'l', 'l': 'r'}[name[0]] + name[1:] if name not in MIDDLE else name
        assert joints[permutation[index]] == (partner if partner in joints else name)


@settings(max_examples=50, deadline=None)
@given(SUBSETS)
def test_every_index_that_follows_from_the_names_is_valid(joints):
    skeleton = Skeleton(joints)
    indices = set(range(len(joints)))
    assert {index for limb in skeleton.limbs for index in limb} <= indices
    members = [index for group in skeleton.groups.values() for index in group]
    assert len(members) == len(set(members)) and all(len(group) for group in skeleton.groups.values())
    assert {joints[index] for index in members} == set(joints) - {'pelvis', 'thorax', 'neck'}
    expected_mean = [i for i, name in enumerate(joints) if name not in ('pelvis', 'thorax')]
    assert skeleton.mean_joints.tolist() == (expected_mean or sorted(indices))


def test_limbs_join_all_joints_without_a_ring():
    skeleton = Skeleton()
    assert len(skeleton.limbs) == len(skeleton) - 1
    reached = {0}
    for _ in skeleton.limbs:
        reached |= {joint for limb in skeleton.limbs if reached & set(limb) for joint in limb}
    assert len(reached) == len(skeleton)
    # A limb never crosses from one side of the body to the other.
    sides = [{skeleton.side(joint) for joint in limb} for limb in skeleton.limbs]
    assert not any({'left', 'right'} <= pair for pair in sides)


def test_groups_are_the_rows_of_pckh_tables():
    groups = Skeleton().groups
    assert list(groups) == ['head', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle']
    assert [MPII_JOINTS[index] for index in groups['wrist']] == ['r_wrist', 'l_wrist']
    assert list(Skeleton(('head', 'l_knee')).groups) == ['head', 'knee']


def test_sides_and_indices_are_told_by_name():
    skeleton = Skeleton(('l_hip', 'neck', 'r_hip'))
    assert [skeleton.side(joint) for joint in range(3)] == ['left', 'middle', 'right']
    assert skeleton.index('r_hip') == 2 and skeleton.index('r_knee') is None and len(skeleton) == 3


def test_the_spelling_of_older_configuration_files_is_mended():
    assert Skeleton(('r_anckle', 'l_anckle')).joints == ('r_ankle', 'l_ankle')


@pytest.mark.parametrize('joints', [(), ('neck', 'head', 'neck'), ('r_ankle', 'r_anckle')])
def test_no_joints_and_repeated_joints_are_refused(joints):
    with pytest.raises(ValueError):
        Skeleton(joints)


def test_a_changed_result_does_not_change_the_skeleton():
    skeleton = Skeleton()
    skeleton.flip_permutation[:] = 0
    assert len(set(skeleton.flip_permutation)) == len(skeleton)
    assert isinstance(skeleton.mean_joints, np.ndarray)
