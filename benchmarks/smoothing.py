"""Chooses the parameters of the One Euro filter: jitter of people who stand, lag and error of people who run.

python benchmarks/smoothing.py [--people N]

The joints are those of rendered people, with independent normal noise on each coordinate of each frame. All lengths are
shares of the person's size, the diagonal of the box of the joints. Jitter: root mean square of the steps from frame to
frame minus those of the true joints. Error: root mean square distance from the true joints. Lag: the delay of the true
joints that the smoothed ones are nearest to. Chosen is the least jitter standing of the parameters whose error running
is at most half more than that without a filter, with much noise and with little.
"""

import argparse
import itertools
import os
import sys
from typing import Any, Dict, List, Tuple

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'code'))

from hourglass_pose.prediction.video.smoothing import OneEuroFilter
from hourglass_pose.synthetic.walks import SyntheticVideo

FRAMES, FPS, SIZE = 100, 25.0, (640, 480)
# The first second is left out: the filter has to settle.
SETTLED = 25
NOISES = (0.012, 0.006)
# A cutoff of 0.5 Hz delays slow movements by 0.3 s already.
MIN_CUTOFFS_HZ = (0.5, 1.0, 2.0)
BETAS = (0.0, 5.0, 10.0, 20.0, 40.0)
LARGEST_ERROR = 1.5
DELAYS_S = np.arange(0, 0.41, 0.005)


def true_joints(motion: str, people: int) -> List[np.ndarray]:
    """Return (frames, J, 2) of each person, in person sizes."""
    found = []
    for seed in range(people):
        video = SyntheticVideo(seed, 1, FRAMES, SIZE, FPS, motion)
        joints = np.array([video.persons(index)[0].joints_img for index in range(FRAMES)])
        size = np.median(np.linalg.norm(np.ptp(joints, axis=1), axis=1))
        found.append(joints / size)
    return found


def smooth(noisy: np.ndarray, settings: Tuple[float, float]) -> np.ndarray:
    """Return the joints (frames, J, 2) after the filter."""
    joints = noisy.shape[1]
    one_euro = OneEuroFilter(joints, *settings)
    return np.array([one_euro.smoothed(frame, np.ones(joints), 1.0, i / FPS) for i, frame in enumerate(noisy)])


def root_mean_square(vectors: np.ndarray) -> float:
    """Return the root mean square length of vectors (..., 2)."""
    return float(np.sqrt((vectors**2).sum(axis=-1).mean()))


def jitter(smoothed: np.ndarray, true: np.ndarray) -> float:
    return root_mean_square(np.diff(smoothed - true, axis=0)[SETTLED:])


def lag(smoothed: np.ndarray, true: np.ndarray) -> float:
    """Return the delay in seconds at which the true joints are nearest to the smoothed ones."""
    times = np.arange(FRAMES) / FPS
    flat = true.reshape(FRAMES, -1)
    distances = []
    for delay in DELAYS_S:
        delayed = np.stack([np.interp(times - delay, times, column) for column in flat.T], axis=1)
        distances.append(root_mean_square((smoothed - delayed.reshape(true.shape))[SETTLED:]))
    return float(DELAYS_S[int(np.argmin(distances))])


def measure(people: Dict[str, List[Any]], settings: Any) -> Dict[str, float]:
    """Return the means over the people. settings: of the filter, None for none."""
    figures: Dict[str, List[float]] = {'jitter standing': [], 'error standing': [], 'error running': [], 'lag': []}
    for motion, pairs in people.items():
        for true, noisy in pairs:
            smoothed = noisy if settings is None else smooth(noisy, settings)
            figures[f'error {motion}'].append(root_mean_square((smoothed - true)[SETTLED:]))
            if motion == 'standing':
                figures['jitter standing'].append(jitter(smoothed, true))
            else:
                figures['lag'].append(lag(smoothed, true))
    return {name: float(np.mean(values)) for name, values in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--people', type=int, default=6)
    options = parser.parse_args()
    rng = np.random.RandomState(0)
    true = {name: true_joints(motion, options.people) for name, motion in (('standing', 'stand'), ('running', 'run'))}
    allowed = set(itertools.product(MIN_CUTOFFS_HZ, BETAS))
    jitters: Dict[Any, float] = {settings: 0.0 for settings in allowed}
    for noise in NOISES:
        people = {
            name: [(joints, joints + rng.normal(0, noise, joints.shape)) for joints in persons]
            for name, persons in true.items()
        }
        raw = measure(people, None)
        show(noise, 'none', raw)
        for settings in itertools.product(MIN_CUTOFFS_HZ, BETAS):
            result = measure(people, settings)
            show(noise, settings, result)
            jitters[settings] += result['jitter standing']
            if result['error running'] > LARGEST_ERROR * raw['error running']:
                allowed.discard(settings)
    print(f'chosen: min_cutoff and beta {min(allowed, key=lambda settings: jitters[settings])}')


def show(noise: float, settings: Any, result: Dict[str, float]) -> None:
    print(
        f'noise {1000 * noise:2.0f}  {settings!s:12} jitter standing {1000 * result["jitter standing"]:5.2f}, error '
        f'standing {1000 * result["error standing"]:5.2f}, error running {1000 * result["error running"]:6.2f} '
        f'thousandths, lag running {1000 * result["lag"]:3.0f} ms'
    )


if __name__ == '__main__':
    main()
