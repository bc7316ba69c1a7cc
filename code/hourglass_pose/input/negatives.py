"""Person labels of crops, and negative views: crops that do not show one whole person in their middle."""

from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose import geometry
from hourglass_pose.annotations.person import Person
from hourglass_pose.input.augmentations.base import View
from hourglass_pose.input.cropping import CropRule

# A person is in the middle of a crop up to this offset, and apart from the middle from the second one on: distance of
# the centres of the person's plain crop and of the crop, in sides of the crop.
_MIDDLE, _APART = 0.2, 0.35
# A person has the size of a whole one up to this factor of the plain crop, and another from the second one on.
_WHOLE, _OTHER_SIZE = 1.5, 2.0

# Half a person, a far larger or smaller one, a gap between two persons, nobody.
_HALF, _SIZE, _GAP, _NOBODY = _KINDS = range(4)

_CANDIDATES = 8
_STREAM = 1  # separates the random numbers of negative views from those of augmentation


@dataclass(frozen=True)
class PersonLabel:
    """target: 1 for a crop that shows one whole person in its middle, otherwise 0. weight: 0 if neither is certain."""

    target: float
    weight: float


def label_of(offsets: np.ndarray, sizes: np.ndarray) -> PersonLabel:
    """Return the label of a crop of a photo in which every person is known.

    Args:
        offsets: (P,) distance of each person's centre from that of the crop, in sides of the crop.
        sizes: (P,) side of each person's plain crop, in sides of the crop.
    """
    factors = np.maximum(sizes, 1.0 / sizes)
    if np.any((offsets <= _MIDDLE) & (factors <= _WHOLE)):
        return PersonLabel(1.0, 1.0)
    is_apart = np.all((offsets >= _APART) | (factors >= _OTHER_SIZE))
    return PersonLabel(0.0, 1.0 if is_apart else 0.0)


class NegativeViews:
    """Labels crops of photos, and replaces a share of the training views by negative ones.

    persons: all annotated persons of the photos. rule: of the crops. probability: share of the views to replace.
    """

    def __init__(self, persons: Sequence[Person], rule: CropRule, probability: float) -> None:
        self.rule = rule
        self.probability = probability
        self._of_image: Dict[str, List[Person]] = {}
        for person in persons:
            self._of_image.setdefault(person.image_path, []).append(person)

    def label(self, person: Person, affine_crop_from_img: np.ndarray) -> PersonLabel:
        """Return the PersonLabel of a crop of a person's photo."""
        centre, side = geometry.square_of_affine(affine_crop_from_img, self.rule.crop_size)
        centres, sides = self._squares(self._of_image[person.image_path])
        return label_of(np.linalg.norm(centres - centre, axis=1) / side, sides / side)

    def sample(
        self, seed: int, epoch: int, index: int, person: Person, view: View, size_wh: Tuple[int, int]
    ) -> Optional[View]:
        """Return the negative view that replaces a training view, or None if it stays.

        It depends only on (seed, epoch, index), the photo's persons and the view, whose rotation and flip it keeps.

        Args:
            view: the sampled view of the person.
            size_wh: width and height of the photo.
        """
        rng = np.random.RandomState([seed, epoch, index, _STREAM])
        happens, kind = rng.uniform() < self.probability, rng.randint(len(_KINDS))
        draws = rng.uniform(size=(_CANDIDATES, 4))
        if not happens:
            return None
        everyone = self._of_image[person.image_path]
        for number, draw in enumerate(draws):
            # Another kind is tried where the photo has no place for the first one.
            kind_now = kind if number < _CANDIDATES // 2 else (kind + number) % len(_KINDS)
            candidate = self._candidate(kind_now, draw, person, everyone, view, size_wh)
            if candidate is None:
                continue
            affine = self.rule.training_affine(person, candidate)
            if kind_now == _NOBODY and self._shows_a_joint(everyone, affine):
                continue
            if self.label(person, affine) == PersonLabel(0.0, 1.0):
                return candidate
        return None

    def _candidate(
        self, kind: int, draw: np.ndarray, person: Person, everyone: List[Person], view: View, size_wh: Tuple[int, int]
    ) -> Optional[View]:
        """Return a view of one kind; draw: four uniform numbers of [0, 1)."""
        (centre,), (side,) = self._squares([person])
        if kind == _HALF:
            return _shifted(view, np.interp(draw[0], [0, 1], [_APART, 0.8]), 2 * np.pi * draw[1])
        if kind == _SIZE:
            factor = _between(draw[0], _OTHER_SIZE, 3.5)
            scale = factor if draw[1] < 0.5 else 1.0 / factor
            # A large person's middle part, or a small one that is whole.
            reach = 0.35 * scale if scale > 1 else (1.0 - scale) / 2
            shift_x, shift_y = (2 * draw[2:] - 1) * reach
            return replace(view, scale=scale, shift_x=shift_x, shift_y=shift_y)
        others = [other for other in everyone if other is not person]
        if kind == _GAP and others:
            (other,), (other_side,) = self._squares([others[int(draw[0] * len(others))]])
            share = np.interp(draw[1], [0, 1], [0.25, 0.75])
            target, wanted = centre + share * (other - centre), side * (other_side / side) ** draw[2] / view.scale
        elif kind == _NOBODY:
            target, wanted = draw[:2] * size_wh - 0.5, side * _between(draw[2], 0.2, 1.5)
        else:
            return None
        shift_x, shift_y = (centre - target) / wanted
        return replace(view, scale=side / wanted, shift_x=shift_x, shift_y=shift_y)

    def _squares(self, persons: Sequence[Person]) -> Tuple[np.ndarray, np.ndarray]:
        """Return (centres_img (P, 2), sides_img (P,)) of the plain training crops of persons."""
        squares = [
            geometry.square_of_affine(self.rule.training_affine(person, View()), self.rule.crop_size)
            for person in persons
        ]
        return np.array([centre for centre, _ in squares]), np.array([side for _, side in squares])

    def _shows_a_joint(self, persons: Sequence[Person], affine_crop_from_img: np.ndarray) -> bool:
        joints_img = np.concatenate([person.joints_img[person.labelled] for person in persons])
        joints_crop = geometry.transform_points(affine_crop_from_img, joints_img)
        return bool(geometry.inside_crop(joints_crop, self.rule.crop_size).any())


def _shifted(view: View, distance: float, angle: float) -> View:
    """Return a view with the person's centre at a distance from the middle, in sides of the crop."""
    return replace(view, shift_x=distance * np.cos(angle), shift_y=distance * np.sin(angle))


def _between(share: float, least: float, largest: float) -> float:
    """Return the number at a share of the way between two numbers on a logarithmic scale."""
    return float(least * (largest / least) ** share)
