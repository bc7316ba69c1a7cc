"""Canvases with known persons: photos of one person each, pasted onto the background of other photos."""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.images import read_image
from hourglass_pose.skeleton import Skeleton

WIDTH, HEIGHT = 640, 480
BLEND = 10  # pixels over which a pasted part fades in
SHARES = (0.25, 0.35, 0.5, 0.7, 1.0)
"""Longer side of the tight box of a person's joints / height of the canvas."""
MOST_PERSONS = 4

_FREE = 0.1  # distance of background from limbs, as a share of the longer side of the joints' box
_SMALLEST_PATCH = 24  # side, in pixels
_FLATTEST = 8.0  # standard deviation of a patch of almost one colour
_TILES = 24
_TILE_SIDES = (120, 320)
_PATCH_SCALES = (1.5, 4.0)
_OVERLAP = 0.05  # of the smaller of two pasted photos
_TRIES = 60


@dataclass(frozen=True, eq=False)
class PastedPerson:
    """joints_img (J, 2), labelled (J,) and box_img (4,), that of the pasted photo, in pixels of the canvas."""

    joints_img: np.ndarray
    labelled: np.ndarray
    box_img: np.ndarray


@dataclass(frozen=True, eq=False)
class Canvas:
    """image: (HEIGHT, WIDTH, 3) uint8."""

    image: np.ndarray
    persons: List[PastedPerson]


def kinds() -> Dict[str, Tuple[int, Optional[float]]]:
    """Return {name of a kind of canvas: (largest number of persons, share of the height or None for any)}."""
    single = {f'one at {share:g}': (1, share) for share in SHARES}
    return {**single, 'one to four': (MOST_PERSONS, None), 'none': (0, None)}


class CanvasMaker:
    """Makes canvases of annotated persons, one in a photo, and of the background of these photos.

    Canvas `number` of a kind and a seed is always the same.
    """

    def __init__(self, persons: Sequence[Person], skeleton: Skeleton, seed: int = 0) -> None:
        self.persons = list(persons)
        self.seed = seed
        self._images: Dict[str, np.ndarray] = {}
        patches = [
            patch
            for person in self.persons
            for patch in [background_patch(self._image(person), person, skeleton)]
            if patch is not None
        ]
        if not patches:
            raise SystemExit('no photo has a part without a person that is large enough for a background')
        self.patches = patches

    def canvas(self, kind: str, number: int) -> Canvas:
        """Return a Canvas. kind: of `kinds`."""
        rng = np.random.RandomState([self.seed, list(kinds()).index(kind), number])
        most, share = kinds()[kind]
        image = self._background(rng)
        count = number % most + 1 if most else 0
        pasted: List[PastedPerson] = []
        for index in rng.permutation(len(self.persons)):
            if len(pasted) == count:
                break
            own_share = share or np.exp(rng.uniform(np.log(SHARES[0]), np.log(SHARES[-1] / np.sqrt(count))))
            person = self._paste(rng, image, self.persons[index], own_share, pasted)
            if person is not None:
                pasted.append(person)
        return Canvas(image, pasted)

    def _image(self, person: Person) -> np.ndarray:
        if person.image_path not in self._images:
            self._images[person.image_path] = read_image(person.image_path)
        return self._images[person.image_path]

    def _background(self, rng: np.random.RandomState) -> np.ndarray:
        image = self._tile(rng, WIDTH, HEIGHT)
        for _ in range(_TILES):
            width, height = rng.randint(_TILE_SIDES[0], _TILE_SIDES[1], 2)
            tile = self._tile(rng, width, height)
            paste(image, tile, rng.randint(-width // 2, WIDTH - width // 2), rng.randint(-height // 2, HEIGHT))
        return image

    def _tile(self, rng: np.random.RandomState, width: int, height: int) -> np.ndarray:
        """Return a part of a photo without people, enlarged, and continued by its mirror images."""
        patch = self.patches[rng.randint(len(self.patches))]
        scale = rng.uniform(*_PATCH_SCALES)
        patch = cv2.resize(patch, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        first = rng.randint(0, patch.shape[0], 2)
        rows, columns = [
            np.abs((np.arange(start, start + length) % (2 * side)) - side + 0.5).astype(int)
            for start, length, side in zip(first, (height, width), patch.shape)
        ]
        return np.ascontiguousarray(patch[rows][:, columns])

    def _paste(
        self, rng: np.random.RandomState, image: np.ndarray, person: Person, share: float, others: List[PastedPerson]
    ) -> Optional[PastedPerson]:
        """Paste a person's photo where it covers no other, with all joints on the canvas; None if there is no place."""
        labelled = person.joints_img[person.labelled].astype(np.float64)
        # A little less, so that a person as high as the canvas has a place after rounding.
        scale = (share * HEIGHT - 4) / (labelled.max(0) - labelled.min(0)).max()
        photo = self._image(person)
        size = np.round(np.array(photo.shape[1::-1]) * scale).astype(int)
        factors = size / photo.shape[1::-1]
        joints = (person.joints_img + 0.5) * factors - 0.5
        lower, upper = joints[person.labelled].min(0), joints[person.labelled].max(0)
        space = np.array([WIDTH, HEIGHT]) - 2 - (upper - lower)
        if (space < 0).any():
            return None
        for _ in range(_TRIES):
            corner = np.ceil(rng.uniform(0, 1, 2) * space - lower).astype(int)
            box = np.concatenate([corner, corner + size - 1])
            if all(_overlap(box, other.box_img) <= _OVERLAP for other in others):
                resized = cv2.resize(
                    photo, (size[0], size[1]), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
                )
                paste(image, resized, corner[0], corner[1])
                return PastedPerson(joints + corner, person.labelled, box.astype(np.float64))
        return None


def paste(image: np.ndarray, part: np.ndarray, x: int, y: int) -> None:
    """Paste a part into an image with its first pixel at x, y; it fades in over BLEND pixels from its border."""
    height, width = part.shape[:2]
    profiles = [np.minimum(1, (np.minimum(np.arange(n), np.arange(n)[::-1]) + 1) / BLEND) for n in (height, width)]
    weights = np.outer(*profiles)[:, :, None]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + width, image.shape[1]), min(y + height, image.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    rows, columns = slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)
    target = image[y0:y1, x0:x1]
    mixed = target + weights[rows, columns] * (part[rows, columns].astype(np.float64) - target)
    target[:] = np.round(mixed).astype(np.uint8)


def background_patch(image: np.ndarray, person: Person, skeleton: Skeleton) -> Optional[np.ndarray]:
    """Return the largest square of a photo away from its person's limbs; None if that is small or of one colour."""
    joints = person.joints_img
    labelled = joints[person.labelled]
    free = np.full(image.shape[:2], 255, np.uint8)
    thickness = max(1, int(round(2 * _FREE * (labelled.max(0) - labelled.min(0)).max())))
    for first, second in skeleton.limbs:
        if person.labelled[first] and person.labelled[second]:
            ends = [tuple(int(round(float(value))) for value in joints[index]) for index in (first, second)]
            cv2.line(free, ends[0], ends[1], 0, thickness)
    for x, y in labelled:
        cv2.circle(free, (int(round(float(x))), int(round(float(y)))), thickness // 2, 0, -1)
    distances = cv2.distanceTransform(cv2.copyMakeBorder(free, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_C, 3)
    y, x = np.unravel_index(np.argmax(distances), distances.shape)
    half = int(distances[y, x]) - 1
    patch = image[y - 1 - half : y + half, x - 1 - half : x + half]
    if len(patch) < _SMALLEST_PATCH or patch.std(axis=(0, 1)).mean() < _FLATTEST:
        return None
    return patch


def _overlap(box: np.ndarray, other: np.ndarray) -> float:
    """Return the common area of two boxes on the canvas as a share of the smaller one's."""
    canvas = np.array([0, 0, WIDTH - 1, HEIGHT - 1])
    boxes = [
        np.concatenate([np.maximum(each[:2], canvas[:2]), np.minimum(each[2:], canvas[2:])]) for each in (box, other)
    ]
    common = np.minimum(boxes[0][2:], boxes[1][2:]) - np.maximum(boxes[0][:2], boxes[1][:2]) + 1
    smaller = min(np.prod(each[2:] - each[:2] + 1) for each in boxes)
    return float(np.prod(np.maximum(common, 0)) / smaller)
