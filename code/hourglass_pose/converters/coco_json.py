"""COCO's person_keypoints JSON: the twelve joints that it shares with MPII, the other four unlabelled."""

from collections import Counter

import numpy as np

from hourglass_pose.converters.json_items import json_items
from hourglass_pose.converters.official import make_person, split_of_file
from hourglass_pose.errors import AnnotationError
from hourglass_pose.skeleton import MPII_JOINTS

_NUM_KEYPOINTS = 17

# Place among COCO's keypoints, which begin with nose, eyes and ears, of MPII's joints.
_PLACES = {
    'l_shoulder': 5,
    'r_shoulder': 6,
    'l_elbow': 7,
    'r_elbow': 8,
    'l_wrist': 9,
    'r_wrist': 10,
    'l_hip': 11,
    'r_hip': 12,
    'l_knee': 13,
    'r_knee': 14,
    'l_ankle': 15,
    'r_ankle': 16,
}


def read_coco_json(path):
    """Yield a Person, or None for an annotation without one of the twelve joints, in the order of the file.

    COCO's numbers count from 0; its box [x, y, width, height] ends at x + width - 1. Crowds are passed over. The split
    follows from the file's name, for instance person_keypoints_val2017.json. person_index is the place among the
    annotations of the image. Memory holds the names of the images and one annotation.

    Raises AnnotationError for other JSON, naming the annotation from 1.
    """
    names = {}
    for key, item in json_items(path):
        if key == 'images':
            names[_get(path, item, 'id')] = _get(path, item, 'file_name')
    if not names:
        raise AnnotationError(f'{path}: no "images" in it; give a person_keypoints file of COCO')
    seen, number, split = Counter(), 0, split_of_file(path)
    for key, item in json_items(path):
        if key == 'annotations':
            number += 1
            yield _person(path, number, item, names, seen, split)


def _get(path, item, key):
    if not isinstance(item, dict) or key not in item:
        raise AnnotationError(f'{path}: an image without "{key}"; give a person_keypoints file of COCO')
    return item[key]


def _person(path, number, item, names, seen, split):
    try:
        image = names[item['image_id']]
        keypoints = np.array(item['keypoints'], np.float64).reshape(_NUM_KEYPOINTS, 3)
        x, y, width, height = (float(value) for value in item['bbox'])
    except (KeyError, TypeError, ValueError) as error:
        raise AnnotationError(
            '%s: annotation %d has no usable image_id, keypoints (51 numbers) and bbox (%s: %s); '
            'give a person_keypoints file of COCO' % (path, number, type(error).__name__, error)
        )
    index, seen[image] = seen[image], seen[image] + 1
    joints_img = np.zeros((len(MPII_JOINTS), 2))
    marks = np.zeros(len(MPII_JOINTS))
    for name, place in _PLACES.items():
        joints_img[MPII_JOINTS.index(name)] = keypoints[place, :2]
        marks[MPII_JOINTS.index(name)] = keypoints[place, 2]
    labelled = marks > 0
    if item.get('iscrowd') or not labelled.any() or width <= 0 or height <= 0:
        return None
    joints_img[~labelled] = 0
    return make_person(image, index, joints_img, labelled, marks == 2, [x, y, x + width - 1, y + height - 1], split)
