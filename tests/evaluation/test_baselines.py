"""Mean-pose and centre baselines against hand-computed positions."""

import numpy as np

from hourglass_pose.evaluation.baselines import centre_pose, mean_pose


def test_centre_is_the_point_that_a_flip_keeps():
    pose = centre_pose(3, 256)
    assert pose.shape == (3, 2)
    np.testing.assert_array_equal(256 - 1 - pose, pose)


def test_mean_pose_averages_labelled_joints_only():
    joints_crop = np.array([[[10, 20], [1, 1]], [[30, 60], [500, -7]], [[-999, 999], [3, 5]]], np.float32)
    labelled = np.array([[True, True], [True, False], [False, True]])
    np.testing.assert_array_equal(mean_pose(joints_crop, labelled, 64), [[20, 40], [2, 3]])


def test_a_joint_that_no_person_has_is_at_the_centre():
    joints_crop = np.full((4, 2, 2), np.nan)
    joints_crop[:, 0] = [5, 6]
    labelled = np.array([[True, False]] * 4)
    np.testing.assert_array_equal(mean_pose(joints_crop, labelled, 64), [[5, 6], [31.5, 31.5]])


def test_mean_pose_minimises_the_squared_distance_to_the_training_persons():
    random = np.random.RandomState(3)
    joints_crop, labelled = random.rand(50, 4, 2) * 64, random.rand(50, 4) < 0.7

    def cost(pose):
        return (((joints_crop - pose) ** 2).sum(axis=2) * labelled).sum()

    pose = mean_pose(joints_crop, labelled, 64)
    for joint in range(4):
        for step in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)):
            moved = pose.copy()
            moved[joint] += step
            assert cost(pose) < cost(moved)
