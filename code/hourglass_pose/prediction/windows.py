"""Windows: square parts of a photo at several sizes and positions, cut as crops of a network's input size."""

import itertools
import math
from dataclasses import dataclass
from typing import Iterable, Iterator, List, Tuple

import cv2
import numpy as np

SMALLEST_PERSON = 0.22
"""The smallest person that is searched for: its longer side as a share of the photo's shorter side."""
_NARROWEST_PERSON = 0.25  # shorter side of a person / longer side
_SIZE_STEP = 1.45  # largest ratio of two sizes of persons that are searched for
_POSITION_STEP = 0.36  # largest distance of two windows, as a share of their side


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of a photo. Those of each size are the squares of a chessboard, of which the first one is white.

    crops: (N, S, S, 3) uint8. affines_crop_from_img: (N, 2, 3). places: (size, row, column) of each.
    """

    crops: np.ndarray
    affines_crop_from_img: np.ndarray
    places: List[Tuple[int, int, int]]

    @property
    def white(self) -> np.ndarray:
        """bool (N,): whether a window is on a white square."""
        return np.array([(row + column) % 2 == 0 for _, row, column in self.places])

    def beside(self, indices: Iterable[int]) -> np.ndarray:
        """Return the indices of the windows next to one of these in its row or column."""
        around = {
            (size, row + down, column + right)
            for size, row, column in (self.places[index] for index in indices)
            for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1))
        }
        return np.array([index for index, place in enumerate(self.places) if place in around], int)


def cut_windows(image: np.ndarray, crop_size: int, padding: float) -> Windows:
    """Return the Windows of a photo; what lies outside of it is black.

    The photo is scaled once for each size, and the windows are parts of it at whole pixels.

    Args:
        image: (H, W, 3) uint8 RGB.
        crop_size: side of a crop in pixels.
        padding: side of the crop that fits a person / longer side of the person.
    """
    crops: List[np.ndarray] = []
    affines: List[np.ndarray] = []
    places: List[Tuple[int, int, int]] = []
    height, width = image.shape[:2]
    scaled = image
    for index, (side, rows, columns) in enumerate(window_positions(width, height, padding)):
        size = [max(1, int(round(length * crop_size / side))) for length in (width, height)]
        # Windows grow, so each scaled photo is made of the one before, which is smaller than the photo.
        shrinks = size[0] <= scaled.shape[1] and size[1] <= scaled.shape[0]
        scaled = cv2.resize(
            scaled if shrinks else image,
            (size[0], size[1]),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )
        padded = np.pad(scaled, [(crop_size, crop_size)] * 2 + [(0, 0)])
        factors = np.array(size) / [width, height]
        for (row, y_img), (column, x_img) in itertools.product(enumerate(rows), enumerate(columns)):
            first = np.floor((np.array([x_img, y_img]) + 0.5) * factors - crop_size / 2 + 0.5).astype(int)
            x, y = np.clip(first + crop_size, 0, [size[0] + crop_size, size[1] + crop_size])
            crops.append(padded[y : y + crop_size, x : x + crop_size])
            # A pixel of the photo, scaled about the corner of the photo at -0.5, and moved to the window.
            offset = 0.5 * factors - 0.5 - ([x, y] - np.array([crop_size, crop_size]))
            affines.append(np.hstack([np.diag(factors), offset[:, None]]))
            places.append((index, row, column))
    return Windows(np.stack(crops), np.stack(affines), places)


def window_positions(width: int, height: int, padding: float) -> Iterator[Tuple[float, List[float], List[float]]]:
    """Yield (side, y of the rows' centres, x of the columns' centres) of the windows for each size, smallest first.

    A whole person, whose longer side is between SMALLEST_PERSON and 1 of the photo's shorter side, is in the middle of
    a window to within half of _POSITION_STEP of the window's side and half of _SIZE_STEP in size. The centre of a
    narrow one may be near any border. padding: as in cut_windows.
    """
    count = math.ceil(math.log(1 / SMALLEST_PERSON) / math.log(_SIZE_STEP))
    step = (1 / SMALLEST_PERSON) ** (1 / count)
    for index in range(count):
        smallest = min(width, height) * SMALLEST_PERSON * step**index
        side = smallest * math.sqrt(step) * padding
        narrowest = _NARROWEST_PERSON * smallest
        rows, columns = [_positions(length, narrowest, _POSITION_STEP * side) for length in (height, width)]
        yield side, rows, columns


def _positions(length: int, narrowest: float, step: float) -> List[float]:
    """Return coordinates of window centres along a photo's side: the middles of equal parts of where persons can be.

    narrowest: width of a person, whose centre is at least half of it away from the border. step: largest distance.
    """
    span = max(0.0, length - narrowest)
    count = max(1, math.ceil(span / step))
    # The centre of a person as long as the photo is in the middle.
    count = 3 if count == 2 else count
    return [(length - span) / 2 + span * (index + 0.5) / count - 0.5 for index in range(count)]
