"""Pose: a predicted person; and the box of a person in a photo."""

from dataclasses import dataclass
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.errors import UserError


@dataclass(frozen=True, eq=False)
class Pose:
    """A predicted person.

    names: J joints. joints_img: (J, 2) float64, photo pixels. scores: (J,) float32 in [0, 1].
    box_img: (x0, y0, x1, y1), first and last pixel inclusive, the box that the crop was cut around.
    score: in [0, 1], how surely this is a person with these joints, see Predictor.look and find_persons.
    """

    names: Tuple[str, ...]
    joints_img: np.ndarray
    scores: np.ndarray
    box_img: np.ndarray
    score: float

    def as_dict(self) -> Dict[str, Any]:
        """Return a JSON-able dict: score, joints by name as [x, y, score], and the box as [x, y, width, height]."""
        x0, y0, x1, y1 = [float(value) for value in self.box_img]
        joints = {
            name: [float(x), float(y), float(score)]
            for name, (x, y), score in zip(self.names, self.joints_img, self.scores)
        }
        return {'score': self.score, 'joints': joints, 'box': [x0, y0, x1 - x0 + 1, y1 - y0 + 1]}


def box_in_photo(box: Optional[Sequence[float]], width: int, height: int) -> np.ndarray:
    """Return box_img (x0, y0, x1, y1) of a box (x, y, width, height), or of the whole photo for None.

    A box may extend beyond the photo. Raises UserError for a box without area or entirely outside of the photo.
    """
    if box is None:
        return np.array([0, 0, width - 1, height - 1], np.float64)
    x, y, box_width, box_height = [float(value) for value in box]
    box_img = np.array([x, y, x + box_width - 1, y + box_height - 1])
    if (
        not np.isfinite(box_img).all()
        or min(box_width, box_height) <= 0
        or x >= width
        or y >= height
        or x + box_width <= 0
        or y + box_height <= 0
    ):
        raise UserError(
            f'box {x:g},{y:g},{box_width:g},{box_height:g}: expected x,y,width,height of an area within the photo, '
            f'which is {width} x {height} pixels'
        )
    return box_img
