"""Poses predicted without looking at the image: the least that a trained network must exceed."""

import numpy as np


def mean_pose(joints_crop: np.ndarray, labelled: np.ndarray, crop_size: int) -> np.ndarray:
    """Return float64 (J, 2), crop pixels: the average position of every joint where it is labelled.

    joints_crop: (N, J, 2), the training persons, each in its own evaluation crop (no
        augmentation); labelled joints outside the crop count too.
    labelled: bool (N, J).
    crop_size: side of the square crop in pixels; a joint that no person has is put at the centre.
    """
    weights = np.asarray(labelled, np.float64)
    counts = weights.sum(axis=0)
    totals = np.where(weights[..., None] > 0, np.asarray(joints_crop, np.float64), 0.0).sum(axis=0)
    known = counts > 0
    averages = totals / np.where(known, counts, 1.0)[:, None]
    return np.where(known[:, None], averages, centre_pose(len(counts), crop_size))


def centre_pose(num_joints: int, crop_size: int) -> np.ndarray:
    """Return float64 (J, 2): every joint at the centre of a square crop with sides of crop_size pixels."""
    return np.full((num_joints, 2), (crop_size - 1) / 2.0)
