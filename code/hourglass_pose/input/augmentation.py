"""Random views, colours and occluders of a training crop, drawn from (seed, epoch, sample index) alone."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class AugmentationRanges:
    """How far, and how often (a probability), each augmentation goes; the defaults change nothing.

    rotation_deg: angle uniform in +-rotation_deg. scale_range: size of the person times a factor uniform in
    1 +- scale_range. shift_range: shift uniform in +-shift_range of the crop's side, in x and in y.
    colour_range: gain of each channel and contrast uniform in 1 +- colour_range, brightness in +-colour_range / 2
    of the full scale. occluder_size: longest side of the occluding rectangle as a share of the crop's side.
    """

    flip_prob: float = 0.0
    rotation_deg: float = 0.0
    rotation_prob: float = 0.0
    scale_range: float = 0.0
    scale_prob: float = 0.0
    shift_range: float = 0.0
    shift_prob: float = 0.0
    colour_range: float = 0.0
    colour_prob: float = 0.0
    occluder_size: float = 0.0
    occluder_prob: float = 0.0


@dataclass(frozen=True)
class View:
    """How a crop looks at its person.

    rotation_deg: positive anti-clockwise. scale: the person's size relative to the plain crop. shift_x, shift_y: how
    far the person moves along the photo's axes before the crop is turned, as shares of the crop's side. flip: mirrored
    at the end.
    """

    rotation_deg: float = 0.0
    scale: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    flip: bool = False


def sample_rng(seed, epoch, index):
    """Return the random generator of one sample in one epoch, the same on every machine and NumPy."""
    return np.random.RandomState([seed, epoch, index])


def draw_view(rng, ranges):
    """Draw a View. The number of values taken from rng does not depend on what is drawn."""
    happens = rng.uniform(size=4) < (ranges.flip_prob, ranges.rotation_prob, ranges.scale_prob, ranges.shift_prob)
    rotation, scale, shift_x, shift_y = rng.uniform(-1, 1, size=4)
    flips, rotates, scales, shifts = [bool(value) for value in happens]
    return View(
        rotation_deg=rotates * rotation * ranges.rotation_deg,
        scale=1.0 + scales * scale * ranges.scale_range,
        shift_x=shifts * shift_x * ranges.shift_range,
        shift_y=shifts * shift_y * ranges.shift_range,
        flip=flips,
    )


def change_colours(crop, rng, ranges):
    """Return the crop (H, W, 3) uint8 with other channel gains, contrast and brightness."""
    happens = rng.uniform() < ranges.colour_prob
    values = rng.uniform(-1, 1, size=5) * ranges.colour_range
    if not happens:
        return crop
    gains = (1.0 + values[:3]) * (1.0 + values[3])
    # Contrast turns about the middle grey; brightness is added.
    levels = np.arange(256)[:, None] * gains + 127.5 * (values[4] - values[3])
    return cv2.LUT(crop, np.clip(levels + 0.5, 0, 255).astype(np.uint8)[None])


def occlude(crop, rng, ranges):
    """Return the crop (H, W, 3) uint8 with a rectangle of noise over a random place, as an object in front of it."""
    happens = rng.uniform() < ranges.occluder_prob
    centre, sides = rng.uniform(size=2), rng.uniform(0.3, 1.0, size=2)
    colour, noise_seed = rng.uniform(0, 255, size=3), rng.randint(2**31 - 1)
    if not happens:
        return crop
    size = np.array(crop.shape[1::-1])
    half = sides * ranges.occluder_size * size / 2
    x0, y0 = np.clip(np.rint(centre * size - half), 0, size).astype(int)
    x1, y1 = np.clip(np.rint(centre * size + half), 0, size).astype(int)
    noise = np.random.RandomState(noise_seed).normal(0, 25, (y1 - y0, x1 - x0, 3))
    occluded = crop.copy()
    occluded[y0:y1, x0:x1] = np.clip(colour + noise, 0, 255).astype(np.uint8)
    return occluded
