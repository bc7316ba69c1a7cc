"""MPII as JSON: mpii_annotations.json of the PyTorch ports, and train.json and valid.json of HRNet and mmpose."""

from collections import Counter

import numpy as np

from hourglass_pose.converters.json_items import json_items
from hourglass_pose.converters.official import mpii_person, split_of_file
from hourglass_pose.errors import AnnotationError
from hourglass_pose.skeleton import MPII_JOINTS

_NUM_JOINTS = len(MPII_JOINTS)


def read_mpii_json(path, boxes='joints'):
    """Yield a Person, or None for an entry without anything to use, in the order of the file.

    Both kinds of file hold the official numbers, which count from 1. mpii_annotations.json says by `isValidation` which
    split a person is in, and which place it has in its image. The other kind says neither: its split follows from its
    name, and `joints_vis` tells labelled joints from missing ones, not visible from hidden. boxes: see
    official.box_of.

    Raises AnnotationError for other JSON, naming the entry from 1.
    """
    seen = Counter()
    for number, (key, entry) in enumerate(json_items(path), 1):
        kind = entry if key is None and isinstance(entry, dict) else {}
        try:
            if 'joint_self' in kind:
                yield _of_ports(entry, boxes)
            elif 'image' in kind and 'center' in kind:
                yield _of_hrnet(entry, seen, split_of_file(path), boxes)
            else:
                raise ValueError('neither "img_paths" and "joint_self" nor "image" and "center"')
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise AnnotationError(
                '%s: entry %d is none of MPII: %s; give mpii_annotations.json, or train.json and '
                'valid.json of HRNet' % (path, number, _reason(error))
            )


def _reason(error):
    return f'no "{error.args[0]}"' if isinstance(error, KeyError) else str(error)


def _of_ports(entry, boxes):
    joints = np.array(entry['joint_self'], np.float64)
    if joints.shape != (_NUM_JOINTS, 3):
        raise ValueError('joint_self is of shape %s; (%d, 3) is needed' % (joints.shape, _NUM_JOINTS))
    return mpii_person(
        _name(entry['img_paths']),
        int(entry['people_index']) - 1,
        joints[:, :2],
        (joints[:, :2] != 0).any(axis=1),
        joints[:, 2] != 0,
        *_centre_and_scale(entry['objpos'], entry['scale_provided']),
        split='valid' if entry['isValidation'] else 'train',
        boxes=boxes,
    )


def _of_hrnet(entry, seen, split, boxes):
    image = _name(entry['image'])
    joints, labelled = np.zeros((_NUM_JOINTS, 2)), np.zeros(_NUM_JOINTS, bool)
    # The file of the test images has centres and scales only.
    if 'joints' in entry:
        joints, labelled = np.array(entry['joints'], np.float64), np.array(entry['joints_vis'], np.float64) > 0
    if joints.shape != (_NUM_JOINTS, 2) or labelled.shape != (_NUM_JOINTS,):
        raise ValueError(
            'joints and joints_vis are of shape %s and %s; (%d, 2) and (%d,) are needed'
            % (joints.shape, labelled.shape, _NUM_JOINTS, _NUM_JOINTS)
        )
    # A missing joint is at 0 0, in some files at -1 -1.
    labelled &= ~((joints == 0) | (joints == -1)).all(axis=1)
    index, seen[image] = seen[image], seen[image] + 1
    return mpii_person(
        image,
        index,
        joints,
        labelled,
        None,
        *_centre_and_scale(entry['center'], entry['scale']),
        split=split,
        boxes=boxes,
        indexed=False,
    )


def _name(value):
    if not (isinstance(value, str) and value):
        raise ValueError(f'the name of the image is {value!r}')
    return value


def _centre_and_scale(centre, scale):
    """Return both as arrays of numbers, None None where the file marks them as missing."""
    centre, scale = np.array(centre, np.float64), float(scale)
    if centre.shape != (2,) or not np.isfinite(centre).all() or not np.isfinite(scale):
        raise ValueError(f'the centre is {centre} and the scale {scale}')
    # -1 is what the conversions from the official file write where it has none.
    return (None, None) if scale <= 0 or (centre == -1).all() else (centre, scale)
