"""Square crops of persons: CropRule selects the part of the image, warp_crop computes its pixels."""

import math
from dataclasses import dataclass
from typing import Sequence, Tuple

import cv2
import numpy as np

from hourglass_pose import geometry
from hourglass_pose.annotations.person import Person
from hourglass_pose.input import centre_scale
from hourglass_pose.input.augmentations.base import View

# Side of the square of centre and scale / longer side of the tight box of the labelled joints: the median over the
# 22,246 training persons of MPII is 1.64, the quartiles are 1.33 and 2.19. As a margin on each side:
BARE_BOX_MARGIN = 0.32

_SMALLEST_POSE = 0.1  # side of a crop around joints, as a share of the box's longer side


@dataclass(frozen=True)
class CropRule:
    """The rule for crops. Evaluation and prediction use the box, or centre and scale; training may use the joints.

    crop_size: side of the crop in pixels. box_margin: widening of the box on each side, as a share of its longer
    side. train_crop: 'box', or 'joints': training crops are cut around the tight box of the labelled joints widened by
    joints_margin, for annotations whose boxes do not show the person's size. crop_rule: 'box', or 'centre_scale': the
    square of a person's centre and scale, also in training; corners: its rounding, see input/centre_scale.py.
    """

    crop_size: int
    box_margin: float = 0.2
    train_crop: str = 'box'
    joints_margin: float = 0.16
    crop_rule: str = 'box'
    corners: str = 'exact'

    @property
    def needs_centre(self) -> bool:
        """Whether persons need a centre and a scale."""
        return self.crop_rule == 'centre_scale'

    @property
    def bare_box_margin(self) -> float:
        """Widening of a bare box on each side, as a share of its longer side, see evaluation_affine."""
        return BARE_BOX_MARGIN if self.needs_centre else self.box_margin

    def evaluation_affine(self, box_img: np.ndarray) -> np.ndarray:
        """Return affine_crop_from_img of a bare box (x0, y0, x1, y1), first and last pixel inclusive.

        With 'centre_scale' the crop is the box widened by BARE_BOX_MARGIN, not by box_margin. That is the square of
        scale = 1.64 x longer side / 250 and of the box's centre raised by 15 x scale.
        """
        centre, side = geometry.square_box(box_img, self.bare_box_margin)
        return self._view_affine(centre, side, View())

    def person_affine(self, person: Person) -> np.ndarray:
        """Return affine_crop_from_img of an annotated person in evaluation."""
        if self.needs_centre:
            return centre_scale.affine_of_edges(*self._edges(person), crop_size=self.crop_size)
        return self.evaluation_affine(person.box_img)

    def training_affine(self, person: Person, view: View) -> np.ndarray:
        """Return affine_crop_from_img of an augmented view of an annotated person."""
        centre, side = self.training_square(person)
        return self._view_affine(centre, side, view)

    def training_square(self, person: Person) -> Tuple[np.ndarray, float]:
        """Return centre_img (2,) and side_img of the plain training crop of an annotated person."""
        if self.needs_centre:
            lower, upper = self._edges(person)
            return (lower + upper) / 2 - 0.5, float((upper - lower).mean())
        if self.train_crop == 'joints':
            joints = person.joints_img[person.labelled]
            # A few joints close together do not show the person's size; the box bounds it from below.
            smallest = _SMALLEST_POSE * geometry.square_box(person.box_img, 0.0)[1]
            centre, side = geometry.square_box(np.concatenate([joints.min(0), joints.max(0)]), self.joints_margin)
            return centre, max(side, smallest)
        return geometry.square_box(person.box_img, self.box_margin)

    def plain_joints(self, person: Person) -> np.ndarray:
        """Return the labelled joints (K, 2) relative to the centre of the plain training crop, in sides of it."""
        centre, side = self.training_square(person)
        joints: np.ndarray = (person.joints_img[person.labelled] - centre) / side
        return joints

    def _edges(self, person: Person) -> Tuple[np.ndarray, np.ndarray]:
        # Annotations are read with needs_centre, so both exist.
        assert person.centre_img is not None and person.scale is not None
        return centre_scale.crop_edges(person.centre_img, person.scale, self.crop_size, self.corners)

    def _view_affine(self, centre: np.ndarray, side: float, view: View) -> np.ndarray:
        side, (x, y) = side / view.scale, centre.tolist()
        return geometry.crop_affine(
            (x - view.shift_x * side, y - view.shift_y * side), side, self.crop_size, view.rotation_deg, view.flip
        )


def whole_shrink(affine_crop_from_img: np.ndarray, enlargement: float = 1.0) -> int:
    """Return how many image pixels, in whole numbers and at least 1, a crop pixel has in each direction.

    enlargement: by how much an image that is shrunk so may have to be enlarged again for the crop.
    """
    (a, b, _), (c, d, _) = affine_crop_from_img.tolist()
    # A factor that is an integer up to rounding errors counts as an integer.
    return max(1, int(enlargement / math.sqrt(abs(a * d - b * c)) + 1e-6))


def unshrink_affine(shrink: int) -> np.ndarray:
    """Return affine_img_from_shrunk of an image that was shrunk by an integer: x_img = (x + 0.5) * shrink - 0.5."""
    offset = (shrink - 1) / 2.0
    return np.array([[shrink, 0.0, offset], [0.0, shrink, offset]])


def warp_crop(
    image: np.ndarray, affine_crop_from_img: np.ndarray, crop_size: int, blue_first: bool = False
) -> np.ndarray:
    """Return the crop (crop_size, crop_size, 3) uint8 RGB of an image; pixels outside the image are black.

    If the crop is much smaller than its part of the image, that part is averaged down first: bilinear sampling alone
    would skip pixels. Only the part of the image that the crop shows is processed.
    """
    height, width = image.shape[:2]
    across, down = geometry.invert(affine_crop_from_img).tolist()
    (x0, x1), (y0, y1) = _shown(across, crop_size, width), _shown(down, crop_size, height)
    if x0 >= x1 or y0 >= y1:
        return np.zeros((crop_size, crop_size, 3), np.uint8)
    shrink = whole_shrink(affine_crop_from_img)
    # Whole blocks of shrink x shrink pixels, for which averaging is fastest. At the image border there may be fewer
    # pixels; the blocks then become slightly smaller, so that every pixel counts and the affine stays exact.
    columns, rows = -(-(x1 - x0) // shrink), -(-(y1 - y0) // shrink)
    part = image[y0 : y0 + rows * shrink, x0 : x0 + columns * shrink]
    block_x, block_y = part.shape[1] / columns, part.shape[0] / rows
    if shrink > 1:
        part = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    affine = geometry.compose(
        affine_crop_from_img, np.array([[block_x, 0, x0 + (block_x - 1) / 2], [0, block_y, y0 + (block_y - 1) / 2]])
    )
    # OpenCV warps four channels in half the time of three, to the same values.
    part = cv2.cvtColor(part, cv2.COLOR_RGB2RGBA)
    crop: np.ndarray = cv2.warpAffine(part, affine, (crop_size, crop_size), flags=cv2.INTER_LINEAR)
    return cv2.cvtColor(crop, cv2.COLOR_BGRA2RGB if blue_first else cv2.COLOR_RGBA2RGB)


def _shown(row: Sequence[float], crop_size: int, length: int) -> Tuple[int, int]:
    """Return the first pixel along an axis of the image that a crop can show, and the one after the last.

    row: of affine_img_from_crop, for this axis. length: of the image along the axis.
    """
    ends = [sum(pair) for pair in zip(*(sorted((-factor, factor * crop_size)) for factor in row[:2]))]
    first, last = (end + row[2] for end in ends)
    return max(0, min(length, math.floor(first) - 1)), max(0, min(length, math.ceil(last) + 2))
