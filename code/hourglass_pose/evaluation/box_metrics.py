"""Metrics that need only a person's box: PCK by its longer side, and object keypoint similarity (OKS) by its area."""

from typing import Dict, Sequence

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.evaluation.oks import keypoint_similarity, person_areas
from hourglass_pose.evaluation.pckh import area_under_curve, normalised_distances, percent_within, summarise_joints
from hourglass_pose.skeleton import Skeleton

# Up to the whole side: with a lower limit, all errors beyond it would count the same, and few joints decide by chance.
_THRESHOLDS = np.arange(101) / 100.0


def box_metrics(
    joints_pred_img: np.ndarray, persons: Sequence[Person], scored_joints: np.ndarray, skeleton: Skeleton
) -> Dict[str, dict]:
    """Return the JSON-able metrics of N persons by name, in percent.

    'box_pck_auc' is the area under the curve of PCK by the longer side of the box, thresholds 0 to 1, with the keys of
    summarise_joints. PCK by the longer side is that of Yang and Ramanan (2013). With few joints, the percentage within
    one threshold takes few values, so the best one is a matter of chance; the area changes with every error.

    'oks' has the mean over persons, 'share@0.5' and 'share@0.75', the shares of persons with at least that OKS, and
    'areas', the number of persons by the origin of their area. It is left out if a joint has no sigma.

    Args:
        joints_pred_img: (N, J, 2) image pixels; a joint that is not finite counts as wrong.
        scored_joints: bool (J,), the joints that are scored where they are labelled.
    """
    joints = np.array([person.joints_img for person in persons], np.float64)
    scored = np.array([person.labelled for person in persons], bool) & scored_joints
    boxes = np.array([person.box_img for person in persons], np.float64)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0).max(axis=1)
    curve, counts = percent_within(normalised_distances(joints_pred_img, joints, scored, sides), _THRESHOLDS)
    metrics = {'box_pck_auc': summarise_joints(area_under_curve(curve), counts, skeleton)}
    if np.isfinite(skeleton.oks_sigmas).all():
        areas = np.array([np.nan if person.area is None else person.area for person in persons], np.float64)
        rows = scored.any(axis=1)
        similarity = 100 * keypoint_similarity(
            np.asarray(joints_pred_img)[rows],
            joints[rows],
            scored[rows],
            person_areas(boxes, areas)[rows],
            boxes[rows],
            skeleton.oks_sigmas,
        )
        metrics['oks'] = {
            'mean': float(similarity.mean()) if rows.any() else None,
            'share@0.5': float(100 * (similarity >= 50).mean()) if rows.any() else None,
            'share@0.75': float(100 * (similarity >= 75).mean()) if rows.any() else None,
            'areas': {'annotated': int(np.isfinite(areas[rows]).sum()), '0.53 x box': int(np.isnan(areas[rows]).sum())},
        }
    return metrics
