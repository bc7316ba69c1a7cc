"""The table of augmentations, and their combined change of one crop."""

from functools import reduce
from typing import Mapping, Optional

import numpy as np

from hourglass_pose.input.augmentations.base import Change, Joints, View, sample_rng
from hourglass_pose.input.augmentations.colours import COLOURS
from hourglass_pose.input.augmentations.half_bodies import HALF_BODIES
from hourglass_pose.input.augmentations.occluders import OCCLUDERS
from hourglass_pose.input.augmentations.views import VIEWS

AUGMENTATIONS = (VIEWS, COLOURS, OCCLUDERS, HALF_BODIES)
"""In the order in which they are sampled and applied. A new one at the end does not change the others' values."""

SETTINGS = tuple(setting for augmentation in AUGMENTATIONS for setting in augmentation.settings)
"""Every key of config.cfg that an augmentation reads."""

_NOTHING = {setting.name: 0.0 for setting in SETTINGS}


def sample_change(seed: int, epoch: int, index: int, values: Optional[Mapping[str, float]] = None) -> Change:
    """Return the Change of a training crop, a function of (seed, epoch, index) alone.

    values: of settings by name; those that are not given are 0 and change nothing.
    """
    rng, known = sample_rng(seed, epoch, index), dict(_NOTHING, **(values or {}))
    changes = [augmentation.sample(rng, known) for augmentation in AUGMENTATIONS]

    def view(plain: View, joints: Joints) -> View:
        return reduce(lambda changed, change: change.view(changed, joints), changes, plain)

    def pixels(crop: np.ndarray) -> np.ndarray:
        return reduce(lambda changed, change: change.pixels(changed), changes, crop)

    return Change(view, pixels)
