"""Poses of rendered people who walk past each other, as a network would find them: noisy, and none of half a person."""

from typing import Iterator, List, Tuple

import numpy as np

from hourglass_pose.synthetic.walks import SyntheticVideo

FRAMES, FPS = 70, 25.0


def poses_of_crossing(
    seed: int, hidden: int, behind_each_other: bool = False, noise: float = 0.012
) -> Iterator[Tuple[float, np.ndarray, np.ndarray, List[int]]]:
    """Yield (time, joints (N, J, 2), seen (N, J), true numbers) of each frame, the N poses in random order.

    hidden: frames for which a post hides both people, or the nearer one hides the farther one (behind_each_other).
    noise: standard deviation of a joint, as a share of the height of the video.
    """
    video = SyntheticVideo(seed, 2, FRAMES, (640, 480), FPS, crossing=0 if behind_each_other else hidden)
    rng = np.random.RandomState([seed, hidden, 5])
    middle = FRAMES // 2
    for index in range(FRAMES):
        persons = [person for person in video.persons(index) if person.visible.mean() >= 0.5]
        if behind_each_other and middle - hidden // 2 <= index < middle - hidden // 2 + hidden:
            persons = [person for person in persons if person.number == 2]
        persons = [persons[index] for index in rng.permutation(len(persons))]
        joints = np.array([person.joints_img for person in persons]).reshape(-1, 16, 2)
        seen = np.array([person.visible for person in persons], bool).reshape(-1, 16)
        joints = joints + rng.normal(0, noise * 480, joints.shape)
        yield index / FPS, joints, seen, [person.number for person in persons]
