"""Predicted poses from files: arrays of other programs, MPII's submission structure, and our predictions JSON."""

import json
from dataclasses import dataclass, replace
from typing import Optional, Tuple

import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.scoring.array_files import kind_of, read_arrays
from hourglass_pose.scoring.pose_arrays import find_poses, joint_names
from hourglass_pose.scoring.submission import find_submission, read_submission
from hourglass_pose.skeleton import MPII_JOINTS

PREDICTIONS_FORMAT = 'hourglass-pose predictions'


@dataclass(frozen=True, eq=False)
class PredictedPoses:
    """What a file of predictions holds.

    joints: float64 (M, J, 2), NaN where there is no prediction, in pixels counted from count_from.
    names: the J joints. count_from: 0 or 1, what files of this kind do. description: a line for the protocol.
    person_ids: (image, person_id) of each row, or None. places: (image or None, image index, rect index) of each row,
    or None. Where both are None the rows are the persons of the ground truth in its order. num_images: images of a
    submission.
    """

    joints: np.ndarray
    names: Tuple[str, ...]
    count_from: int
    description: str
    person_ids: Optional[list] = None
    places: Optional[list] = None
    num_images: int = 0

    @property
    def in_order(self):
        """Whether the order of the rows alone tells whose they are."""
        return self.person_ids is None and self.places is None


def read_predictions(path, num_persons=None, variable=None):
    """Return the PredictedPoses of a file, whose kind its content tells.

    num_persons: what an array needs to have, None for any number. variable: name of the array, None to look for it.
    Raises UserError for a file that cannot be used.
    """
    kind = kind_of(path)
    if kind == 'json':
        return _read_json(path)
    if kind == 'other':
        raise UserError(
            f"{path}: no file of predictions; expected a .mat or .h5 with an array (N, 16, 2), MPII's "
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
            'submission structure of MPII with %d persons in %d images' % (len(poses), structure.size),
            places=[(pose.image, pose.image_index, pose.rect_index) for pose in poses],
            num_images=structure.size,
        )
    names = joint_names(arrays.pop('dataset_joints'), path) if 'dataset_joints' in arrays else MPII_JOINTS
    joints, variable, layout = find_poses(arrays, path, num_persons, len(names), variable)
    axes = {'N': 'persons', 'J': 'joints', 'C': 'columns'}
    return PredictedPoses(
        joints,
        names,
        1,
        'variable {}, axes {}, joints in {} order'.format(
            variable, ' x '.join(axes[axis] for axis in layout), "MPII's" if names == MPII_JOINTS else 'the named'
        ),
    )


def name_images(predictions, images):
    """Return a submission whose places name their images, by the order of the official list where it does not itself.

    images: [OfficialImage, ...]. MPII asks for a submission of the test images alone; one of all is taken, too.
    """
    if predictions.places is None or all(name for name, _, _ in predictions.places):
        return predictions
    names = {
        len(listed): [image.name for image in listed]
        for listed in (images, [image for image in images if not image.is_training])
    }.get(predictions.num_images)
    if names is None:
        raise UserError(
            'the submission has %d images without names; the official annotations have %d, %d of them for '
            'testing' % (predictions.num_images, len(images), sum(not image.is_training for image in images))
        )
    return replace(predictions, places=[(names[index], index, rect) for _, index, rect in predictions.places])


def _read_json(path):
    try:
        with open(path, encoding='utf-8') as stream:
            content = json.load(stream)
    except (OSError, ValueError) as error:
        raise UserError(f'{path}: damaged or truncated JSON ({error})')
    if not isinstance(content, dict) or content.get('format') != PREDICTIONS_FORMAT:
        raise UserError(f'{path}: JSON, but no predictions of this program; expected "format": "{PREDICTIONS_FORMAT}"')
    if content.get('format_version') != 1:
        raise UserError(f'{path}: format_version {content.get("format_version")!r}; this program reads 1')
    try:
        names = tuple(content['joints'])
        rows = content['predictions']
        # JSON has no NaN: null is a joint that was not found.
        joints = np.array(
            [[[np.nan if value is None else value for value in joint] for joint in row['joints_img']] for row in rows],
            np.float64,
        ).reshape(len(rows), len(names), 2)
        person_ids = [(row['image'], row['person_id']) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f'{path}: not as predictions are written ({type(error).__name__}: {error}); write the file anew'
        )
    if not rows:
        raise UserError(f'{path}: no predictions; evaluate some persons first')
    return PredictedPoses(joints, names, 0, 'predictions.json of this program', person_ids)
