"""Similarity of predicted poses: OKS with the sizes of the poses themselves in place of annotated ones."""

import numpy as np

from hourglass_pose.evaluation.oks import keypoint_similarity, person_areas

_USUAL_SIGMA = 0.079  # of shoulders and head, for joints that have none
_BOX_MARGIN = 0.05  # widening of the joints' tight box to a person's box, on each side, as a share of its longer side


def pose_similarities(joints_img: np.ndarray, others_img: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Return float64 (D, G): the OKS of poses (D, J, 2) with others (G, J, 2), by the sizes of the others.

    sigmas: (J,), for instance from known_sigmas.
    """
    boxes = person_boxes(others_img)
    labelled = np.ones(others_img.shape[:2], bool)
    return keypoint_similarity(joints_img[:, None], others_img, labelled, person_areas(boxes), boxes, sigmas)


def known_sigmas(sigmas: np.ndarray) -> np.ndarray:
    """Return OKS sigmas (J,) float64 with a usual one in place of NaN."""
    return np.where(np.isfinite(sigmas), sigmas, _USUAL_SIGMA)


def person_boxes(joints_img: np.ndarray) -> np.ndarray:
    """Return boxes_img (N, 4): tight boxes of poses (N, J, 2), widened a little, as people are wider than joints."""
    lower, upper = joints_img.min(axis=1), joints_img.max(axis=1)
    margin = _BOX_MARGIN * (upper - lower).max(axis=1, keepdims=True)
    return np.concatenate([lower - margin, upper + margin], axis=1)
