"""Scoring of files: predictions of any program against ground truth or annotations, recognised by their content."""

from dataclasses import replace
from typing import List, Optional, Sequence, Tuple

from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.converters.mpii_mat import read_mpii_mat
from hourglass_pose.errors import UserError
from hourglass_pose.scoring.array_files import kind_of, read_arrays
from hourglass_pose.scoring.ground_truth import (
    GroundTruth,
    ground_truth_of_arrays,
    ground_truth_of_persons,
    is_ground_truth,
)
from hourglass_pose.scoring.prediction_files import PredictedPoses, name_images, read_predictions
from hourglass_pose.scoring.scoring import Score, score_poses
from hourglass_pose.scoring.submission import find_release, official_images
from hourglass_pose.skeleton import MPII_JOINTS


def score_files(
    predictions_path: str,
    annotation_paths: Sequence[str],
    split: Optional[str] = None,
    variable: Optional[str] = None,
    count_from: Optional[int] = None,
    command: str = '',
) -> Score:
    """Return the Score of a file of predictions.

    Args:
        annotation_paths: annotation files of this project, or one ground truth file of MPII.
        split: 'all', 'train', 'valid' or 'test', the annotated persons to score, missing ones as wrong; None for the
            persons that the predictions name. For arrays, which name no persons, None is 'valid' if the file has it.
        variable: name of the array of predictions, None to search for it by name or shape.
        count_from: number of the first pixel in the predictions, 0 or 1; None for the default of the kind of file.
        command: for the protocol.

    Raises UserError for files that cannot be read or do not fit each other.
    """
    predictions, truth = read_both(predictions_path, annotation_paths, split, variable)
    score = score_poses(predictions, truth, only_predicted=split is None, count_from=count_from)
    files = {'predictions': predictions_path, 'ground_truth': ', '.join(annotation_paths)}
    return replace(score, protocol=dict(files, **score.protocol, command=command))


def read_both(
    predictions_path: str, annotation_paths: Sequence[str], split: Optional[str] = None, variable: Optional[str] = None
) -> Tuple[PredictedPoses, GroundTruth]:
    """Return predictions and ground truth of files. Raises UserError for files that do not fit each other."""
    path = annotation_paths[0]
    kind = kind_of(path)
    if kind in ('matlab', 'hdf5') and len(annotation_paths) > 1:
        raise UserError(f'{path}: a ground truth file stands alone; give one --annotations')
    arrays = read_arrays(path, kind) if kind in ('matlab', 'hdf5') else {}
    if is_ground_truth(arrays):
        if split not in (None, 'all'):
            raise UserError(f'--split {split}: the ground truth .mat has one set of persons; leave --split out')
        truth = ground_truth_of_arrays(arrays, path)
        return read_predictions(predictions_path, len(truth.joints), variable), truth
    predictions = read_predictions(predictions_path, None, variable)
    release = find_release(arrays)
    if release is not None:
        if split not in (None, 'all'):
            raise UserError(
                f'--split {split}: the official file has no such split; leave --split out, or prepare annotations'
            )
        return name_images(predictions, official_images(release, path)), _official_truth(path)
    truth = _annotated_truth(annotation_paths, predictions.names, split, predictions.in_order)
    if predictions.in_order:
        # The number of persons determines the order of the axes, so the array is read again.
        predictions = read_predictions(predictions_path, len(truth.joints), variable)
    return predictions, truth


def _annotated_truth(paths: Sequence[str], names: Sequence[str], split: Optional[str], in_order: bool) -> GroundTruth:
    """Return the GroundTruth of annotation files. in_order: whether predictions do not name their persons."""
    all_persons = read_annotations(list(paths), None, len(names), joint_names=names).persons
    if split is None:
        split = 'valid' if in_order and any(person.split == 'valid' for person in all_persons) else 'all'
    persons: List[Person] = [person for person in all_persons if split in ('all', person.split)]
    if not persons:
        raise UserError(
            f'--split {split}: {", ".join(paths)} assigns no person to it; leave --split out, or prepare the '
            'annotations with their official split'
        )
    return ground_truth_of_persons(persons, all_persons, names, f'annotated persons, split {split}', paths)


def _official_truth(path: str) -> GroundTruth:
    """Return the GroundTruth of the persons of the official annotations that have joints."""
    persons = [person for person in read_mpii_mat(path) if isinstance(person, Person) and person.labelled.any()]
    if not persons:
        raise UserError(f'{path}: no person has joints, so there is nothing to score against')
    description = 'official annotations, all persons with joints'
    return ground_truth_of_persons(persons, persons, MPII_JOINTS, description, [path])
