"""Tracker: gives the poses of each frame the numbers of the people they belong to, by predicted motion and OKS."""

import math
from dataclasses import dataclass
from typing import Dict, List, Optional

import numpy as np

from hourglass_pose.evaluation.oks import BOX_TO_SEGMENT, keypoint_similarity
from hourglass_pose.prediction.similarity import known_sigmas

FORGET_S = 1.5
"""Seconds without a pose after which a track ends; a person who returns later gets a new number."""

# Less similar poses belong to different people.
_LEAST_SIMILARITY = 0.1
# The expected position becomes less certain: OKS allows twice the distance after so many seconds without a pose.
_DOUBT_S = 0.5
# Time constant of the velocity. A step takes about half a second, in which a body speeds up and slows down.
_VELOCITY_S = 0.3
# Time constant with which a person's size falls after the pose has become smaller, for instance in a squat.
_SIZE_S = 4.0
# Area of the box of an upright person's joints, about 0.37 as wide as high, as a share of its diagonal squared.
_BOX_AREA = 0.37 / (1 + 0.37**2)


@dataclass(eq=False)
class Track:
    """A person who is followed.

    number: from 1. joints_img: (J, 2) at `seen_s`; joints that were not seen recently move with the body.
    known: bool (J,), joints that were seen at least once. velocity: (2,) of the body, pixels per second.
    size_px: diagonal of the box of the joints, the largest of the last seconds. seen_s: time of the last pose.
    poses: number of poses.
    """

    number: int
    joints_img: np.ndarray
    known: np.ndarray
    velocity: np.ndarray
    size_px: float
    seen_s: float
    poses: int = 1

    def expected_at(self, time_s: float) -> np.ndarray:
        """Return the joints (J, 2) at a time, if the body keeps its velocity and its pose."""
        moved: np.ndarray = self.joints_img + self.velocity * (time_s - self.seen_s)
        return moved


class Tracker:
    """Follows people by their poses.

    sigmas: (J,) of OKS, NaN where unknown.
    """

    def __init__(self, sigmas: np.ndarray) -> None:
        self._sigmas = known_sigmas(sigmas)
        self._last_number = 0
        self._tracks: Dict[int, Track] = {}

    def tracks(self, time_s: float) -> List[Track]:
        """Return the people who are followed at a time, by their numbers; tracks without a pose for too long end."""
        self._tracks = {number: track for number, track in self._tracks.items() if time_s - track.seen_s <= FORGET_S}
        return list(self._tracks.values())

    def update(
        self, joints_img: np.ndarray, seen: np.ndarray, time_s: float, may_start: Optional[np.ndarray] = None
    ) -> List[Optional[Track]]:
        """Take the N poses of a frame and return the Track of each.

        A pose that fits no track starts a new one if `may_start` allows it; otherwise its Track is None.

        Args:
            joints_img: (N, J, 2). seen: bool (N, J), joints to rely on, at least one of each pose.
            time_s: of the frame, later than the one before. may_start: bool (N,), None for all.
        """
        tracks = self.tracks(time_s)
        similarity = self.similarity(joints_img, seen, time_s)
        owners: List[Optional[Track]] = [None] * len(joints_img)
        taken = set()
        # The most similar pair first.
        for flat in np.argsort(-similarity, axis=None, kind='stable'):
            pose, other = divmod(int(flat), len(tracks))
            if similarity[pose, other] < _LEAST_SIMILARITY:
                break
            if owners[pose] is None and other not in taken:
                owners[pose] = tracks[other]
                taken.add(other)
                _move(tracks[other], joints_img[pose], seen[pose], time_s)
        for pose, owner in enumerate(owners):
            if owner is None and (may_start is None or may_start[pose]):
                owners[pose] = self._start(joints_img[pose], seen[pose], time_s)
        return owners

    def similarity(self, joints_img: np.ndarray, seen: np.ndarray, time_s: float) -> np.ndarray:
        """Return (N, T): how well each pose fits each of the T people.

        OKS of the pose with the expected joints, over the joints that both have, divided by the factor by which the
        expected position is less certain: of two people expected at the same position, the one seen last fits better.
        """
        tracks = self.tracks(time_s)
        if not tracks:
            return np.zeros((len(joints_img), 0))
        expected = np.array([track.expected_at(time_s) for track in tracks])
        doubt = np.array([1 + (time_s - track.seen_s) / _DOUBT_S for track in tracks])
        sizes = np.array([track.size_px for track in tracks]) * doubt
        areas = BOX_TO_SEGMENT * _BOX_AREA * sizes**2
        shared = np.array([track.known for track in tracks]) & seen[:, None]
        boxes = np.zeros((len(tracks), 4))
        oks = keypoint_similarity(joints_img[:, None], expected, shared, areas, boxes, self._sigmas)
        return np.where(shared.any(axis=-1), oks / doubt, 0.0)

    def _start(self, joints_img: np.ndarray, seen: np.ndarray, time_s: float) -> Track:
        self._last_number += 1
        # A joint that was never seen is put at the mean of the others.
        joints = np.where(seen[:, None], joints_img, joints_img[seen].mean(axis=0))
        track = Track(self._last_number, joints, seen.copy(), np.zeros(2), _diagonal(joints_img[seen]), time_s)
        self._tracks[track.number] = track
        return track


def _move(track: Track, joints_img: np.ndarray, seen: np.ndarray, time_s: float) -> None:
    """Take over the pose of a frame, seen at least at one joint that the track knows."""
    past_s = time_s - track.seen_s
    shared = seen & track.known
    # The median: arms and legs swing about the body.
    step = np.median(joints_img[shared] - track.joints_img[shared], axis=0)
    share = max(1.0 / track.poses, 1 - math.exp(-past_s / _VELOCITY_S))
    track.velocity = track.velocity + share * (step / past_s - track.velocity)
    track.joints_img = np.where(seen[:, None], joints_img, track.joints_img + step)
    track.known = track.known | seen
    track.size_px = max(_diagonal(joints_img[seen]), track.size_px * math.exp(-past_s / _SIZE_S))
    track.seen_s = time_s
    track.poses += 1


def _diagonal(joints_img: np.ndarray) -> float:
    """Return the diagonal of the box of some joints in pixels, at least 1."""
    return max(float(np.hypot(*np.ptp(joints_img, axis=0))), 1.0)
