"""Follower: the people of each frame of a video, looked for around their last poses, and searched at times."""

from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

import numpy as np

from hourglass_pose.prediction.finding import box_around
from hourglass_pose.prediction.pose import Pose
from hourglass_pose.prediction.predictor import Box, Predictor
from hourglass_pose.prediction.similarity import known_sigmas, pose_similarities
from hourglass_pose.prediction.video.smoothing import OneEuroFilter
from hourglass_pose.prediction.video.tracking import Track, Tracker

MIN_JOINT_SCORE = 0.2
"""Joints with a lower score are neither followed nor smoothed."""
SEARCH_EVERY = 75
"""Frames from one search of the whole image to the next, for new people."""

# While no one is followed.
_SEARCH_EVERY_ALONE = 10
# A person who is followed is kept down to this share of the score that a new one needs.
_KEPT_SHARE = 0.6
# Two poses of a frame that are more similar are of one person.
_SAME_PERSON = 0.5
_FEWEST_JOINTS = 3
# A box is not smaller than this share of the person's size, even if only a few joints are left.
_SMALLEST_BOX = 0.4


@dataclass(frozen=True, eq=False)
class FollowedPerson:
    """A person in a frame.

    track: number of the person in the video, from 1. pose: as the network gave it.
    smoothed_img: (J, 2), NaN for joints with a score below the threshold.
    """

    track: int
    pose: Pose
    smoothed_img: np.ndarray

    def as_dict(self) -> Dict[str, Any]:
        """Return a JSON-able dict: the track, that of the pose, and the smoothed joints by name as [x, y] or None."""
        smoothed = {
            name: [float(x), float(y)] if np.isfinite(x) else None
            for name, (x, y) in zip(self.pose.names, self.smoothed_img)
        }
        return {'track': self.track, **_rounded(self.pose.as_dict()), 'smoothed': _rounded(smoothed)}


@dataclass(frozen=True, eq=False)
class FollowedFrame:
    """A frame: its index, its time from the first one, its image (uint8 RGB), and its people by their numbers."""

    index: int
    time_s: float
    image: np.ndarray
    persons: Tuple[FollowedPerson, ...]


class Follower:
    """Follows the people of a video.

    The network looks for each person in one crop a frame, a box around the last joints, moved by the person's velocity.
    The whole image is searched in the first frame, then every `search_every` frames, and more often while no one is
    followed.

    predictor: of any kind; without flip test it is twice as fast. max_persons: largest number of people, None for all;
    while so many are followed, the image is not searched. min_joint_score: see MIN_JOINT_SCORE. min_person_score: of
    a person who is new, None for the predictor's default.
    """

    def __init__(
        self,
        predictor: Predictor,
        max_persons: Optional[int] = None,
        min_joint_score: float = MIN_JOINT_SCORE,
        min_person_score: Optional[float] = None,
        search_every: int = SEARCH_EVERY,
    ) -> None:
        self._predictor = predictor
        self._max_persons = max_persons
        self._min_joint_score = min_joint_score
        self._min_person_score = predictor.default_person_score if min_person_score is None else min_person_score
        self._search_every = search_every
        self._sigmas = known_sigmas(predictor.skeleton.oks_sigmas)
        self._tracker = Tracker(self._sigmas)
        self._filters: Dict[int, OneEuroFilter] = {}
        self._since_search: Optional[int] = None

    def frames(self, images: Iterable[Tuple[float, np.ndarray]]) -> Iterator[FollowedFrame]:
        """Yield the FollowedFrame of each (seconds, image) of a VideoReader."""
        for index, (time_s, image) in enumerate(images):
            yield FollowedFrame(index, time_s, image, tuple(self.follow(image, time_s)))

    def follow(self, image: np.ndarray, time_s: float) -> List[FollowedPerson]:
        """Return the people of the next frame. image: uint8 RGB (H, W, 3). time_s: later than that of the last one."""
        poses = self._kept(self._predictor.predict_boxes(image, self._boxes(image, time_s)), _KEPT_SHARE)
        if self._is_search_due(len(poses)):
            self._since_search = 0
            poses += self._kept(self._predictor.find(image, self._max_persons, self._min_person_score), 1.0)
        poses = self._distinct(poses)
        may_start = [pose.score >= self._min_person_score for pose in poses]
        joints = np.array([pose.joints_img for pose in poses]).reshape(-1, len(self._sigmas), 2)
        seen = np.array([self._seen(pose) for pose in poses], bool).reshape(-1, len(self._sigmas))
        owners = self._tracker.update(joints, seen, time_s, np.array(may_start, bool))
        followed = [(track, pose) for track, pose in zip(owners, poses) if track is not None]
        self._forget(time_s)
        persons = [self._smoothed(track, pose, time_s) for track, pose in followed]
        return sorted(persons, key=lambda person: person.track)

    def _boxes(self, image: np.ndarray, time_s: float) -> List[Box]:
        """Return a box (x, y, width, height) for each person who is followed and expected in the image."""
        boxes: List[Box] = []
        height, width = image.shape[:2]
        for track in self._tracker.tracks(time_s):
            joints = track.expected_at(time_s)[track.known & self._predictor.kept_joints]
            middle = (joints.min(axis=0) + joints.max(axis=0)) / 2
            least = 0.5 * _SMALLEST_BOX * track.size_px
            joints = np.concatenate([joints, [middle - least, middle + least]])
            x0, y0, x1, y1 = box_around(joints, self._predictor.rule).tolist()
            if x0 < width and y0 < height and x1 >= 0 and y1 >= 0:
                boxes.append((x0, y0, x1 - x0 + 1, y1 - y0 + 1))
        return boxes

    def _is_search_due(self, num_followed: int) -> bool:
        if self._since_search is None:
            return True
        self._since_search += 1
        if self._max_persons is not None and num_followed >= self._max_persons:
            return False
        return self._since_search >= (
            self._search_every if num_followed else min(self._search_every, _SEARCH_EVERY_ALONE)
        )

    def _seen(self, pose: Pose) -> np.ndarray:
        usable = (pose.scores >= self._min_joint_score) & self._predictor.kept_joints
        seen: np.ndarray = usable & np.isfinite(pose.joints_img).all(axis=1)
        return seen

    def _kept(self, poses: List[Pose], share: float) -> List[Pose]:
        """Return the poses of persons: those with a score, and with enough joints."""
        least = share * self._min_person_score
        return [pose for pose in poses if pose.score >= least and self._seen(pose).sum() >= _FEWEST_JOINTS]

    def _distinct(self, poses: List[Pose]) -> List[Pose]:
        """Return the poses, the highest score first, without those of the same person as one before."""
        kept: List[Pose] = []
        for pose in sorted(poses, key=lambda pose: -pose.score):
            if not any(self._are_same(pose, other) for other in kept):
                kept.append(pose)
        return kept[: self._max_persons]

    def _are_same(self, pose: Pose, other: Pose) -> bool:
        both = self._seen(pose) & self._seen(other)
        if both.sum() < _FEWEST_JOINTS:
            return False
        joints = np.stack([pose.joints_img, other.joints_img])[:, both]
        # By the size of either: a part of a person is the same person.
        return bool(pose_similarities(joints, joints, self._sigmas[both])[[0, 1], [1, 0]].max() > _SAME_PERSON)

    def _smoothed(self, track: Track, pose: Pose, time_s: float) -> FollowedPerson:
        smoother = self._filters.setdefault(track.number, OneEuroFilter(len(pose.joints_img)))
        smoothed = smoother.smoothed(pose.joints_img, self._seen(pose), track.size_px, time_s)
        return FollowedPerson(track.number, pose, smoothed)

    def _forget(self, time_s: float) -> None:
        numbers = {track.number for track in self._tracker.tracks(time_s)}
        self._filters = {number: smoother for number, smoother in self._filters.items() if number in numbers}


def _rounded(value: Any) -> Any:
    """Return a copy of nested dicts and lists with numbers of three decimals."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 3) if isinstance(value, float) else value
