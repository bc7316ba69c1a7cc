"""Person labels of crops, and negative views: crops that do not show one whole person in their middle."""

from dataclasses import dataclass, replace
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose import geometry
from hourglass_pose.annotations.person import Person
from hourglass_pose.input.augmentations.base import View, sample_rng
from hourglass_pose.input.cropping import CropRule

# A person is in the middle of a crop up to this offset, and apart from the middle from the second one on: distance of
# the centres of the person's plain crop and of the crop, in sides of the crop.
_MIDDLE, _APART = 0.2, 0.35
# A person has the size of a whole one up to this factor of the plain crop, and another from the second one on.
_WHOLE, _OTHER_SIZE = 1.5, 2.0

# Half a person, a far larger or smaller one, a gap between two persons, or no one.
_HALF, _SIZE, _GAP, _NOBODY = _KINDS = range(4)
_CANDIDATES = 12
# Black beyond the photo is no sign of a negative: plain crops have some, too.
_MOST_OUTSIDE = 0.4
_STREAM = 1  # separates the random numbers of negative views from those of augmentation


_PhotoName = Tuple[Optional[int], str]


class PersonLabel(NamedTuple):
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


@dataclass(frozen=True, eq=False)
class _Photo:
    """The persons of a photo: centres_img (P, 2) and sides_img (P,) of their plain training crops, and the labelled
    joints_img (K, 2) of all of them."""

    centres_img: np.ndarray
    sides_img: np.ndarray
    joints_img: np.ndarray

    def label(self, centre_img: np.ndarray, side_img: float) -> PersonLabel:
        """Return the label of a square crop."""
        return label_of(np.linalg.norm(self.centres_img - centre_img, axis=1) / side_img, self.sides_img / side_img)


class NegativeViews:
    """Labels crops of photos, and replaces a share of the training views by negative ones.

    persons: all annotated persons of the photos. rule: of the crops. probability: share of the views to replace.
    """

    def __init__(self, persons: Sequence[Person], rule: CropRule, probability: float) -> None:
        self.rule = rule
        self.probability = probability
        self._persons: Dict[_PhotoName, List[Person]] = {}
        self._photos: Dict[_PhotoName, _Photo] = {}
        for person in persons:
            self._persons.setdefault(_photo_name(person), []).append(person)

    def label(self, person: Person, affine_crop_from_img: np.ndarray) -> PersonLabel:
        """Return the PersonLabel of a crop of a person's photo."""
        return self._photo(person).label(*geometry.square_of_affine(affine_crop_from_img, self.rule.crop_size))

    def sample(
        self, seed: int, epoch: int, index: int, person: Person, view: View, size_wh: Tuple[int, int]
    ) -> Optional[View]:
        """Return the negative view that replaces a training view, or None if it stays.

        It depends only on (seed, epoch, index), the photo's persons and the view, whose rotation and flip it keeps. A
        view stays, too, where none of several samples is certainly negative and shows enough of the photo.

        Args:
            view: the sampled view of the person.
            size_wh: width and height of the photo.
        """
        rng = sample_rng(seed, epoch, index, _STREAM)
        happens, kind = rng.uniform() < self.probability, rng.randint(len(_KINDS))
        draws = rng.uniform(size=(_CANDIDATES, 4))
        if not happens:
            return None
        photo, persons = self._photo(person), self._persons[_photo_name(person)]
        number = next(
            number
            for number, other in enumerate(persons)
            if other.person_id == person.person_id and other.source == person.source
        )
        for tried, draw in enumerate(draws):
            # Other kinds follow where the photo has no place for the first one.
            kind_now = kind if tried < _CANDIDATES // 3 else (kind + tried) % len(_KINDS)
            if kind_now == _GAP and len(photo.sides_img) == 1:
                kind_now = _NOBODY
            centre, side = _square(kind_now, draw, photo, number, size_wh)
            if _share_outside(centre, side, size_wh) > _MOST_OUTSIDE:
                continue
            # The circle around the square, because the view may be rotated.
            if kind_now == _NOBODY and (np.linalg.norm(photo.joints_img - centre, axis=1) < side / np.sqrt(2)).any():
                continue
            if photo.label(centre, side) == PersonLabel(0.0, 1.0):
                shift_x, shift_y = (photo.centres_img[number] - centre) / side
                return replace(view, scale=photo.sides_img[number] / side, shift_x=shift_x, shift_y=shift_y)
        return None

    def _photo(self, person: Person) -> _Photo:
        name = _photo_name(person)
        photo = self._photos.get(name)
        if photo is None:
            persons = self._persons[name]
            squares = [self.rule.training_square(one) for one in persons]
            photo = self._photos[name] = _Photo(
                np.array([centre for centre, _ in squares]),
                np.array([side for _, side in squares]),
                np.concatenate([one.joints_img[one.labelled] for one in persons]),
            )
        return photo


def _photo_name(person: Person) -> _PhotoName:
    # In a pack every person has its own image.
    return (person.source, person.image) if person.packed else (None, person.image_path)


def _square(
    kind: int, draw: np.ndarray, photo: _Photo, number: int, size_wh: Tuple[int, int]
) -> Tuple[np.ndarray, float]:
    """Return (centre_img, side_img) of a square of one kind around a photo's person; draw: four numbers of [0, 1)."""
    centre, side = photo.centres_img[number], photo.sides_img[number]
    if kind == _SIZE:
        factor = _between(draw[0], _OTHER_SIZE, 3.5)
        factor = factor if draw[1] < 0.5 else 1.0 / factor
        # The middle of a person that is too large is in the crop, and one that is too small is whole.
        reach = 0.35 * side if factor > 1 else (1.0 / factor - 1.0) * side / 2
        return centre + (2 * draw[2:] - 1) * reach, side / factor
    if kind == _GAP:
        others = np.flatnonzero(np.arange(len(photo.sides_img)) != number)
        other = others[int(draw[0] * len(others))]
        share = 0.25 + 0.5 * draw[1]
        size = side * (photo.sides_img[other] / side) ** draw[2] * _between(draw[3], 0.7, 1.4)
        return centre + share * (photo.centres_img[other] - centre), size
    if kind == _NOBODY:
        return draw[:2] * size_wh - 0.5, side * _between(draw[2], 0.2, 1.5)
    half = side * _between(draw[0], 0.6, 1.4)
    distance, angle = (_APART + (0.8 - _APART) * draw[1]) * half, 2 * np.pi * draw[2]
    return centre + distance * np.array([np.cos(angle), np.sin(angle)]), half


def _share_outside(centre: np.ndarray, side: float, size_wh: Tuple[int, int]) -> float:
    """Return the share of an upright square that lies outside a photo."""
    lower = np.maximum(centre - side / 2, -0.5)
    upper = np.minimum(centre + side / 2, np.array(size_wh) - 0.5)
    return 1.0 - float(np.prod(np.maximum(upper - lower, 0.0))) / side**2


def _between(share: float, least: float, largest: float) -> float:
    """Return the number at a share of the way between two numbers on a logarithmic scale."""
    return float(least * (largest / least) ** share)
