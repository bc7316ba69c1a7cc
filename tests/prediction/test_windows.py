"""Windows: every person is in the centre of one, and its affine maps its content to the photo."""

import itertools
import tracemalloc

import numpy as np
import pytest

from hourglass_pose import geometry
from hourglass_pose.input.cropping import warp_crop
from hourglass_pose.prediction import windows
from hourglass_pose.prediction.windows import SMALLEST_PERSON, cut_windows, window_positions

PADDING = 1.32


@pytest.mark.parametrize('width, height', [(640, 480), (480, 640), (1000, 300), (37, 37), (3000, 4000)])
def test_every_whole_person_is_in_the_middle_of_a_window_of_its_size(rng, width, height):
    positions = [
        (side, np.array(list(itertools.product(columns, rows))))
        for side, rows, columns in window_positions(width, height, PADDING)
    ]
    for _ in range(300):
        size = min(width, height) * SMALLEST_PERSON ** rng.uniform()
        # Upright or lying, and as narrow as a quarter of that.
        extent = rng.permutation([size, size * rng.uniform(0.25, 1)])
        centre = extent / 2 + rng.uniform(size=2) * (np.array([width, height]) - extent) - 0.5
        ratios = [abs(np.log(size * PADDING / side)) for side, _ in positions]
        side, centres = positions[int(np.argmin(ratios))]
        assert min(ratios) <= np.log(windows._SIZE_STEP) / 2 + 1e-9
        assert np.abs(centres - centre).max(axis=1).min() <= windows._POSITION_STEP / 2 * side + 1e-9


def test_a_search_is_cheap():
    assert sum(len(rows) * len(columns) for _, rows, columns in window_positions(640, 480, PADDING)) <= 187


@pytest.mark.parametrize('width, height, size', [(640, 480, 64), (90, 70, 96), (501, 333, 64), (20, 300, 32)])
def test_windows_show_what_their_maps_say(rng, width, height, size):
    # Smooth, so that ways of scaling differ by little.
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(2 * np.pi * (columns * a / width + rows * b / height)) for a, b in ((1, 0), (0, 1), (1, 1))]
    image = (127 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)
    found = cut_windows(image, size, PADDING)
    assert found.crops.shape == (len(found.affines_crop_from_img), size, size, 3) and found.crops.dtype == np.uint8
    for crop, affine in zip(found.crops, found.affines_crop_from_img):
        expected = warp_crop(image, affine, size)
        pixels = np.indices((size, size))[::-1].reshape(2, -1).T
        pixels_img = geometry.transform_points(geometry.invert(affine), pixels)
        # At the border of the photo black is mixed in or not.
        step = 1.0 + 1.5 / min(affine[0, 0], affine[1, 1])
        inner = ((pixels_img > step) & (pixels_img < np.array([width, height]) - 1 - step)).all(1).reshape(size, size)
        outer = ((pixels_img < -step) | (pixels_img > np.array([width, height]) - 1 + step)).any(1).reshape(size, size)
        if inner.any():
            # A wave rises by at most 2 pi 100 / width a pixel; half a pixel of the coarser grid, and rounding.
            bound = 2 + 0.5 * 2 * np.pi * 100 * np.hypot(1 / width, 1 / height) * max(1, 1 / affine[0, 0])
            assert np.abs(crop[inner].astype(int) - expected[inner].astype(int)).max() <= bound
        assert not crop[outer].any()


def test_windows_are_a_chessboard_for_each_size():
    found = cut_windows(np.zeros((480, 640, 3), np.uint8), 64, PADDING)
    first = 0
    for _, rows, columns in window_positions(640, 480, PADDING):
        places = list(itertools.product(range(len(rows)), range(len(columns))))
        board = slice(first, first + len(places))
        first += len(places)
        assert [bool(white) for white in found.white[board]] == [(row + column) % 2 == 0 for row, column in places]
        for index, place in enumerate(places):
            apart = np.abs(np.array(places) - place).sum(axis=1)
            expected = board.start + np.flatnonzero(apart == 1)
            assert found.beside([board.start + index]).tolist() == expected.tolist()
    assert first == len(found.crops) == len(found.white)
    assert found.beside([0, 2]).tolist() == sorted({*found.beside([0]), *found.beside([2])})
    assert found.beside([]).size == 0


def test_memory_is_in_proportion_to_the_windows():
    image = np.zeros((200, 12000, 3), np.uint8)
    tracemalloc.start()
    try:
        found = cut_windows(image, 16, PADDING)
        found.beside(np.flatnonzero(found.white))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The crops twice, and some numbers of each; a byte for each pair of the 8,511 windows is 72 MB.
    assert len(found.crops) == 8511 and peak < 2 * found.crops.nbytes + image.nbytes + 2000 * len(found.crops) < 8511**2
