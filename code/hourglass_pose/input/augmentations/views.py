"""Random flip, rotation, scale and shift of the crop."""

from typing import Mapping

import numpy as np

from hourglass_pose.input.augmentations.base import Augmentation, Change, Setting, View

_SETTINGS = (
    Setting('flip_prob', 0.5, 1, 'probability of a horizontal flip in training'),
    Setting('rotation_deg', 30, 180, 'largest rotation in degrees, uniform to either side'),
    Setting('rotation_prob', 0.6, 1, 'probability of a rotation'),
    Setting('scale_range', 0.25, 0.9, 'scale factor, uniform from 1 - this to 1 + this'),
    Setting('scale_prob', 1.0, 1, 'probability of a change of scale'),
    Setting(
        'shift_range', 0.05, 0.5, 'largest shift in x and in y as a share of the crop side, uniform to either side'
    ),
    Setting('shift_prob', 0.5, 1, 'probability of a shift'),
)


def sample_view(rng: np.random.RandomState, values: Mapping[str, float]) -> View:
    """Return a random View."""
    # All at once and as plain numbers: several small arrays take longer than all else here.
    draws = rng.random_sample(8).tolist()
    names = 'flip_prob', 'rotation_prob', 'scale_prob', 'shift_prob'
    flips, rotates, scales, shifts = [draw < values[name] for draw, name in zip(draws, names)]
    rotation, scale, shift_x, shift_y = [2.0 * draw - 1.0 for draw in draws[4:]]
    return View(
        rotation_deg=rotates * rotation * values['rotation_deg'],
        scale=1.0 + scales * scale * values['scale_range'],
        shift_x=shifts * shift_x * values['shift_range'],
        shift_y=shifts * shift_y * values['shift_range'],
        flip=flips,
    )


def _sample(rng: np.random.RandomState, values: Mapping[str, float]) -> Change:
    sampled = sample_view(rng, values)
    return Change(view=lambda view, joints: sampled)


VIEWS = Augmentation(_SETTINGS, _sample)
