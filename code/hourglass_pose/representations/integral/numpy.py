"""Codec of integral regression: a joint is the mean cell of a softmax map, in NumPy."""

from typing import Tuple

import numpy as np

from hourglass_pose.geometry import crop_from_hm, hm_from_crop, inside_crop
from hourglass_pose.representations.softmax import numpy as softmax

_TINY = 1e-12


class Codec(softmax.Codec):
    """A joint is the expectation of its map, a distribution over cells (Sun et al. 2018, "Integral human pose
    regression", eq. 1).

    The maps are those of 'softmax', with the same scale, so that flips and scales are averaged as maps. No peak is
    searched: `decoding` is always 'expectation'. A mean lies between the centres of the outermost cells, so the target
    of a joint in the outer half of a border cell is clipped to the cell's centre; its decoded position is off by up to
    half a cell. Joints outside the crop are not labelled. The score is the map's height, 1 for a map as compact as the
    Gaussian of the other representations.
    """

    loss = 'integral'
    learns_maps = False
    searches_peak = False
    output_meaning = (
        'logits, whose softmax over the cells of a joint, times 2 pi sigma_hm^2, is the heatmap; the joint is the mean '
        'of the cells weighted by it'
    )

    def __init__(self, heatmap_size: int, stride: int, sigma: float, decoding: str) -> None:
        super().__init__(heatmap_size, stride, sigma, decoding)
        self.decoding = 'expectation'

    def target(self, joints_crop: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        """Return the joints in cells, float32 (..., J, 2), within the centres of the outermost cells; 0 if unlabelled
        or outside the crop."""
        shown = (np.asarray(labelled, bool) & inside_crop(joints_crop, self.crop_size))[..., None]
        joints_hm = hm_from_crop(np.where(shown, joints_crop, 0), self.stride)
        return np.where(shown, np.clip(joints_hm, 0, self.heatmap_size - 1), 0).astype(np.float32)

    def decode(self, maps: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Return (joints_crop float64 (..., J, 2), scores float32 (..., J) in [0, 1]) of maps (..., H, W, J)."""
        maps = np.asarray(maps, np.float32)
        weights = maps.astype(np.float64)
        height, width = maps.shape[-3:-1]
        total = weights.sum(axis=(-3, -2)) + _TINY
        x = np.einsum('...wj,w->...j', weights.sum(axis=-3), np.arange(width)) / total
        y = np.einsum('...hj,h->...j', weights.sum(axis=-2), np.arange(height)) / total
        return crop_from_hm(np.stack([x, y], axis=-1), self.stride), self.scores(maps)
