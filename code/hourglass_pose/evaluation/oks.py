"""Object keypoint similarity (OKS) of poses, as COCO defines it (https://cocodataset.org/#keypoints-eval)."""

from typing import Optional

import numpy as np

# Usual ratio of the area of a person's segment to that of its box, where the data has no segments.
BOX_TO_SEGMENT = 0.53


def person_areas(boxes_img: np.ndarray, areas: Optional[np.ndarray] = None) -> np.ndarray:
    """Return float64 (N,): areas of persons in square pixels, as annotated, otherwise 0.53 x the area of the box.

    Args:
        boxes_img: (N, 4) x0, y0, x1, y1 of the first and the last pixel inclusive.
        areas: (N,) annotated areas, NaN where unknown, or None.
    """
    boxes = np.asarray(boxes_img, np.float64).reshape(-1, 4)
    estimated = BOX_TO_SEGMENT * np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=1)
    return estimated if areas is None else np.where(np.isfinite(areas), areas, estimated)


def keypoint_similarity(
    joints_pred_img: np.ndarray,
    joints_img: np.ndarray,
    labelled: np.ndarray,
    areas: np.ndarray,
    boxes_img: np.ndarray,
    sigmas: np.ndarray,
) -> np.ndarray:
    """Return float64 (...): the OKS of predicted poses with persons, from 0 to 1; leading axes are broadcast.

    OKS is the mean over labelled joints of exp(-d^2 / (2 area (2 sigma)^2)). For a person without a labelled joint,
    such as a crowd, d is the distance of every joint from the box made three times as large, as in COCOeval.

    Args:
        joints_pred_img: (..., J, 2) image pixels; a joint that is not finite has a similarity of 0.
        joints_img: (..., J, 2) image pixels. labelled: bool (..., J).
        areas: (...) square pixels, for instance of person_areas.
        boxes_img: (..., 4) x0, y0, x1, y1 of the first and the last pixel inclusive.
        sigmas: (J,), standard deviations of annotators relative to the person's size, see Skeleton.oks_sigmas.
    """
    pred = np.asarray(joints_pred_img, np.float64)
    labelled = np.asarray(labelled, bool)
    predicted = np.all(np.isfinite(pred), axis=-1)
    pred = np.where(predicted[..., None], pred, 0.0)
    boxes = np.asarray(boxes_img, np.float64)[..., None, :]
    corners, sizes = boxes[..., :2], boxes[..., 2:] - boxes[..., :2] + 1
    outside = np.maximum(0, corners - sizes - pred) + np.maximum(0, pred - corners - 2 * sizes)
    has_labels = np.any(labelled, axis=-1)[..., None]
    offsets = np.where(has_labels[..., None], pred - np.asarray(joints_img, np.float64), outside)
    variances = (2 * np.asarray(sigmas, np.float64)) ** 2
    # The smallest double keeps an area of 0 from dividing by 0, as in COCOeval.
    scales = variances * (np.asarray(areas, np.float64)[..., None] + np.spacing(1)) * 2
    # Very large numbers in a file of predictions overflow to infinity, which is a similarity of 0.
    with np.errstate(over='ignore'):
        similar = np.exp(-(offsets**2).sum(axis=-1) / scales) * predicted
    counted = labelled | ~has_labels
    return np.asarray((similar * counted).sum(axis=-1) / counted.sum(axis=-1))
