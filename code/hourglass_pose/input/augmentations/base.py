"""Augmentation: its settings, and a function that samples a change of the view and of the pixels."""

import threading
from dataclasses import dataclass
from typing import Callable, Mapping, Optional, Tuple

import numpy as np


@dataclass(frozen=True)
class Setting:
    """A key of config.cfg that an augmentation reads: a number from 0 to `highest`; 0 changes nothing."""

    name: str
    default: float
    highest: float
    effect: str


@dataclass(frozen=True)
class View:
    """The view of a person in a crop.

    rotation_deg: positive anti-clockwise. scale: the person's size relative to the plain crop. shift_x, shift_y:
    shift of the person along the image's axes before the rotation, as fractions of the crop's side. flip: whether the
    crop is mirrored at the end.
    """

    rotation_deg: float = 0.0
    scale: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    flip: bool = False


Joints = Callable[[], np.ndarray]
"""Returns the labelled joints of a person, (K, 2), relative to the centre of the plain crop and in sides of it."""


@dataclass(frozen=True)
class Change:
    """The sampled change of one crop. view: (View, Joints) -> View. pixels: crop (H, W, 3) uint8 -> crop."""

    view: Callable[[View, Joints], View] = lambda view, joints: view
    pixels: Callable[[np.ndarray], np.ndarray] = lambda crop: crop


@dataclass(frozen=True)
class Augmentation:
    """A random change of training crops.

    settings: its keys of config.cfg. sample: function of a random generator and the value of each setting to the
    Change of one crop. It always takes the same number of values from the generator, so that one augmentation does not
    affect the others.
    """

    settings: Tuple[Setting, ...]
    sample: Callable[[np.random.RandomState, Mapping[str, float]], Change]


_own = threading.local()


def sample_rng(*key: int) -> np.random.RandomState:
    """Return the random generator of one sample, the same on every machine and NumPy, until the thread asks again.

    key: (seed, epoch, index), and the number of a stream for other values of the same sample. Every thread seeds one
    generator again and again, because making one takes more time than all that is drawn from it.
    """
    rng: Optional[np.random.RandomState] = getattr(_own, 'rng', None)
    if rng is None:
        rng = _own.rng = np.random.RandomState(0)
    rng.seed(key)
    return rng
