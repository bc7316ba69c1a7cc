"""Backgrounds of rendered images, and the colour cast, blur and grain of the finished images."""

import math

import cv2
import numpy as np

from hourglass_pose.synthetic.outfits import sample_cloth
from hourglass_pose.synthetic.shapes import CIRCLE, Colour, fill, shade, tube_outlines

_SQUARE = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])


def _sample_paint(rng: np.random.RandomState) -> Colour:
    """Return a colour for objects and walls, less saturated than clothes."""
    colour = sample_cloth(rng)
    grey, share = sum(colour) / 3, rng.uniform(0.2, 0.7)
    return tuple(grey + share * (channel - grey) for channel in colour)


def _noise(rng: np.random.RandomState, width: int, height: int, cells_across: int) -> np.ndarray:
    """Return smooth noise, uint8 (height, width, 3), `cells_across` cells wide, mostly in lightness."""
    rows = max(2, int(cells_across * height / width))
    grid = np.frombuffer(rng.bytes(rows * cells_across * 4), np.uint8).reshape(rows, cells_across, 4) / 255.0
    grid = 255 * (0.7 * grid[..., 3:] + 0.3 * grid[..., :3])
    return cv2.resize(grid.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def _gradient(top: Colour, bottom: Colour, height: int, width: int) -> np.ndarray:
    """Return a vertical blend of two colours, uint8 (height, width, 3)."""
    ends = np.array([[top], [bottom]]).astype(np.uint8)
    return cv2.resize(ends, (width, height), interpolation=cv2.INTER_LINEAR)


def render_background(rng: np.random.RandomState, width: int, height: int, ground: int) -> np.ndarray:
    """Return a room, a street, a field or blurred blobs, uint8 RGB (height, width, 3).

    ground: row on which people stand; the floor's far edge lies above it.
    """
    kind = rng.randint(4)
    if kind == 0:
        image = _gradient(_sample_paint(rng), _sample_paint(rng), height, width)
        cv2.addWeighted(image, 0.9, _noise(rng, width, height, rng.randint(3, 9)), 0.6, -70, image)
        return image
    sky: Colour
    floor: Colour
    horizon = int(np.clip(ground - rng.uniform(0.04, 0.45) * height, 0.3 * height, height - 2))
    if kind == 1:
        sky, floor = (rng.uniform(150, 225), rng.uniform(185, 235), rng.uniform(215, 250)), (96, 124, 66)
    elif kind == 2:
        sky, floor = (rng.uniform(170, 235),) * 3, (rng.uniform(90, 150),) * 3
    else:
        sky, floor = _sample_paint(rng), _sample_paint(rng)
    floor = np.clip(np.array(floor) + rng.uniform(-25, 25, 3), 10, 245)
    image = np.concatenate(
        [
            _gradient(sky, np.array(sky) * rng.uniform(0.75, 1), horizon, width),
            _gradient(floor * 0.85, floor, height - horizon, width),
        ]
    )
    texture = _noise(rng, width, height, rng.randint(5, 40))
    amount = rng.uniform(0.05, 0.25)
    cv2.addWeighted(image, 1, texture, amount, -128 * amount, image)
    return image


def paint_clutter(rng: np.random.RandomState, image: np.ndarray, ground: int) -> None:
    """Paint objects behind the people on a uint8 RGB image (H, W, 3), in place, mostly out of focus.

    ground: as in render_background; plants stand on it.
    """
    height, width = image.shape[:2]
    for _ in range(rng.randint(2, 8)):
        centre = rng.uniform(0, 1, 2) * (width, height)
        half = rng.uniform(0.02, 0.2, 2) * (width, height)
        colour = _sample_paint(rng)
        kind = rng.randint(5)
        if kind == 0:
            _paint_window(rng, image, centre, half, colour)
        elif kind == 1:
            _paint_plant(rng, image, centre[0], ground, half, colour)
        elif kind == 2:
            _paint_post(rng, image, centre, half, colour)
        elif kind == 3:
            fill(image, centre + CIRCLE * half, shade(colour, 0.9), True)
            fill(image, centre + CIRCLE * half * 0.8 - half * 0.1, shade(colour, 1.0), True)
        else:
            angle = rng.uniform(0, math.pi)
            turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
            fill(image, centre + (_SQUARE * half).dot(turn), shade(colour, 1.0), True)
    if rng.uniform() < 0.85:
        _defocus(image, rng.uniform(1.5, 4.5))


def _defocus(image: np.ndarray, shrink: float) -> None:
    """Blur an image in place, by shrinking it by this factor and enlarging it again: cheaper than a Gaussian."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (int(width / shrink), int(height / shrink)), interpolation=cv2.INTER_AREA)
    cv2.resize(small, (width, height), image, interpolation=cv2.INTER_CUBIC)


def _paint_window(
    rng: np.random.RandomState, image: np.ndarray, centre: np.ndarray, half: np.ndarray, colour: Colour
) -> None:
    """Paint a window, a picture, a shelf or a house: a frame with panes."""
    fill(image, centre + _SQUARE * half, shade(colour, 0.8), True)
    pane = _sample_paint(rng)
    columns, rows = rng.randint(1, 4), rng.randint(1, 4)
    for column in range(columns):
        for row in range(rows):
            middle = ((column + 0.5) / columns * 2 - 1, (row + 0.5) / rows * 2 - 1)
            size = (0.8 / columns, 0.8 / rows)
            fill(image, centre + (_SQUARE * size + middle) * half, shade(pane, 1.0), True)


def _paint_plant(
    rng: np.random.RandomState, image: np.ndarray, x: float, ground: int, half: np.ndarray, colour: Colour
) -> None:
    """Paint a tree or a bush: a stem and blobs of leaves."""
    stem = np.array([[x, ground]])
    crown = np.array([[x + rng.uniform(-5, 5), ground - half[1] * rng.uniform(1, 5)]])
    radius = np.array([2 + 0.12 * half[0]])
    fill(image, tube_outlines(stem, crown, radius, radius * 0.7)[0], (88, 66, 48), True)
    leaf = (0.35 * colour[0] + 20, 0.4 * colour[1] + 70, 0.3 * colour[2] + 20)
    for _ in range(5):
        middle = crown[0] + rng.uniform(-0.7, 0.7, 2) * half
        blob = middle + CIRCLE * half * rng.uniform(0.35, 0.75)
        fill(image, blob, shade(leaf, rng.uniform(0.75, 1.15)), True)


def _paint_post(
    rng: np.random.RandomState, image: np.ndarray, centre: np.ndarray, half: np.ndarray, colour: Colour
) -> None:
    """Paint a post, a rail or a pipe: a straight tube."""
    angle = (0.5 * math.pi, 0.0, rng.uniform(0, math.pi))[rng.randint(3)]
    reach = np.array([[math.cos(angle), math.sin(angle)]]) * half.max() * 4
    radii = np.array([rng.uniform(1.5, 6), 1.2])
    for outline, brightness in zip(tube_outlines(centre - reach, centre + reach, radii, radii), (0.8, 1.05)):
        fill(image, outline, shade(colour, brightness), True)


def finish_image(rng: np.random.RandomState, image: np.ndarray) -> np.ndarray:
    """Return the image (H, W, 3) with a colour cast, a change of contrast, sometimes blur, and grain."""
    levels = np.arange(256)[:, None]
    gains, offset, bend = rng.uniform(0.88, 1.1, 3), rng.uniform(-14, 14), rng.uniform(0.8, 1.15)
    table = 255 * (levels / 255.0) ** bend * gains + offset
    image = cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8)[None])
    if rng.uniform() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 0.8))
    return add_grain(rng, image)


def add_grain(rng: np.random.RandomState, image: np.ndarray) -> np.ndarray:
    """Return the image (H, W, 3) with grain."""
    height, width = image.shape[:2]
    noise = np.frombuffer(rng.bytes(height * width), np.uint8).reshape(height, width)
    grain = cv2.cvtColor(noise, cv2.COLOR_GRAY2RGB)
    amount = rng.uniform(0.02, 0.07)
    return cv2.addWeighted(image, 1, grain, amount, -127.5 * amount)
