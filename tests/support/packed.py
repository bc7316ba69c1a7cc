"""A small folder of photos with annotated persons, and packs of them."""

import os

import cv2
import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.input.packing import PackedViews, pack_persons

JOINTS = ('r_wrist', 'l_wrist', 'neck')
VIEWS = PackedViews(CropRule(64), 30.0, 0.25, 0.05)


def photographed(folder, count=4, seed=0, size_wh=(320, 240)):
    """Return persons of smooth random photos that are written to a folder; the last two are in one photo."""
    rng, persons = np.random.RandomState(seed), []
    for index in range(count):
        name = f'{min(index, count - 2):03d}.jpg'
        path = os.path.join(str(folder), name)
        if not os.path.exists(path):
            small = rng.uniform(0, 255, (size_wh[1] // 10, size_wh[0] // 10, 3)).astype(np.uint8)
            cv2.imwrite(path, cv2.resize(small, size_wh, interpolation=cv2.INTER_CUBIC), [cv2.IMWRITE_JPEG_QUALITY, 95])
        x, y, side = rng.uniform(40, 120), rng.uniform(30, 80), rng.uniform(50, 150)
        box = np.array([x, y, x + side, y + side])
        joints = rng.uniform(0, side, (len(JOINTS), 2)).astype(np.float32) + np.float32([x, y])
        labelled = np.array([True, True, index % 2 == 0])
        optional = dict(
            head_box_img=np.array([x, y, x + 20, y + 25]),
            visible=labelled.copy(),
            centre_img=np.array([x + side / 2, y + side / 2]),
            scale=side / 200,
            split=('train', 'valid')[index % 2],
            person_index=index,
            area=side * 9.0,
        )
        joints[~labelled] = 0
        known = optional if index else {}
        persons.append(Person(name, path, f'{name}{"ABCDEFGH"[index]}', box, joints, labelled, **known))
    return persons


def packed(folder, persons, views=VIEWS):
    """Return the path of a new pack of persons."""
    path = os.path.join(str(folder), 'pack')
    assert pack_persons(path, persons, JOINTS, views, print) == len(persons)
    return path
