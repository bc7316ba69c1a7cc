"""Reader of COCO's person_keypoints JSON, with the keypoints of its category or with MPII's sixteen joints."""

from collections import Counter
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np

from hourglass_pose.annotations.checking import Skipped
from hourglass_pose.annotations.person import Person
from hourglass_pose.converters.formats import ReadOptions, Records
from hourglass_pose.converters.official import NO_JOINTS, each_record, load_json, make_person, split_of_file
from hourglass_pose.errors import AnnotationError
from hourglass_pose.skeleton import COCO_JOINTS, MPII_JOINTS, Skeleton


def read(path: str, options: ReadOptions) -> Records:
    """Return the Records of a COCO file.

    The joints are `categories[].keypoints` of the first category that has keypoints, or COCO's seventeen if none has.
    With options.joints 'mpii' they are MPII's sixteen, found by name; those that the file lacks are unlabelled. COCO's
    coordinates are 0-based; its box [x, y, width, height] ends at x + width - 1. The split follows from the file's
    name, for instance person_keypoints_val2017.json. person_index is the index among the annotations of the image.
    Crowds, other categories, and annotations without keypoints, without a labelled joint or with an empty box are
    skipped. The file is read whole: person_keypoints_train2017.json takes about 1 GB of memory.

    Raises AnnotationError for other JSON.
    """
    content = load_json(path)
    images, annotations = (_list_of(path, content, key) for key in ('images', 'annotations'))
    names = {image.get('id'): image.get('file_name') for image in images if _has_plain_id(image)}
    category, keypoints = _keypoints(path, content.get('categories'))
    joints = MPII_JOINTS if options.joints == 'mpii' else keypoints
    skeleton = Skeleton(keypoints)
    rows = [skeleton.index(name) if options.joints == 'mpii' else index for index, name in enumerate(joints)]
    split = split_of_file(path)
    counts: Dict[str, int] = Counter()

    def make(item: Dict[str, Any]) -> Union[Person, Skipped]:
        image = names[item['image_id']]
        index, counts[image] = counts[image], counts[image] + 1
        if category is not None and item.get('category_id', category) != category:
            return Skipped('another category')
        if item.get('iscrowd'):
            return Skipped('a crowd')
        if not item.get('keypoints'):
            return Skipped('no keypoints')
        return _person(item, image, index, len(keypoints), rows, split)

    return Records(joints, each_record(path, annotations, make, 'annotation'))


def _list_of(path: str, content: Any, key: str) -> List[Any]:
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, list):
        raise AnnotationError(f'{path}: no "{key}" in it; give a person_keypoints file of COCO')
    return value


def _has_plain_id(image: Any) -> bool:
    return isinstance(image, dict) and isinstance(image.get('id'), (int, str))


def _keypoints(path: str, categories: Any) -> Tuple[Any, Tuple[str, ...]]:
    """Return (id of the category of the persons or None, names of its keypoints)."""
    for category in categories if isinstance(categories, list) else ():
        names = category.get('keypoints') if isinstance(category, dict) else None
        if names:
            if not (isinstance(names, list) and all(isinstance(name, str) and name for name in names)):
                raise AnnotationError(f'{path}: "keypoints" of a category is {str(names)[:60]}; names are needed')
            try:
                return category.get('id'), Skeleton(tuple(names)).joints
            except ValueError as error:
                raise AnnotationError(f'{path}: "keypoints" of a category: {error}')
    return None, COCO_JOINTS


def _person(
    item: Dict[str, Any], image: Any, index: int, count: int, rows: Any, split: Optional[str]
) -> Union[Person, Skipped]:
    keypoints = np.array(item['keypoints'], np.float64)
    if keypoints.shape != (3 * count,):
        raise ValueError(
            f'keypoints are {keypoints.size} numbers; {3 * count} are needed, x, y and a mark for each of the {count} '
            'names in "categories"'
        )
    x, y, width, height = np.array(item['bbox'], np.float64)
    if width <= 0 or height <= 0:
        return Skipped('a box of no area')
    triples = np.vstack([keypoints.reshape(count, 3), np.zeros(3)])
    # A joint that the file lacks takes the last row, which is zero.
    chosen = triples[[count if row is None else row for row in rows]]
    labelled = (chosen[:, 2] > 0) & ~np.isnan(chosen[:, :2]).any(axis=1)
    if not labelled.any():
        return Skipped(NO_JOINTS)
    box_img = [x, y, x + width - 1, y + height - 1]
    # An area of 0 is none.
    area = item.get('area') or None
    return make_person(image, index, chosen[:, :2], labelled, chosen[:, 2] == 2, box_img, split, area=area)
