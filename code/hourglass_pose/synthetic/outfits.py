"""Random looks of rendered people: skin, hair, clothes and what they wear on head and back."""

from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np

from hourglass_pose.synthetic.shapes import Colour

# sRGB
_SKINS = (
    (246, 220, 200),
    (236, 200, 172),
    (228, 186, 152),
    (214, 166, 128),
    (192, 140, 104),
    (168, 116, 80),
    (140, 92, 62),
    (112, 72, 48),
    (90, 58, 40),
)
_HAIRS = (
    (24, 20, 20),
    (40, 28, 22),
    (64, 42, 28),
    (92, 60, 36),
    (122, 82, 46),
    (168, 126, 72),
    (206, 172, 112),
    (150, 74, 40),
    (150, 148, 146),
    (206, 204, 200),
)
_NEUTRALS = (
    (28, 30, 34),
    (52, 56, 64),
    (92, 94, 98),
    (150, 150, 150),
    (214, 212, 206),
    (240, 240, 238),
    (34, 44, 76),
    (58, 78, 116),
    (92, 116, 152),
    (120, 100, 78),
    (176, 156, 124),
    (70, 72, 48),
)


@dataclass(frozen=True)
class Outfit:
    """The appearance of one person. Colours are RGB, 0..255.

    girth: (left-right, front-back) factors on the trunk's mean proportions; bulk: factor on the limbs' radii.
    sleeves: 'long', 'short' or 'none'. legs: 'long', 'shorts' or 'skirt'. hem: height of the shirt's lower
    edge on the trunk, 0 at the hips.
    front: 'buttons', 'vneck', 'jacket', 'print', 'tie' or 'zip'; back: 'plain' or 'backpack'.
    pattern: 'plain', 'stripes' or 'block'. hair_cut: 'short', 'long', 'tail', 'cropped' or 'cap'.
    """

    skin: Colour
    hair: Colour
    shirt: Colour
    accent: Colour
    trousers: Colour
    shoes: Colour
    hat: Colour
    girth: Tuple[float, float]
    bulk: float
    sleeves: str
    legs: str
    hem: float
    front: str
    back: str
    pattern: str
    hair_cut: str
    beard: bool
    glasses: bool


def sample_cloth(rng: np.random.RandomState) -> Colour:
    """Return a random cloth colour: neutral or saturated."""
    kind, pick, mix, light, pure, red, green, blue = rng.uniform(0, 1, 8).tolist()
    if kind < 0.45:
        colour: Colour = _NEUTRALS[int(pick * len(_NEUTRALS))]
    else:
        # A hue as a mix of two primaries, randomly desaturated and darkened.
        hue = [(1, mix, 0), (mix, 1, 0), (0, 1, mix), (0, mix, 1), (mix, 0, 1), (1, 0, mix)][int(pick * 6)]
        colour = [255 * (0.4 + 0.5 * light) * (1 - (1 - share) * (0.35 + 0.5 * pure)) for share in hue]
    return tuple(min(max(channel + 24 * shift - 12, 5), 250) for channel, shift in zip(colour, (red, green, blue)))


def _distance(colour: Colour, other: Colour) -> float:
    return sum(abs(a - b) for a, b in zip(colour, other))


def _contrast(colour: Colour, rng: np.random.RandomState) -> Colour:
    """Return a colour that contrasts with `colour`: light on dark, dark on light, or another cloth."""
    other = sample_cloth(rng)
    if abs(sum(other) - sum(colour)) > 180:
        return other
    return (238.0, 236.0, 230.0) if sum(colour) < 380 else (40.0, 42.0, 50.0)


def _tint(palette: Sequence[Colour], rng: np.random.RandomState) -> Colour:
    shifts = rng.uniform(-8, 8, 3).tolist()
    return tuple(channel + shift for channel, shift in zip(palette[rng.randint(len(palette))], shifts))


def sample_outfit(rng: np.random.RandomState) -> Outfit:
    """Return a random Outfit from the RandomState `rng`."""
    shirt = sample_cloth(rng)
    trousers = sample_cloth(rng)
    if _distance(shirt, trousers) < 90:
        trousers = _contrast(shirt, rng)
    legs = ('long', 'long', 'long', 'shorts', 'shorts', 'skirt')[rng.randint(6)]
    girth = rng.uniform(0.94, 1.16)
    hair_cut = ('short', 'short', 'long', 'long', 'tail', 'cropped', 'cap')[rng.randint(7)]
    skin = _tint(_SKINS, rng)
    hair = _tint(_HAIRS, rng)
    if _distance(skin, hair) < 150:
        # Hair of the skin's tone would hide the direction of the head.
        hair = tuple(channel * 0.3 for channel in skin) if sum(skin) > 240 else (16.0, 14.0, 14.0)
    return Outfit(
        skin=skin,
        hair=hair,
        shirt=shirt,
        accent=_contrast(shirt, rng),
        trousers=trousers,
        shoes=sample_cloth(rng),
        hat=sample_cloth(rng),
        girth=(girth, girth * rng.uniform(0.95, 1.12)),
        bulk=min(max(rng.normal(1.05, 0.09), 0.88), 1.28),
        sleeves=('long', 'short', 'short', 'none')[rng.randint(4)],
        legs=legs,
        hem=(0.06, 0.25)[rng.randint(2)] if legs != 'skirt' else 0.3,
        front=('buttons', 'vneck', 'jacket', 'print', 'tie', 'zip')[rng.randint(6)],
        back=('plain', 'plain', 'backpack')[rng.randint(3)],
        pattern=('plain', 'plain', 'plain', 'plain', 'stripes', 'block')[rng.randint(6)],
        hair_cut=hair_cut,
        beard=bool(hair_cut not in ('long', 'tail') and rng.uniform() < 0.25),
        glasses=bool(rng.uniform() < 0.12),
    )
