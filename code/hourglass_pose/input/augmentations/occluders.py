"""A random rectangle of noise in front of the crop, as an object that hides part of the person."""

from typing import Mapping

import numpy as np

from hourglass_pose.input.augmentations.base import Augmentation, Change, Setting

_SETTINGS = (
    Setting('occluder_prob', 0.0, 1, 'probability of a patch that hides part of the crop'),
    Setting('occluder_size', 0.3, 1, "patch's largest side as a share of the crop side"),
)


def _sample(rng: np.random.RandomState, values: Mapping[str, float]) -> Change:
    draws, noise_seed = rng.random_sample(8), rng.randint(2**31 - 1)
    if draws[0] >= values['occluder_prob']:
        return Change()
    centre, sides, colour = draws[1:3], 0.3 + (1.0 - 0.3) * draws[3:5], 255.0 * draws[5:]

    def occlude(crop: np.ndarray) -> np.ndarray:
        size = np.array(crop.shape[1::-1])
        half = sides * values['occluder_size'] * size / 2
        x0, y0 = np.clip(np.rint(centre * size - half), 0, size).astype(int)
        x1, y1 = np.clip(np.rint(centre * size + half), 0, size).astype(int)
        noise = np.random.RandomState(noise_seed).normal(0, 25, (y1 - y0, x1 - x0, 3))
        occluded = crop.copy()
        occluded[y0:y1, x0:x1] = np.clip(colour + noise, 0, 255).astype(np.uint8)
        return occluded

    return Change(pixels=occlude)


OCCLUDERS = Augmentation(_SETTINGS, _sample)
