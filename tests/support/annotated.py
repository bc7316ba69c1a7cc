"""Annotated persons for tests, made from synthetic bodies: labels without pictures."""

import os

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.skeleton import Skeleton

SKELETON = Skeleton()

# A person who faces the camera, 140 x 220 px, in the order of MPII's joints: hers right is the picture's left.
STANDING = np.array(
    [
        [80, 260],
        [80, 210],
        [85, 160],
        [115, 160],
        [120, 210],
        [120, 260],
        [100, 160],
        [100, 80],
        [100, 70],
        [100, 45],
        [55, 155],
        [65, 120],
        [75, 85],
        [125, 85],
        [135, 120],
        [145, 155],
    ],
    np.float32,
)


def person(name='a.jpg', letter='A', joints=STANDING, labelled=None, folder='', **fields):
    """Return a Person with a tight box of the labelled joints, or what the fields say."""
    joints = np.array(joints, np.float32)
    labelled = np.ones(len(joints), bool) if labelled is None else np.asarray(labelled, bool)
    shown = joints[labelled]
    fields.setdefault('box_img', np.concatenate([shown.min(0), shown.max(0)]).astype(np.float64))
    return Person(
        image=name,
        image_path=os.path.join(folder, name),
        person_id=name + letter,
        joints_img=joints,
        labelled=labelled,
        **fields,
    )


def crowd(count, rng, noise=2.0, **fields):
    """Return persons who face the camera, each a little different and in a picture of its own."""
    return [
        person(f'{index:04d}.jpg', joints=STANDING + rng.normal(0, noise, STANDING.shape), **fields)
        for index in range(count)
    ]


def exchanged(joints, *names):
    """Return joints with right and left of some names exchanged, of all where none are given."""
    order = SKELETON.flip_permutation.copy()
    if names:
        chosen = [joint for joint, name in enumerate(SKELETON.joints) if name[2:] in names]
        order = np.array([order[joint] if joint in chosen else joint for joint in range(len(order))])
    return np.array(joints)[order]
