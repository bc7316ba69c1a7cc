"""Reader of MPII as JSON: mpii_annotations.json of the PyTorch ports, and train.json and valid.json of HRNet."""

from collections import Counter
from typing import Any, Dict, Iterator, Optional, Tuple, Union

import numpy as np

from hourglass_pose.annotations.checking import Skipped
from hourglass_pose.annotations.person import Person
from hourglass_pose.converters.official import each_record, load_json, mpii_person, split_of_file
from hourglass_pose.errors import AnnotationError
from hourglass_pose.skeleton import MPII_JOINTS

_NUM_JOINTS = len(MPII_JOINTS)


def read_mpii_json(path: str, boxes: str = 'joints') -> Iterator[Union[Person, Skipped]]:
    """Yield a Person or Skipped for each entry, in the order of the file.

    Both kinds of file hold the official 1-based coordinates. mpii_annotations.json has the split of each person, as
    `isValidation`, and its index in its image. The other kind has neither: the split follows from the file's name, and
    `joints_vis` is whether a joint is labelled, not whether it is visible. boxes: see official.box_of. The file is read
    whole: mpii_annotations.json takes about 300 MB of memory.

    Raises AnnotationError for other JSON.
    """
    entries = load_json(path)
    if not isinstance(entries, list):
        raise AnnotationError(
            f'{path}: expected a list of entries; give mpii_annotations.json, or train.json and valid.json of HRNet'
        )
    counts: Dict[str, int] = Counter()
    split = split_of_file(path)

    def make(entry: Any) -> Union[Person, Skipped]:
        if isinstance(entry, dict) and 'joint_self' in entry:
            return _of_ports(entry, boxes)
        if isinstance(entry, dict) and 'image' in entry and 'center' in entry:
            return _of_hrnet(entry, counts, split, boxes)
        raise ValueError('expected "img_paths" and "joint_self", or "image" and "center"')

    return each_record(path, entries, make, 'entry')


def _of_ports(entry: Dict[str, Any], boxes: str) -> Union[Person, Skipped]:
    joints = np.array(entry['joint_self'], np.float64)
    if joints.shape != (_NUM_JOINTS, 3):
        raise ValueError(f'joint_self is of shape {joints.shape}; ({_NUM_JOINTS}, 3) is needed')
    return mpii_person(
        entry['img_paths'],
        int(entry['people_index']) - 1,
        joints[:, :2],
        (joints[:, :2] != 0).any(axis=1),
        joints[:, 2] != 0,
        *_centre_and_scale(entry['objpos'], entry['scale_provided']),
        split='valid' if entry['isValidation'] else 'train',
        boxes=boxes,
    )


def _of_hrnet(
    entry: Dict[str, Any], counts: Dict[str, int], split: Optional[str], boxes: str
) -> Union[Person, Skipped]:
    image = str(entry['image'])
    joints, labelled = np.zeros((_NUM_JOINTS, 2)), np.zeros(_NUM_JOINTS, bool)
    # The file of the test images has only centres and scales.
    if 'joints' in entry:
        joints, labelled = np.array(entry['joints'], np.float64), np.array(entry['joints_vis'], np.float64) > 0
    if joints.shape != (_NUM_JOINTS, 2) or labelled.shape != (_NUM_JOINTS,):
        raise ValueError(
            f'joints and joints_vis are of shape {joints.shape} and {labelled.shape}; ({_NUM_JOINTS}, 2) and '
            f'({_NUM_JOINTS},) are needed'
        )
    # A missing joint is at 0 0, in some files at -1 -1.
    labelled &= ~((joints == 0) | (joints == -1)).all(axis=1)
    index, counts[image] = counts[image], counts[image] + 1
    return mpii_person(
        entry['image'],
        index,
        joints,
        labelled,
        None,
        *_centre_and_scale(entry['center'], entry['scale']),
        split=split,
        boxes=boxes,
        indexed=False,
    )


def _centre_and_scale(centre: Any, scale: Any) -> Tuple[Optional[np.ndarray], Optional[float]]:
    """Return both as numbers, or (None, None) if the file marks them as missing."""
    centre, scale = np.array(centre, np.float64), float(scale)
    if centre.shape != (2,) or not np.isfinite(centre).all() or not np.isfinite(scale):
        raise ValueError(f'the centre is {centre} and the scale {scale}')
    # Conversions of the official file write -1 for missing values.
    return (None, None) if scale <= 0 or (centre == -1).all() else (centre, scale)
