"""A view of a part of the person: a random joint, and the joints near it."""

from dataclasses import replace
from typing import Mapping

import numpy as np

from hourglass_pose.input.augmentations.base import Augmentation, Change, Joints, Setting, View

_SETTINGS = (
    Setting(
        'half_body_prob',
        0.0,
        1,
        'probability of a crop around half of the person: a random joint and the labelled joints nearest to it',
    ),
)

_FEWEST = 6  # labelled joints; fewer show no more than a part already
_WIDENING = 1.5  # of the tight box of the joints, as in HRNet's half-body crops (Sun et al. 2019)
_SMALLEST = 0.4  # side of the crop in sides of the plain one; enlarged further, there are few pixels


def _sample(rng: np.random.RandomState, values: Mapping[str, float]) -> Change:
    happens, which = rng.random_sample(2)
    if happens >= values['half_body_prob']:
        return Change()

    def view(whole: View, joints: Joints) -> View:
        places = joints()
        if len(places) < _FEWEST:
            return whole
        distances = np.linalg.norm(places - places[int(which * len(places))], axis=1)
        half = places[np.argsort(distances, kind='stable')[: (len(places) + 1) // 2]]
        lower, upper = half.min(0), half.max(0)
        side = min(max(_WIDENING * (upper - lower).max(), _SMALLEST), 1.0)
        # The other changes of the view stay, relative to the smaller crop.
        scale = whole.scale / side
        x, y = ((lower + upper) / 2 * scale).tolist()
        return replace(whole, scale=float(scale), shift_x=whole.shift_x - x, shift_y=whole.shift_y - y)

    return Change(view=view)


HALF_BODIES = Augmentation(_SETTINGS, _sample)
