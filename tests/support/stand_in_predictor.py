"""A Predictor that finds the people of a rendered video in frames that show nothing but their own number."""

from typing import Tuple

import numpy as np

from hourglass_pose.input.cropping import CropRule
from hourglass_pose.prediction.pose import Pose
from hourglass_pose.skeleton import SKELETONS

SIZE_WH = (128, 96)
_BITS, _BLOCK, _COLUMNS = 12, 16, 6


def numbered_image(number: int, size_wh: Tuple[int, int] = SIZE_WH) -> np.ndarray:
    """Return a frame, uint8 RGB, whose blocks are the bits of its number; they survive a video's compression."""
    image = np.full((size_wh[1], size_wh[0], 3), 128, np.uint8)
    for bit in range(_BITS):
        row, column = divmod(bit, _COLUMNS)
        area = slice(row * _BLOCK, (row + 1) * _BLOCK), slice(column * _BLOCK, (column + 1) * _BLOCK)
        image[area] = 230 if number >> bit & 1 else 30
    return image


def number_of(image: np.ndarray) -> int:
    """Return the number of a frame of numbered_image."""
    number = 0
    for bit in range(_BITS):
        row, column = divmod(bit, _COLUMNS)
        middle = image[row * _BLOCK + 4 : row * _BLOCK + 12, column * _BLOCK + 4 : column * _BLOCK + 12]
        number |= int(middle.mean() > 128) << bit
    return number


class StandInPredictor:
    """Finds who is visible by half at least.

    video: a SyntheticVideo; its frames repeat if there are more numbers. noise_px: standard deviation of a joint.
    searches, crops: number of calls of `find`, and of boxes that were looked at.
    """

    default_person_score = 0.5

    def __init__(self, video, noise_px=0.0):
        self.video, self.noise_px = video, noise_px
        self.skeleton, self.rule = SKELETONS['mpii'], CropRule(64)
        self.kept_joints = np.ones(len(self.skeleton), bool)
        self.searches = self.crops = 0
        self._rng = np.random.RandomState(0)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def find(self, image, max_persons=None, min_person_score=None):
        self.searches += 1
        return [self._pose(person) for person in self._people(image)][:max_persons]

    def predict_boxes(self, image, boxes):
        self.crops += len(boxes)
        return [self._pose_in(np.asarray(box, float), self._people(image)) for box in boxes]

    def _people(self, image):
        people = self.video.persons(number_of(image) % self.video.num_frames)
        return [person for person in people if person.visible.mean() >= 0.5]

    def _pose_in(self, box, people):
        """Return the pose of whoever is in the middle of a box (x, y, width, height), a poor one for nobody."""
        middle = box[:2] + box[2:] / 2
        for person in sorted(people, key=lambda person: np.abs(_middle(person) - middle).max()):
            if np.abs(_middle(person) - middle).max() < 0.25 * max(box[2:]):
                return self._pose(person)
        joints = middle + self._rng.uniform(-0.3, 0.3, (len(self.skeleton), 2)) * box[2:]
        return Pose(self.skeleton.joints, joints, np.full(len(joints), 0.3, np.float32), _corners(box), 0.1)

    def _pose(self, person):
        joints = person.joints_img + self._rng.normal(0, self.noise_px, person.joints_img.shape)
        scores = np.where(person.visible, 0.9, 0.05).astype(np.float32)
        box = np.concatenate([joints.min(axis=0), joints.max(axis=0)])
        return Pose(self.skeleton.joints, joints, scores, box, 0.9)


def _middle(person):
    return (person.joints_img.min(axis=0) + person.joints_img.max(axis=0)) / 2


def _corners(box):
    return np.concatenate([box[:2], box[:2] + box[2:] - 1])
