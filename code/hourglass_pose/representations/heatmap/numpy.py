"""HeatmapCodec: joints to Gaussian heatmaps, and heatmaps to joints with sub-cell precision, in NumPy."""

from typing import Callable, Dict, Tuple

import numpy as np

from hourglass_pose.geometry import crop_from_hm, hm_from_crop, inside_crop

DECODINGS = ('dark', 'quarter', 'argmax')
REFERENCE_SIZE = 64
"""Heatmap side, in cells, that sigma is given for."""

USUAL_SIGMA = 2.0
"""The usual standard deviation of the Gaussians, in cells of a map of REFERENCE_SIZE."""

_TINY = 1e-10


class HeatmapCodec:
    """Encodes joints for training and decodes the output of a network. Each representation has a subclass `Codec`.

    heatmap_size: side of the square maps in cells. stride: crop pixels per cell. sigma_hm: standard deviation of the
    Gaussians in cells.
    decoding: 'argmax' (centre of the highest cell), 'quarter' (moved a quarter cell towards the higher neighbour,
    Newell et al. 2016, section 3.1) or 'dark' (Taylor expansion of the logarithm, Zhang et al. 2020).
    """

    loss = ''
    """Name of the representation in the table."""
    output_meaning = ''
    """Description of the network's output, for the record of an exported model."""
    learns_maps = True
    """Whether the target is a map, which can be empty (weighted_loss False) or mixed with that of a teacher."""
    searches_peak = True
    """Whether `decoding` has an effect: it says how a joint follows from the highest cell."""

    def __init__(self, heatmap_size: int, stride: int, sigma: float, decoding: str) -> None:
        if decoding not in DECODINGS:
            raise ValueError(f'decoding: expected one of {", ".join(DECODINGS)}, found {decoding!r}')
        if not sigma > 0:
            raise ValueError(f'sigma: expected a number > 0, found {sigma!r}')
        self.heatmap_size = heatmap_size
        self.stride = stride
        self.sigma_hm = sigma * heatmap_size / float(REFERENCE_SIZE)
        self.decoding = decoding

    @property
    def crop_size(self) -> int:
        """Side of the crop in pixels."""
        return self.heatmap_size * self.stride

    def target_maps(self, joints_crop: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        """Return Gaussian maps float32 (..., H, W, J), peak 1, of joints (..., J, 2) in crop pixels.

        A map is exp(-d^2 / 2 sigma^2) of the distance d, in cells, from the joint's exact position. A joint that is not
        labelled (..., J) or lies outside the crop has an empty map.
        """
        shown = np.asarray(labelled, bool) & inside_crop(joints_crop, self.crop_size)
        joints_hm = hm_from_crop(np.where(shown[..., None], joints_crop, 0), self.stride)
        # The Gaussian is separable: a row and a column, not a map, are exponentiated.
        offsets = np.arange(self.heatmap_size)[:, None, None] - joints_hm[..., None, :, :]
        profiles = np.exp(-0.5 * np.square(offsets / self.sigma_hm)).astype(np.float32) * shown[..., None, :, None]
        return profiles[..., :, None, :, 1] * profiles[..., None, :, :, 0]

    def target(self, joints_crop: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        """Return what the loss compares with, as the graph half computes it; by default the maps of target_maps."""
        return self.target_maps(joints_crop, labelled)

    def maps_of_logits(self, logits: np.ndarray) -> np.ndarray:
        """Return the maps float32 that a network's logits (..., H, W, J) stand for, which are averaged and decoded."""
        raise NotImplementedError

    def decode(self, maps: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Return (joints_crop float64 (..., J, 2), scores float32 (..., J) in [0, 1]) of maps (..., H, W, J).

        The score is the map's highest value, held within [0, 1]. The first of equal cells in reading order counts.
        """
        maps = np.asarray(maps, np.float32)
        height, width = maps.shape[-3:-1]
        planes = np.moveaxis(maps, -1, -3).reshape((-1, height, width))
        cells = self.peak_cells(maps).reshape((-1, 2))
        joints_hm = cells + _OFFSETS[self.decoding](planes, cells, self.sigma_hm)
        shape = maps.shape[:-3] + maps.shape[-1:]
        return crop_from_hm(joints_hm, self.stride).reshape(shape + (2,)), self.scores(maps)

    @staticmethod
    def scores(maps: np.ndarray) -> np.ndarray:
        """Return the highest value of each map (..., H, W, J), held within [0, 1], float32 (..., J)."""
        return np.clip(np.max(maps, axis=(-3, -2)), 0.0, 1.0).astype(np.float32)

    def comparable_scores(self, scores: np.ndarray) -> np.ndarray:
        """Return scores (..., J) as they would be with USUAL_SIGMA, so that those of different networks compare."""
        return scores

    @staticmethod
    def peak_cells(maps: np.ndarray) -> np.ndarray:
        """Return the (x, y) of the highest cell of each map, int (..., J, 2), of maps (..., H, W, J)."""
        height, width = maps.shape[-3:-1]
        flat = np.moveaxis(maps, -1, -3).reshape(maps.shape[:-3] + (maps.shape[-1], height * width))
        peaks = np.argmax(flat, axis=-1)
        return np.stack([peaks % width, peaks // width], axis=-1)

    def nearest_cells(self, joints_crop: np.ndarray) -> np.ndarray:
        """Return the (x, y) of the cells nearest to joints (..., J, 2), int: the peaks of their target maps."""
        # At the midpoint between two cells the first one counts, as for a peak.
        cells = np.ceil(hm_from_crop(joints_crop, self.stride) - 0.5)
        return np.clip(cells, 0, self.heatmap_size - 1).astype(np.int64)


def softmax_over_cells(logits: np.ndarray) -> np.ndarray:
    """Return the softmax over the cells of each map (..., H, W, J), float32."""
    logits = np.asarray(logits, np.float32)
    shifted = np.exp(logits - logits.max(axis=(-3, -2), keepdims=True))
    return shifted / shifted.sum(axis=(-3, -2), keepdims=True)


def _no_offset(planes: np.ndarray, cells: np.ndarray, sigma_hm: float) -> np.ndarray:
    del planes, sigma_hm
    return np.zeros(cells.shape)


def _quarter_offset(planes: np.ndarray, cells: np.ndarray, sigma_hm: float) -> np.ndarray:
    """Return a quarter cell towards the higher neighbour in x and in y; none at the border."""
    del sigma_hm
    near = _neighbourhoods(planes, cells, np.zeros(cells.shape), 1.0)
    gradient = np.stack([near[:, 1, 2] - near[:, 1, 0], near[:, 2, 1] - near[:, 0, 1]], axis=1)
    return 0.25 * np.sign(gradient) * _is_inner(planes, cells)


def _dark_offset(planes: np.ndarray, cells: np.ndarray, sigma_hm: float) -> np.ndarray:
    """Return the Newton step from the cell to the maximum of the smoothed map's logarithm (Zhang et al. 2020, eq. 3-7).

    The map is smoothed by the Gaussian that it was trained on. This keeps the position of a Gaussian's peak (below a
    sigma of 0.75 cells, where cells are too coarse for it, only to a tenth of a cell) and removes the ripples of a
    predicted map. Near the border the kernel is cut equally on both sides, to what fits around the peak and its
    neighbours. The published code pads with zeros: it then smooths a Gaussian that the border has cut, whose maximum
    is moved inwards by up to a quarter of a cell.
    The step is held within the peak's own cell. Where the logarithm is not concave, or the peak lies on the border, it
    falls back to the quarter offset.
    """
    size_wh = np.array(planes.shape[:0:-1])
    radius = np.clip(np.minimum(cells - 1, size_wh - 2 - cells), 0, int(np.ceil(3 * sigma_hm)))
    near = np.maximum(_neighbourhoods(planes, cells, radius, sigma_hm), 0)
    log_maps = np.log(near + _TINY * near.max(axis=(1, 2), keepdims=True) + np.finfo(np.float64).tiny)
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


def _is_inner(planes: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return bool (P, 2): whether the cell has both neighbours in x, and in y."""
    return (cells > 0) & (cells < np.array(planes.shape[:0:-1]) - 1)


def _neighbourhoods(planes: np.ndarray, cells: np.ndarray, radius: np.ndarray, sigma_hm: float) -> np.ndarray:
    """Return the 3 x 3 cells around each peak of smoothed maps, float64 (P, 3, 3); cells beyond the border are 0.

    planes: (P, H, W). cells: (P, 2), x and y of the peaks. radius: (P, 2), half width of the kernel in x and in y, in
    cells; 0 smooths nothing. The kernel is not normalised.
    """
    height, width = planes.shape[1:]
    rows = _kernel_rows(cells[:, 1], radius[:, 1], height, sigma_hm)
    columns = _kernel_rows(cells[:, 0], radius[:, 0], width, sigma_hm)
    # In one layout of memory NumPy multiplies in one order, so a map's result does not depend on the others.
    contiguous = [np.ascontiguousarray(array, np.float64) for array in (rows, planes, columns.swapaxes(1, 2))]
    return np.matmul(np.matmul(contiguous[0], contiguous[1]), contiguous[2])


def _kernel_rows(cell: np.ndarray, radius: np.ndarray, size: int, sigma_hm: float) -> np.ndarray:
    """Return (P, 3, size): the Gaussian kernel around the cells before, at and after each peak."""
    distance = np.abs(np.arange(size) - (cell[:, None, None] + np.arange(-1, 2)[:, None]))
    return np.exp(-0.5 * np.square(distance / sigma_hm)) * (distance <= radius[:, None, None])


_OFFSETS: Dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    'argmax': _no_offset,
    'quarter': _quarter_offset,
    'dark': _dark_offset,
}
