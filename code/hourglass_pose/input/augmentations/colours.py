"""Random brightness, contrast and gain of each channel."""

from typing import Mapping

import numpy as np

from hourglass_pose.input.augmentations.base import Augmentation, Change, Setting

_SETTINGS = (
    Setting('colour_range', 0.2, 1, 'largest relative change of brightness, contrast and the gain of each channel'),
    Setting('colour_prob', 0.5, 1, 'probability of a change of colour'),
)


def _sample(rng: np.random.RandomState, values: Mapping[str, float]) -> Change:
    draws = rng.random_sample(6)
    if draws[0] >= values['colour_prob']:
        return Change()
    # Gains of the channels and contrast, uniform in 1 +- colour_range; brightness in +-colour_range / 2 of full scale.
    changes = (2.0 * draws[1:] - 1.0) * values['colour_range']
    gains = (1.0 + changes[:3]) * (1.0 + changes[3])
    # Contrast scales about the middle grey; brightness is added.
    levels = np.arange(256)[:, None] * gains + 127.5 * (changes[4] - changes[3])
    table = np.clip(levels + 0.5, 0, 255).astype(np.uint8)[None]

    def pixels(crop: np.ndarray) -> np.ndarray:
        # Imported here, because config reads the settings above, and OpenCV takes a second to load and changes
        # LD_LIBRARY_PATH of the process.
        import cv2

        return cv2.LUT(crop, table)

    return Change(pixels=pixels)


COLOURS = Augmentation(_SETTINGS, _sample)
