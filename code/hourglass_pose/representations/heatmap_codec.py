"""HeatmapCodec: joints to Gaussian heatmaps, and heatmaps back to joints with sub-cell precision."""

import numpy as np

from hourglass_pose.geometry import crop_from_hm, hm_from_crop

DECODINGS = ('dark', 'quarter', 'argmax')
REFERENCE_SIZE = 64
"""Heatmap side, in cells, that sigma is given for."""

_TINY = 1e-10


class HeatmapCodec:
    """Encodes joints as heatmaps and decodes the heatmaps that a network trained on them gives.

    heatmap_size: side of the square maps in cells; stride: crop pixels per cell.
    sigma: standard deviation of the Gaussians in cells of a 64-cell map; scales with heatmap_size.
    loss: the loss the network is trained with, which says how to read its logits: 'mse' (the maps themselves),
    'sigmoid' (sigmoid of them), 'softmax' (softmax over the cells of each map).
    decoding: 'argmax' (centre of the highest cell), 'quarter' (moved a quarter cell towards the higher neighbour,
    Newell et al. 2016, section 3.1) or 'dark' (Taylor expansion of the logarithm, Zhang et al. 2020).
    """

    def __init__(self, heatmap_size, stride=4, sigma=2.0, loss='softmax', decoding='dark'):
        if decoding not in DECODINGS:
            raise ValueError(f'decoding: expected one of {", ".join(DECODINGS)}, found {decoding!r}')
        if loss not in _MAPS_OF_LOGITS:
            raise ValueError(f'loss: expected one of {", ".join(sorted(_MAPS_OF_LOGITS))}, found {loss!r}')
        if not sigma > 0:
            raise ValueError(f'sigma: expected a number > 0, found {sigma!r}')
        self.heatmap_size = heatmap_size
        self.stride = stride
        self.sigma_hm = sigma * heatmap_size / float(REFERENCE_SIZE)
        self.loss = loss
        self.decoding = decoding

    def encode(self, joints_crop, joint_weights):
        """Return (heatmaps float32 (H, W, J), weights float32 (J,)).

        joints_crop: (J, 2); joint_weights: (J,). A joint's map is exp(-d^2 / 2 sigma^2) of the distance d, in cells,
        from the joint's exact position. A joint outside the crop, or of weight 0, has an empty map and weight 0.
        """
        size = self.heatmap_size
        joints_hm = hm_from_crop(joints_crop, self.stride)
        inside = np.all((joints_hm >= -0.5) & (joints_hm < size - 0.5), axis=1)
        weights = np.where(inside, joint_weights, 0).astype(np.float32)
        # The Gaussian is separable: a row and a column, not a map, are exponentiated.
        offsets = np.arange(size)[:, None, None] - np.where(inside[:, None], joints_hm, 0)
        profiles = np.exp(-0.5 * np.square(offsets / self.sigma_hm)).astype(np.float32) * (weights > 0)[:, None]
        return profiles[:, None, :, 1] * profiles[None, :, :, 0], weights

    def maps_of_logits(self, logits):
        """Return the heatmaps that logits (..., H, W, J) stand for, float32; only those of 'mse' can be negative.

        A softmax map sums to one; it is scaled by 2 pi sigma^2, the sum of a whole Gaussian, so that a perfect
        prediction peaks at one as the maps of the other losses do. Where the border cuts the Gaussian it peaks higher,
        up to four in a corner.
        """
        maps = _MAPS_OF_LOGITS[self.loss](np.asarray(logits, np.float32))
        return maps * np.float32(2 * np.pi * self.sigma_hm**2) if self.loss == 'softmax' else maps

    def decode(self, maps):
        """Return (joints_crop float64 (..., J, 2), scores float32 (..., J) in [0, 1]) of heatmaps (..., H, W, J).

        The score is the map's highest value, held within [0, 1]. The first of equal cells in reading order counts.
        """
        maps = np.asarray(maps, np.float32)
        height, width = maps.shape[-3:-1]
        planes = np.moveaxis(maps, -1, -3).reshape((-1, height, width))
        cells = self.peak_cells(maps).reshape((-1, 2))
        scores = np.clip(planes[np.arange(len(planes)), cells[:, 1], cells[:, 0]], 0.0, 1.0)
        joints_hm = cells + _OFFSETS[self.decoding](planes, cells, self.sigma_hm)
        shape = maps.shape[:-3] + maps.shape[-1:]
        return crop_from_hm(joints_hm, self.stride).reshape(shape + (2,)), scores.reshape(shape)

    @staticmethod
    def peak_cells(maps):
        """Return the (x, y) of the highest cell of each map, int (..., J, 2), of maps (..., H, W, J)."""
        height, width = maps.shape[-3:-1]
        flat = np.moveaxis(maps, -1, -3).reshape(maps.shape[:-3] + (maps.shape[-1], height * width))
        peaks = np.argmax(flat, axis=-1)
        return np.stack([peaks % width, peaks // width], axis=-1)


def _softmax_over_cells(logits):
    shifted = np.exp(logits - logits.max(axis=(-3, -2), keepdims=True))
    return shifted / shifted.sum(axis=(-3, -2), keepdims=True)


def _sigmoid(logits):
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))


_MAPS_OF_LOGITS = {'mse': lambda logits: logits, 'sigmoid': _sigmoid, 'softmax': _softmax_over_cells}


def _no_offset(planes, cells, sigma_hm):
    del planes, sigma_hm
    return np.zeros(cells.shape)


def _quarter_offset(planes, cells, sigma_hm):
    """A quarter cell towards the higher neighbour in x and in y; none at the border."""
    del sigma_hm
    around = _neighbourhoods(planes, cells)
    gradient = np.stack([around[:, 1, 2] - around[:, 1, 0], around[:, 2, 1] - around[:, 0, 1]], axis=1)
    return 0.25 * np.sign(gradient) * _is_inner(planes, cells)


def _dark_offset(planes, cells, sigma_hm):
    """Newton step from the cell to the maximum of the smoothed map's logarithm (Zhang et al. 2020, eq. 3 to 7).

    The map is smoothed by the Gaussian it was trained on, which keeps the place of a Gaussian's peak (below a sigma
    of 0.75 cells, where cells are too coarse for it, only to a tenth of a cell) and removes the ripples of a
    predicted one; nearer to the border than the smoothing reaches it is taken as it is. The step is held within
    the peak's own cell and, where the logarithm is not concave or the peak lies on the border, falls back to the
    quarter offset.
    """
    around = np.maximum(_smoothed_neighbourhoods(planes, cells, sigma_hm), 0)
    log_maps = np.log(around + _TINY * around.max(axis=(1, 2), keepdims=True) + np.finfo(np.float64).tiny)
    dx = (log_maps[:, 1, 2] - log_maps[:, 1, 0]) / 2
    dy = (log_maps[:, 2, 1] - log_maps[:, 0, 1]) / 2
    dxx = log_maps[:, 1, 2] - 2 * log_maps[:, 1, 1] + log_maps[:, 1, 0]
    dyy = log_maps[:, 2, 1] - 2 * log_maps[:, 1, 1] + log_maps[:, 0, 1]
    dxy = (log_maps[:, 2, 2] - log_maps[:, 2, 0] - log_maps[:, 0, 2] + log_maps[:, 0, 0]) / 4
    determinant = dxx * dyy - dxy**2
    concave = (determinant > 0) & (dxx < 0) & _is_inner(planes, cells).all(axis=1)
    safe = np.where(concave, determinant, 1.0)
    step = -np.stack([dyy * dx - dxy * dy, dxx * dy - dxy * dx], axis=1) / safe[:, None]
    return np.where(concave[:, None], np.clip(step, -0.5, 0.5), _quarter_offset(planes, cells, sigma_hm))


def _is_inner(planes, cells):
    """bool (P, 2): whether the cell has both neighbours in x, and in y."""
    height, width = planes.shape[1:]
    return (cells > 0) & (cells < np.array([width, height]) - 1)


def _neighbourhoods(planes, cells):
    """The 3x3 cells around each peak, (P, 3, 3); cells outside repeat the border."""
    height, width = planes.shape[1:]
    ys = np.clip(cells[:, 1, None] + np.arange(-1, 2), 0, height - 1)
    xs = np.clip(cells[:, 0, None] + np.arange(-1, 2), 0, width - 1)
    return planes[np.arange(len(planes))[:, None, None], ys[:, :, None], xs[:, None, :]]


def _smoothed_neighbourhoods(planes, cells, sigma_hm):
    """The 3x3 cells around each peak of the Gaussian-smoothed maps, (P, 3, 3) float64."""
    radius = int(np.ceil(3 * sigma_hm))
    kernel = np.exp(-0.5 * np.square(np.arange(-radius, radius + 1) / sigma_hm))
    kernel /= kernel.sum()
    # Row i holds the kernel centred on cell i of the three: smoothing is rows x patch x rows transposed.
    rows = np.stack([np.pad(kernel, (i, 2 - i), 'constant') for i in range(3)])
    smoothed = _neighbourhoods(planes, cells).astype(np.float64)
    reach = radius + 1
    height, width = planes.shape[1:]
    far_from_border = np.all((cells >= reach) & (cells < np.array([width, height]) - reach), axis=1)
    for index in np.flatnonzero(far_from_border):
        x, y = cells[index]
        patch = planes[index, y - reach : y + reach + 1, x - reach : x + reach + 1]
        smoothed[index] = rows.dot(patch).dot(rows.T)
    return smoothed


_OFFSETS = {'argmax': _no_offset, 'quarter': _quarter_offset, 'dark': _dark_offset}
