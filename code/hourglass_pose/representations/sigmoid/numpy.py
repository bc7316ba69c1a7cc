"""Codec of sigmoid maps: logits to probabilities, in NumPy."""

import numpy as np

from hourglass_pose.representations.heatmap.numpy import HeatmapCodec


class Codec(HeatmapCodec):
    """A joint is a Gaussian map of probabilities, one a cell, as in the original TensorFlow 1 code."""

    loss = 'sigmoid'
    output_meaning = 'logits, whose sigmoid is the heatmap'

    def maps_of_logits(self, logits: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-np.clip(np.asarray(logits, np.float32), -80.0, 80.0)))
