"""MPII's submission file: predicted joints in the structure of the official annotations, written and read."""

import io
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.files import write_whole
from hourglass_pose.skeleton import MPII_JOINTS

# The variable that MPII's evaluation code loads, the one in its documentation, and others in use.
VARIABLES = ('pred', 'annolist')
_NAMES = VARIABLES + ('annolist_test', 'prediction', 'RELEASE')


@dataclass(frozen=True, eq=False)
class SubmittedPose:
    """One person of a submission: joints are (J, 2) float64 in 1-based pixels as in the file, NaN if missing.

    image: file name, None if the file does not have it. image_index, rect_index: position of the image in the
    file and of the person in the image, from 0.
    """

    image: Optional[str]
    image_index: int
    rect_index: int
    joints: np.ndarray


@dataclass(frozen=True)
class OfficialImage:
    """An image of the official annotations. num_rects: length of its annorect. single: indices, from 0, of the
    sufficiently separated persons, which the single-person protocol evaluates.
    """

    name: str
    is_training: bool
    num_rects: int
    single: FrozenSet[int]


def find_release(arrays: Dict[str, np.ndarray]) -> Optional[np.void]:
    """Return the record of the official annotations among the arrays of a .mat file, or None."""
    release = arrays.get('RELEASE')
    if release is None or not {'annolist', 'img_train', 'single_person'} <= set(release.dtype.names or ()):
        return None
    return release.ravel()[0]


def official_images(release: np.void, path: str) -> List[OfficialImage]:
    """Return [OfficialImage, ...] of the record that find_release returns. Raises UserError if it is incomplete."""
    annolist, training, single = [np.ravel(release[name]) for name in ('annolist', 'img_train', 'single_person')]
    if not len(annolist) == len(training) == len(single):
        raise UserError(
            f'{path}: {len(annolist)} images, {len(training)} entries of img_train and {len(single)} of single_person; '
            'get the official file again'
        )
    images = []
    for record, is_training, rects in zip(annolist, training, single):
        indices = np.ravel(np.asarray(rects)) if np.size(rects) else ()
        images.append(
            OfficialImage(
                _image_name(record) or '',
                bool(is_training),
                len(_elements(_field(record, 'annorect'))),
                frozenset(int(index) - 1 for index in indices),
            )
        )
    return images


def write_submission(
    path: str, images: Sequence[Tuple[str, Dict[int, np.ndarray], int]], joint_ids: Sequence[int]
) -> None:
    """Write a .mat with `annolist(i).annorect(r).annopoints.point(j)` of fields x, y and id, atomically.

    The file also holds the same structure as `pred`, the name that MPII's evaluation code loads.

    Args:
        images: (file name, {rect index: joints (J, 2)}, number of rects) of every image of the official list that the
            file must have, in its order; joints are in 1-based pixels, as in MPII. A rect without joints keeps its
            position, with empty annopoints.
        joint_ids: MPII's number of each joint.

    Raises UserError if the file cannot be written.
    """
    from scipy.io import savemat

    records = np.zeros((1, len(images)), [('image', object), ('annorect', object)])
    for index, (name, poses, num_rects) in enumerate(images):
        records['image'][0, index] = _struct(name=name)
        rects = np.zeros((1, num_rects), [('annopoints', object)])
        for rect in range(num_rects):
            rects['annopoints'][0, rect] = (
                _struct(point=_points(poses[rect], joint_ids)) if rect in poses else np.zeros((0, 0))
            )
        records['annorect'][0, index] = rects
    content = io.BytesIO()
    savemat(content, {name: records for name in VARIABLES}, do_compression=True)
    write_whole(path, content.getvalue())


def _struct(**fields: Any) -> np.ndarray:
    record = np.zeros((1, 1), [(name, object) for name in fields])
    for name, value in fields.items():
        record[name][0, 0] = value
    return record


def _points(joints: np.ndarray, joint_ids: Sequence[int]) -> np.ndarray:
    points = np.zeros((1, len(joints)), [('x', object), ('y', object), ('id', object)])
    for index, ((x, y), joint_id) in enumerate(zip(joints, joint_ids)):
        for name, value in (('x', x), ('y', y), ('id', joint_id)):
            points[name][0, index] = np.array([[float(value)]])
    return points


def find_submission(arrays: Dict[str, np.ndarray]) -> Optional[np.ndarray]:
    """Return the structured array of a submission among the arrays of a .mat file, or None."""
    for name in _NAMES:
        value = arrays.get(name)
        if value is not None and value.dtype.names:
            if 'annolist' in value.dtype.names and value.size == 1:
                value = np.asarray(value['annolist'].ravel()[0])
            if value.dtype.names and 'annorect' in value.dtype.names:
                return value
    return None


def read_submission(value: np.ndarray, path: str) -> List[SubmittedPose]:
    """Return the persons of a submission that have joints. value: as find_submission returns it.

    Joints with missing or empty fields, or with positions that are not finite, count as missing. Raises UserError if no
    person has joints, or an id is not one of MPII's.
    """
    poses = []
    for image_index, record in enumerate(value.ravel()):
        for rect_index, rect in enumerate(_elements(_field(record, 'annorect'))):
            joints = _joints_of(rect, f'{path}: image {image_index + 1}, person {rect_index + 1}')
            if joints is not None:
                poses.append(SubmittedPose(_image_name(record), image_index, rect_index, joints))
    if not poses:
        raise UserError(f'{path}: no person has joints; expected (i).annorect(r).annopoints.point(j) with x, y, id')
    return poses


def _joints_of(rect: np.void, where: str) -> Optional[np.ndarray]:
    joints = np.full((len(MPII_JOINTS), 2), np.nan)
    has_joints = False
    for annopoints in _elements(_field(rect, 'annopoints')):
        for point in _elements(_field(annopoints, 'point')):
            joint_id, x, y = [_number(_field(point, name)) for name in ('id', 'x', 'y')]
            if joint_id is None:
                continue
            if not (0 <= joint_id < len(MPII_JOINTS)) or joint_id != int(joint_id):
                raise UserError(f'{where}: joint id {joint_id:g}; expected 0 to {len(MPII_JOINTS) - 1}')
            if x is not None and y is not None and np.isfinite([x, y]).all():
                joints[int(joint_id)] = x, y
                has_joints = True
    return joints if has_joints else None


def _image_name(record: np.void) -> Optional[str]:
    for image in _elements(_field(record, 'image')):
        name = np.ravel(np.asarray(_field(image, 'name')))
        if name.size and isinstance(name[0], str):
            return str(name[0])
    return None


def _field(record: np.void, name: str) -> Any:
    return record[name] if record.dtype.names and name in record.dtype.names else None


def _elements(value: Any) -> Any:
    """Return the elements of a field that is an array of structures, none if it is empty or missing."""
    if value is None or not isinstance(value, np.ndarray) or not value.dtype.names:
        return ()
    return value.ravel(order='F')


def _number(value: Any) -> Optional[float]:
    """Return the number in a field, also if it is stored as text, or None."""
    flat = np.ravel(np.asarray(value)) if value is not None else np.zeros(0)
    if not flat.size:
        return None
    try:
        return float(flat[0])
    except (TypeError, ValueError):
        return None
