"""OneEuroFilter: smooths the joints of one person, strongly at rest and little in motion (Casiez et al. 2012)."""

import math
from typing import Union

import numpy as np

# Chosen on rendered videos by benchmarks/smoothing.py; docs/video.md has the numbers.
MIN_CUTOFF_HZ = 0.5
BETA = 20.0
SPEED_CUTOFF_HZ = 1.0


class OneEuroFilter:
    """The filter of Casiez, Roussel and Vogel, "1 EUR filter: a simple speed-based low-pass filter" (CHI 2012).

    Each joint goes through a low-pass filter with a cutoff of min_cutoff_hz + beta * speed. The speed is the length of
    the joint's velocity, in person sizes per second, after a low-pass filter of its own (speed_cutoff_hz). This is the
    paper's filter on coordinates divided by the person's size, with two differences: a size that changes does not move
    the joints, and x and y share one speed, so that the result does not depend on how the camera is turned.
    """

    def __init__(
        self,
        num_joints: int,
        min_cutoff_hz: float = MIN_CUTOFF_HZ,
        beta: float = BETA,
        speed_cutoff_hz: float = SPEED_CUTOFF_HZ,
    ) -> None:
        self._min_cutoff_hz, self._beta, self._speed_cutoff_hz = min_cutoff_hz, beta, speed_cutoff_hz
        self._joints_img = np.zeros((num_joints, 2))
        self._velocities = np.zeros((num_joints, 2))
        # A joint that was seen infinitely long ago has no speed and takes its first position as it is.
        self._seen_s = np.full(num_joints, -np.inf)

    def smoothed(self, joints_img: np.ndarray, seen: np.ndarray, size_px: float, time_s: float) -> np.ndarray:
        """Take the joints of a frame and return them smoothed, float64 (J, 2), NaN where `seen` is false.

        Args:
            joints_img: (J, 2). seen: bool (J,), the joints to take; the others are not fed and keep their state.
            size_px: of the person. time_s: of the frame, later than the one before.
        """
        seen = np.asarray(seen, bool)
        past_s = (time_s - self._seen_s)[:, None]
        steps = np.where(seen[:, None], np.asarray(joints_img, np.float64) - self._joints_img, 0.0)
        # As in the paper, the velocity is that from the last smoothed position.
        share = np.where(seen[:, None], _weight(self._speed_cutoff_hz, past_s), 0.0)
        self._velocities += share * (steps / (past_s * size_px) - self._velocities)
        speeds = np.linalg.norm(self._velocities, axis=1, keepdims=True)
        self._joints_img += _weight(self._min_cutoff_hz + self._beta * speeds, past_s) * steps
        self._seen_s = np.where(seen, time_s, self._seen_s)
        return np.where(seen[:, None], self._joints_img, np.nan)


def _weight(cutoff_hz: Union[float, np.ndarray], past_s: np.ndarray) -> np.ndarray:
    """Return the weight of a new value in a low-pass filter: 1 / (1 + tau / Te), tau = 1 / (2 pi cutoff)."""
    weight: np.ndarray = 1.0 / (1.0 + 1.0 / (2 * math.pi * cutoff_hz * past_s))
    return weight
