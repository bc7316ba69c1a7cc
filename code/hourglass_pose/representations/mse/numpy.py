"""Codec of maps trained by the mean squared error: logits are the maps, in NumPy."""

import numpy as np

from hourglass_pose.representations.heatmap.numpy import HeatmapCodec


class Codec(HeatmapCodec):
    """A joint is a Gaussian map, which the network gives directly; predicted maps can be negative."""

    loss = 'mse'
    output_meaning = 'heatmaps, as the network gives them'

    def maps_of_logits(self, logits: np.ndarray) -> np.ndarray:
        return np.asarray(logits, np.float32)
