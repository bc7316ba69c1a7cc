"""Predicted poses from files: arrays of other programs, MPII's submission structure, and our predictions JSON."""

import json
from dataclasses import dataclass, replace
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.errors import UserError, excerpt
from hourglass_pose.files import parse_json
from hourglass_pose.scoring.array_files import kind_of, read_arrays
from hourglass_pose.scoring.pose_arrays import find_poses, joint_names
from hourglass_pose.scoring.submission import OfficialImage, find_submission, read_submission
from hourglass_pose.skeleton import MPII_JOINTS

PREDICTIONS_FORMAT = 'hourglass-pose predictions'


@dataclass(frozen=True, eq=False)
class PredictedPoses:
    """The content of a file of predictions.

    joints: float64 (M, J, 2), NaN where there is no prediction, in pixels; the first pixel is count_from.
    names: the J joints. count_from: 0 or 1, depending on the kind of file. description: a line for the protocol.
    person_ids: (image, person_id) of each row, or None. sources: annotation file of each row, or None if unknown.
    positions: (image or None, image index, rect index) of each row in the official list, or None. If both person_ids
    and positions are None, the rows are the persons of the ground truth in its order. num_images: images of a
    submission.
    """

    joints: np.ndarray
    names: Tuple[str, ...]
    count_from: int
    description: str
    person_ids: Optional[Sequence[Tuple[str, str]]] = None
    sources: Optional[Sequence[Optional[str]]] = None
    positions: Optional[Sequence[Tuple[Optional[str], int, int]]] = None
    num_images: int = 0

    @property
    def in_order(self) -> bool:
        """Whether rows are matched with persons by their order alone."""
        return self.person_ids is None and self.positions is None


def read_predictions(path: str, num_persons: Optional[int] = None, variable: Optional[str] = None) -> PredictedPoses:
    """Return the PredictedPoses of a file, whose kind is found by its content.

    Args:
        num_persons: number of persons that an array must have, None for any.
        variable: name of the array, None to search for it.

    Raises UserError for a file that cannot be used.
    """
    kind = kind_of(path)
    if kind == 'json':
        return _read_json(path)
    if kind == 'other':
        raise UserError(
            f"{path}: not a file of predictions; expected a .mat or .h5 with an array (N, 16, 2), MPII's "
            'submission .mat, or a predictions.json of this program'
        )
    arrays = read_arrays(path, kind)
    structure = find_submission(arrays) if variable is None else None
    if structure is not None:
        poses = read_submission(structure, path)
        return PredictedPoses(
            np.array([pose.joints for pose in poses]),
            MPII_JOINTS,
            1,
            f'submission structure of MPII with {len(poses)} persons in {structure.size} images',
            positions=[(pose.image, pose.image_index, pose.rect_index) for pose in poses],
            num_images=structure.size,
        )
    names = joint_names(arrays.pop('dataset_joints'), path) if 'dataset_joints' in arrays else MPII_JOINTS
    joints, variable, layout = find_poses(arrays, path, num_persons, len(names), variable)
    axes = ' x '.join({'N': 'persons', 'J': 'joints', 'C': 'columns'}[axis] for axis in layout)
    order = "MPII's" if names == MPII_JOINTS else 'the named'
    return PredictedPoses(joints, names, 1, f'variable {variable}, axes {axes}, joints in {order} order')


def name_images(predictions: PredictedPoses, images: Sequence[OfficialImage]) -> PredictedPoses:
    """Return a submission with image names in its positions, by the order of the official list if it has none.

    MPII asks for a submission of the test images alone; one of all images is also accepted. Raises UserError if the
    number of images fits neither.
    """
    if predictions.positions is None or all(name for name, _, _ in predictions.positions):
        return predictions
    test_images = [image for image in images if not image.is_training]
    names = {len(listed): [image.name for image in listed] for listed in (images, test_images)}.get(
        predictions.num_images
    )
    if names is None:
        raise UserError(
            f'the submission has {predictions.num_images} images without names; the official annotations have '
            f'{len(images)}, {len(test_images)} of them for testing'
        )
    return replace(predictions, positions=[(names[index], index, rect) for _, index, rect in predictions.positions])


def load_json(path: str) -> Any:
    """Return the content of a JSON file. Raises UserError if it cannot be read or is damaged."""
    try:
        with open(path, 'rb') as stream:
            return parse_json(stream.read())
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror or error}); name a JSON file')
    except ValueError as error:
        raise UserError(f'{path}: damaged or truncated JSON ({" ".join(str(error).split())[:100]})')


def _read_json(path: str) -> PredictedPoses:
    content = load_json(path)
    if not isinstance(content, dict) or content.get('format') != PREDICTIONS_FORMAT:
        raise UserError(f'{path}: JSON, but no predictions of this program; expected "format": "{PREDICTIONS_FORMAT}"')
    if content.get('format_version') != 1:
        raise UserError(f'{path}: format_version {content.get("format_version")!r}; this program reads 1')
    names, rows = content.get('joints'), content.get('predictions')
    if not isinstance(names, list) or not _hold(names, str) or not names or len(set(names)) < len(names):
        raise UserError(f'{path}: "joints" must be a list of different names; write the file again')
    if not isinstance(rows, list) or not _hold(rows, dict):
        raise UserError(f'{path}: "predictions" must be a list with an object for each person; write the file again')
    if not rows:
        raise UserError(f'{path}: no predictions; evaluate some persons first')
    for number, row in enumerate(rows, 1):
        problem = _problem(row, len(names))
        if problem:
            raise UserError(f'{path}: prediction {number}: {problem}; write the file again')
    # JSON has no NaN: null marks a joint without prediction.
    joints = [[[np.nan if value is None else value for value in joint] for joint in row['joints_img']] for row in rows]
    sources = [row['source'] if isinstance(row.get('source'), str) else None for row in rows]
    return PredictedPoses(
        np.array(joints, np.float64),
        tuple(names),
        0,
        'predictions.json of this program',
        [(row['image'], row['person_id']) for row in rows],
        sources,
    )


def _problem(row: dict, num_joints: int) -> Optional[str]:
    """Return what is wrong with a prediction, or None."""
    for key in ('image', 'person_id'):
        if not isinstance(row.get(key), str):
            return f'"{key}" must be a text, found {_shown(row.get(key))}'
    joints = row.get('joints_img')
    if not isinstance(joints, list) or not _hold(joints, list) or len(joints) != num_joints:
        return f'"joints_img" must be a list of {num_joints} joints, found {_shown(joints)}'
    for joint in joints:
        if len(joint) != 2 or not all(value is None or is_number(value) for value in joint):
            return f'a joint must be [x, y] in pixels or null, found {_shown(joint)}'
    return None


def is_number(value: Any) -> bool:
    """Return whether a value of JSON is a number that fits into float64; NaN and infinity count as numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _hold(items: list, kind: type) -> bool:
    return all(isinstance(item, kind) for item in items)


def _shown(value: Any) -> str:
    return excerpt(json.dumps(value))
