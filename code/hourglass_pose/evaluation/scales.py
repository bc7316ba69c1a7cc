"""Heatmaps of one person at several scales, resampled to the frame of scale 1 and averaged."""

from typing import Sequence

import numpy as np


def resampling_matrix(scale: float, size: int) -> np.ndarray:
    """Return float64 (size, size): row i holds the weights of a zoomed map's cells for cell i of the frame.

    In a crop zoomed by `scale` about its centre, cell i lies at scale * (i - c) + c, c being the centre. The weights
    are those of linear interpolation between the two nearest cells; what lies beyond the map has none, so a row sums
    to the share of it that the zoomed map shows: 1 inside, 0 outside.
    """
    centre = (size - 1) / 2.0
    positions = scale * (np.arange(size) - centre) + centre
    weights: np.ndarray = np.maximum(0.0, 1.0 - np.abs(positions[:, None] - np.arange(size)[None, :]))
    return weights


def average_over_scales(maps_by_scale: Sequence[np.ndarray], scales: Sequence[float]) -> np.ndarray:
    """Return float32 heatmaps (N, H, H, J) in the frame of scale 1: at each cell the mean of the maps that cover it.

    maps_by_scale: for each scale the maps (N, H, H, J) of the crops zoomed by it. A map larger than the frame (scale
    below 1) shows all of it, a smaller one its middle. Cells that no map shows are 0. The maps keep their heights:
    a peak is where it was, only wider or narrower by the scale.
    """
    size = maps_by_scale[0].shape[1]
    totals = np.zeros(maps_by_scale[0].shape)
    weights = np.zeros((size, size))
    for maps, scale in zip(maps_by_scale, scales):
        matrix = resampling_matrix(scale, size)
        shown = matrix.sum(axis=1)
        weights += np.outer(shown, shown)
        # One person at a time: the last bits of a matrix product may depend on how many columns it has.
        for total, person in zip(totals, maps):
            rows = np.tensordot(matrix, person.astype(np.float64), axes=(1, 0))
            total += np.tensordot(rows, matrix, axes=(1, 1)).transpose(0, 2, 1)
    average: np.ndarray = totals / np.where(weights > 0, weights, 1.0)[:, :, None]
    return average.astype(np.float32)
