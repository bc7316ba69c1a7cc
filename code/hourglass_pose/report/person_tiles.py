"""Tiles of evaluated persons with their predicted and labelled poses; unreadable photos are left out."""

from typing import Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import ImageError
from hourglass_pose.geometry import invert, transform_points
from hourglass_pose.input.pixels import ImageCache, read_pixels
from hourglass_pose.report.drawing import pose_tile
from hourglass_pose.report.sheets import SHEET_COLUMNS, SHEET_PERSONS, contact_sheet
from hourglass_pose.skeleton import Skeleton

SHEET_TILE_WH = (200, 200)

Ranked = Sequence[Tuple[int, float]]
"""(row of a person, its percentage) in some order."""


class PersonTiles:
    """Renders persons from their photos.

    persons: N persons. joints_img: (N, J, 2), their predicted joints in photo pixels. unreadable: error messages of
    photos that could not be read, by path.
    """

    def __init__(self, persons: Sequence[Person], joints_img: np.ndarray, skeleton: Skeleton) -> None:
        self._persons = persons
        self._joints_img = joints_img
        self._skeleton = skeleton
        self.unreadable: Dict[str, str] = {}

    def spread_sheet(self) -> Optional[np.ndarray]:
        """Return a contact sheet of persons spread evenly over all, or None if no photo can be read."""
        total = len(self._persons)
        rows = np.unique(np.linspace(0, total - 1, min(SHEET_PERSONS, total)).astype(int))
        tiles = [(self._tile(row, SHEET_TILE_WH), self._persons[row].person_id) for row in rows]
        return _sheet([(tile, name) for tile, name in tiles if tile is not None], SHEET_COLUMNS)

    def ranked_sheet(self, ranked: Ranked, count: int, columns: int) -> Optional[np.ndarray]:
        """Return a contact sheet of the first persons whose photo can be read, or None without any."""
        first = self.first(ranked, count, SHEET_TILE_WH)
        return _sheet(
            [(tile, f'{percent:.0f} % {self._persons[row].person_id}') for tile, row, percent in first], columns
        )

    def first(self, ranked: Ranked, count: int, tile_wh: Tuple[int, int]) -> List[Tuple[np.ndarray, int, float]]:
        """Return [(tile, row, percent)] of the first persons of a ranking whose photo can be read."""
        tiles: List[Tuple[np.ndarray, int, float]] = []
        for row, percent in ranked:
            if len(tiles) == count:
                break
            tile = self._tile(row, tile_wh)
            if tile is not None:
                tiles.append((tile, row, percent))
        return tiles

    def _tile(self, row: int, tile_wh: Tuple[int, int]) -> Optional[np.ndarray]:
        person, joints = self._persons[row], self._joints_img[row]
        if person.image_path in self.unreadable:
            return None
        try:
            pixels = read_pixels(ImageCache(), person, np.eye(2, 3))
        except ImageError as error:
            self.unreadable[person.image_path] = str(error)
            return None
        image, box = cv2.cvtColor(pixels.image, cv2.COLOR_BGR2RGB), person.box_img.reshape(2, 2)
        joints, truth, box = (
            transform_points(invert(pixels.affine_crop_from_pixels), points)
            for points in (joints, person.joints_img, box)
        )
        return pose_tile(image, self._skeleton, tile_wh, joints, truth, person.labelled, box_img=box.ravel())


def _sheet(tiles: List[Tuple[np.ndarray, str]], columns: int) -> Optional[np.ndarray]:
    if not tiles:
        return None
    images, captions = zip(*tiles)
    return contact_sheet(images, columns, SHEET_TILE_WH, captions)
