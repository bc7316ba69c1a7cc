"""Codec of softmax maps: logits to distributions over cells, in NumPy."""

import numpy as np

from hourglass_pose.representations.heatmap.numpy import REFERENCE_SIZE, USUAL_SIGMA, HeatmapCodec, softmax_over_cells


class Codec(HeatmapCodec):
    """A joint is a distribution over the cells of its map.

    A map sums to one. It is scaled by 2 pi sigma^2, the sum of a whole Gaussian, so that a perfect prediction peaks at
    one as the maps of other representations do. Where the border cuts the Gaussian it peaks higher, up to four in a
    corner.
    """

    loss = 'softmax'
    output_meaning = 'logits, whose softmax over the cells of a joint, times 2 pi sigma_hm^2, is the heatmap'

    @property
    def height(self) -> float:
        """Factor between probabilities and maps."""
        return 2 * np.pi * self.sigma_hm**2

    def comparable_scores(self, scores: np.ndarray) -> np.ndarray:
        # A map is the joint's Gaussian spread by the network's uncertainty w, so its peak is s = sigma^2 / (sigma^2 +
        # w^2) of a Gaussian's. This is s for another sigma and the same w.
        ratio = (self.sigma_hm / (USUAL_SIGMA * self.heatmap_size / REFERENCE_SIZE)) ** 2
        return scores / (scores + ratio * (1 - scores))

    def maps_of_logits(self, logits: np.ndarray) -> np.ndarray:
        return softmax_over_cells(logits) * np.float32(self.height)
