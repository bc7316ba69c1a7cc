"""Videos of rendered people in motion: a background, paths, and a post that hides people where they cross."""

import math
from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np

from hourglass_pose.synthetic.backgrounds import add_grain, finish_image, paint_clutter, render_background
from hourglass_pose.synthetic.bodies import Figure, sample_lengths
from hourglass_pose.synthetic.figures import FigurePainter
from hourglass_pose.synthetic.motions import MOTIONS, figure_in_motion
from hourglass_pose.synthetic.outfits import sample_cloth, sample_outfit
from hourglass_pose.synthetic.scenes import outline_box, paint_footing
from hourglass_pose.synthetic.shapes import fill, shade

_PITCH_DEG = 6.0
_TURN_DEG_PER_S = 220.0
_STATURE_SHARES = (0.55, 0.72)
"""Heights of people as shares of the height of the video."""


@dataclass(frozen=True, eq=False)
class PersonInFrame:
    """A person in a frame of a video.

    number: of the person in the video, from 1. joints_img: float64 (16, 2), order of skeleton.MPII_JOINTS, exact.
    visible: bool (16,), true for joints inside the frame and not behind the post; other people do not count.
    """

    number: int
    joints_img: np.ndarray
    visible: np.ndarray


class _Actor:
    """One person: body, outfit, and the state of its path at every frame."""

    def __init__(
        self, rng: np.random.RandomState, motion_name: str, stature_px: float, ground: float, seconds: np.ndarray
    ) -> None:
        self.motion = MOTIONS[motion_name]
        self.lengths, self.outfit = sample_lengths(rng), sample_outfit(rng)
        self.stature_px, self.ground = stature_px, ground
        tempo = rng.uniform(0.9, 1.1)
        self.phases = rng.uniform() + tempo * self.motion.cycles_per_s * seconds
        self.speed_px = tempo * self.motion.speed * stature_px
        self.yaw = rng.uniform(*self.motion.yaw_deg)
        self.path_x = np.zeros(len(seconds))
        self.yaws = np.zeros(len(seconds))

    def walk(self, start_x: float, heading: int, limits: Optional[Tuple[float, float]], seconds: np.ndarray) -> None:
        """Set the path: straight on, or between two limits, where the person turns round facing the camera."""
        x, yaw = start_x, heading * self.yaw
        for index, step in enumerate(np.diff(seconds, prepend=seconds[0])):
            x += self.speed_px * math.sin(math.radians(yaw)) * step
            if limits is not None and self.motion.speed and not limits[0] < x < limits[1]:
                heading = 1 if x <= limits[0] else -1
            turn = heading * self.yaw - yaw
            yaw += math.copysign(min(abs(turn), _TURN_DEG_PER_S * step), turn)
            self.path_x[index], self.yaws[index] = x, yaw

    def figure(self, index: int) -> Figure:
        posture = self.motion.posture(float(self.phases[index]))
        return figure_in_motion(self.lengths, posture, float(self.yaws[index]), _PITCH_DEG)

    def origin(self, figure: Figure, index: int) -> np.ndarray:
        """Return the pelvis (2,) in the image; the lowest foot is on the ground."""
        feet = max(figure.points[f'{side}_{part}'][1] for side in 'lr' for part in ('heel', 'toe'))
        return np.array([self.path_x[index], self.ground - feet * self.stature_px])


class SyntheticVideo:
    """A video of rendered people: each frame is a pure function of the arguments and its index.

    seed: int in [0, 2**32). num_people: at least 1. size_wh: (width, height) in pixels. motion: a key of MOTIONS.
    crossing: None, or frames for which a post hides two people who walk past each other in the middle of the
    video; each is behind it with all joints for so many frames at least, and one of them for exactly as many.
    """

    def __init__(
        self,
        seed: int,
        num_people: int = 1,
        num_frames: int = 250,
        size_wh: Tuple[int, int] = (640, 480),
        fps: float = 25.0,
        motion: str = 'walk',
        crossing: Optional[int] = None,
    ) -> None:
        self.num_frames, self.size_wh, self.fps = num_frames, size_wh, fps
        self._seed = seed
        rng = np.random.RandomState([seed, 77])
        width, height = size_wh
        seconds = np.arange(num_frames) / fps
        grounds = height * np.sort(rng.uniform(0.86, 0.97, num_people))
        self._actors = [
            _Actor(rng, motion, height * rng.uniform(*_STATURE_SHARES), ground, seconds) for ground in grounds
        ]
        first = 1 if rng.uniform() < 0.5 else -1
        for index, actor in enumerate(self._actors):
            heading = first if index % 2 == 0 else -first
            if crossing is not None:
                speed = actor.speed_px * math.sin(math.radians(actor.yaw))
                start = (width - 1) / 2 - heading * speed * seconds[-1] / 2
                actor.walk(start, heading, None, seconds)
            else:
                start = width * (index + rng.uniform(0.3, 0.7)) / num_people
                inside = 0.3 * actor.stature_px
                actor.walk(start, heading, (inside, width - 1 - inside), seconds)
        self._post = self._post_for(crossing) if crossing else None
        self._post_cloth = sample_cloth(rng)
        angle = rng.uniform(-2.4, -0.7)
        self._light = np.array([math.cos(angle), math.sin(angle)])
        self._background = render_background(rng, width, height, int(grounds[0]))
        paint_clutter(rng, self._background, int(grounds[0]))

    def persons(self, index: int) -> List[PersonInFrame]:
        """Return the people of a frame in the order of their numbers."""
        persons = []
        for number, actor in enumerate(self._actors, 1):
            figure = actor.figure(index)
            joints = actor.origin(figure, index) + figure.joints()[:, :2] * actor.stature_px
            visible = np.all((joints >= -0.5) & (joints < np.array(self.size_wh) - 0.5), axis=1)
            if self._post is not None:
                visible &= (joints[:, 0] < self._post[0]) | (joints[:, 0] > self._post[1])
            persons.append(PersonInFrame(number, joints, visible))
        return persons

    def image(self, index: int) -> np.ndarray:
        """Return a frame, uint8 RGB (H, W, 3)."""
        image = self._background.copy()
        rng = np.random.RandomState([self._seed, index, 78])
        # Actors are in the order of their ground: who stands lower in the image is nearer.
        for actor in self._actors:
            figure = actor.figure(index)
            origin = actor.origin(figure, index)
            left, _, right, _ = origin[[0, 1, 0, 1]] + outline_box(figure) * actor.stature_px
            if right < 0 or left > self.size_wh[0] - 1:
                continue
            paint_footing(rng, image, figure, actor.stature_px, origin)
            FigurePainter(figure, actor.outfit, origin, actor.stature_px, self._light).paint(image)
        if self._post is not None:
            left, right = self._post
            bottom = max(actor.ground for actor in self._actors) + 0.02 * self.size_wh[1]
            fill(image, _rectangle(left, right, bottom), shade(self._post_cloth, 0.8), True)
            fill(image, _rectangle(left + 0.1 * (right - left), right, bottom), shade(self._post_cloth, 1.0), True)
        # The same cast and contrast for the whole video; the grain differs from frame to frame.
        image = finish_image(np.random.RandomState([self._seed, 79]), image)
        return add_grain(rng, image)

    def _post_for(self, hidden: int) -> Tuple[float, float]:
        """Return (left, right) columns of a post that hides each person for `hidden` frames at least."""
        middle = (self.size_wh[0] - 1) / 2
        half = 0.0
        for actor in self._actors:
            reaches = []
            for index in range(self.num_frames):
                columns = actor.path_x[index] + actor.figure(index).joints()[:, 0] * actor.stature_px
                reaches.append(np.abs(columns - middle).max())
            half = max(half, float(np.sort(reaches)[min(hidden, self.num_frames) - 1]) + 1e-6)
        return middle - half, middle + half


def _rectangle(left: float, right: float, bottom: float) -> np.ndarray:
    return np.array([(left, -2.0), (right, -2.0), (right, bottom), (left, bottom)])
