"""Shapes of rendered people: shaded tubes, hulls and patches painted from far to near, and curved surfaces."""

import functools
import math
from typing import Any, Iterable, List, Optional, Sequence, Tuple

import cv2
import numpy as np

# RGB, 0..255: a tuple, a list or an array of three numbers.
Colour = Any

# Fractional bits of OpenCV's fixed-point coordinates.
_SHIFT = 5
_ANGLES = np.linspace(0, 2 * math.pi, 20, endpoint=False)
CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)

# From one end of an arc to the other.
_ARC = np.linspace(-1, 1, 7)

# (share of the radius, shift of the axis towards the light in radii, brightness), outermost first.
_LAYERS = ((1.0, 0.0, 0.74), (0.80, 0.13, 0.97), (0.42, 0.30, 1.08))
_RING_TURNS = np.arange(0, 360, 30.0)


def fill(image: np.ndarray, polygon_img: np.ndarray, colour: Colour, convex: bool = False) -> None:
    """Fill a polygon, float (N, 2), pixel centres at integers, with anti-aliased edges, in place."""
    # Rounds correctly inside the image; coordinates left of it or above may be off by 1/32 pixel.
    corners = (polygon_img * (1 << _SHIFT) + 0.5).astype(np.int32)
    if convex:
        cv2.fillConvexPoly(image, corners, colour, cv2.LINE_AA, _SHIFT)
    else:
        cv2.fillPoly(image, [corners], colour, cv2.LINE_AA, _SHIFT)


def shade(colour: Colour, brightness: float) -> Colour:
    """Return an RGB colour as three ints in 0..255, `brightness` times as bright."""
    return tuple([min(int(channel * brightness), 255) for channel in colour])


def hull(points_img: np.ndarray) -> np.ndarray:
    """Return the convex hull, float32 (M, 2), of points (N, 2)."""
    return cv2.convexHull(np.asarray(points_img, np.float32))[:, 0, :]


def discs(centres_img: Any, radii: np.ndarray) -> np.ndarray:
    """Return the rims of N discs, float64 (20 N, 2), for a hull. centres_img: (N, 2). radii: (N,)."""
    rims = np.asarray(centres_img)[:, None, :] + CIRCLE * np.asarray(radii)[:, None, None]
    return rims.reshape(-1, 2)


def tube_outlines(starts: np.ndarray, ends: np.ndarray, start_radii: np.ndarray, end_radii: np.ndarray) -> np.ndarray:
    """Return the outlines of K tapered capsules, float64 (K, 14, 2): convex polygons round two discs each.

    starts, ends: (K, 2) centres of the discs. start_radii, end_radii: (K,). If one disc contains the other,
    the outline is that of the larger one.
    """
    axes = ends - starts
    lengths = np.maximum(np.hypot(axes[:, 0], axes[:, 1]), 1e-6)
    headings = np.arctan2(axes[:, 1], axes[:, 0])
    # The common tangents touch both discs at this angle from the axis.
    tangents = np.arccos(np.clip((start_radii - end_radii) / lengths, -1, 1))[:, None]
    end_angles = headings[:, None] + tangents * _ARC
    start_angles = headings[:, None] + math.pi + (math.pi - tangents) * _ARC
    outlines = []
    for centres, radii, angles in ((ends, end_radii, end_angles), (starts, start_radii, start_angles)):
        rim = np.stack([np.cos(angles), np.sin(angles)], axis=2)
        outlines.append(centres[:, None] + radii[:, None, None] * rim)
    return np.concatenate(outlines, axis=1)


class Sketch:
    """Shapes added in any order and painted from far to near; equal depths in the order of adding.

    light: (2,) direction in the image from which the light falls, unit length.
    Depths grow towards the viewer. Colours are RGB, 0..255.
    """

    def __init__(self, light: np.ndarray) -> None:
        self._light = np.asarray(light, np.float64)
        self._tubes: List[Tuple[float, ...]] = []
        self._groups: List[Tuple[Any, ...]] = []

    def tubes(self, depth: float, tubes: Any, colour: Colour) -> None:
        """Add tapered capsules that merge into each other, shaded as cylinders.

        tubes: (start, end, start radius, end radius) each; start and end are (2,) or longer, in pixels.
        """
        first = len(self._tubes)
        self._tubes += [
            (start[0], start[1], end[0], end[1], start_radius, end_radius)
            for start, end, start_radius, end_radius in tubes
        ]
        self._groups.append((depth, len(self._groups), range(first, len(self._tubes)), colour))

    def solids(self, depth: float, outlines: Iterable[np.ndarray], colour: Colour) -> None:
        """Add the convex hulls of point sets (N, 2) that merge into each other, shaded as rounded bodies."""
        outlines = [hull(points) for points in outlines]
        polygons = [(outline, shade(colour, _LAYERS[0][2]), True) for outline in outlines]
        share, drift, brightness = _LAYERS[1]
        for outline in outlines:
            reach = 0.25 * math.sqrt(cv2.contourArea(outline))
            fixed = (0.5 - 0.5 * share) * outline.mean(axis=0) + self._light * (drift * reach)
            inner = outline * (0.5 + 0.5 * share) + fixed
            polygons.append((inner, shade(colour, brightness), True))
        self._groups.append((depth, len(self._groups), polygons, None))

    def patch(self, depth: float, points_img: Optional[np.ndarray], colour: Colour) -> None:
        """Add a flat polygon (N, 2), convex or not; None adds nothing."""
        if points_img is not None:
            self._groups.append((depth, len(self._groups), [(points_img, shade(colour, 1), False)], None))

    def paint(self, image: np.ndarray) -> None:
        """Paint everything on a uint8 RGB image (H, W, 3), in place."""
        layers = self._tube_layers()
        for _, _, members, colour in sorted(self._groups, key=lambda group: group[:2]):
            if colour is None:
                for polygon, polygon_colour, convex in members:
                    fill(image, polygon, polygon_colour, convex)
                continue
            for outlines, (_, _, brightness) in zip(layers, _LAYERS):
                layer_colour = shade(colour, brightness)
                for index in members:
                    fill(image, outlines[index], layer_colour, True)

    def _tube_layers(self) -> Any:
        tubes = np.array(self._tubes).reshape(-1, 6)
        starts, ends, start_radii, end_radii = tubes[:, 0:2], tubes[:, 2:4], tubes[:, 4], tubes[:, 5]
        axes = ends - starts
        lengths = np.hypot(axes[:, 0], axes[:, 1])
        headings = axes / np.maximum(lengths, np.maximum(start_radii, end_radii))[:, None]
        shares = np.array([share for share, _, _ in _LAYERS])[:, None]
        drifts = self._light * np.array([drift for _, drift, _ in _LAYERS])[:, None, None]
        # The inner layers reach the ends, so that no dark rim marks a joint between two tubes.
        overhangs = headings * (1 - shares)[:, :, None]
        outlines = tube_outlines(
            (starts + start_radii[:, None] * (drifts - overhangs)).reshape(-1, 2),
            (ends + end_radii[:, None] * (drifts + overhangs)).reshape(-1, 2),
            (start_radii * shares).ravel(),
            (end_radii * shares).ravel(),
        )
        return outlines.reshape((len(_LAYERS), len(tubes)) + outlines.shape[1:])


@functools.lru_cache(maxsize=None)
def _cap_rim(towards: Sequence[float], degrees: float) -> Tuple[np.ndarray, np.ndarray, float]:
    """Return the rim (20, 3) of a cap of the unit sphere, its pole (3,) and the cosine of its angle."""
    pole = np.array(towards) / np.linalg.norm(towards)
    side = np.cross(pole, (0.0, 0.0, 1.0) if abs(pole[2]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    ring = CIRCLE.dot(np.stack([side, np.cross(pole, side)]))
    cosine = math.cos(math.radians(degrees))
    return pole * cosine + ring * math.sin(math.radians(degrees)), pole, cosine


class Ellipsoid:
    """An ellipsoid seen by an orthographic camera.

    centre_img: (2,) in pixels. frame: (3, 3), columns left, up, forward in image axes with z to the viewer.
    semi_axes: (3,) in pixels along those columns.
    A point on it is given by a unit vector (left, up, forward).
    """

    def __init__(self, centre_img: np.ndarray, frame: np.ndarray, semi_axes: np.ndarray) -> None:
        self._centre = np.asarray(centre_img, np.float64)[:2]
        self._image_from_unit = frame[:2] * semi_axes
        self._view = frame[2] / semi_axes
        # The outline is the image of a circle under any square root of the projected quadric.
        covariance = self._image_from_unit.dot(self._image_from_unit.T)
        self._root = np.linalg.cholesky(covariance)
        # The silhouette, where the surface turns away from the viewer, as unit vectors.
        upright = abs(self._view[1]) > abs(self._view[2])
        across = np.cross(self._view, (0.0, 0.0, 1.0) if upright else (0.0, 1.0, 0.0))
        across /= math.sqrt(across.dot(across))
        along = np.cross(self._view, across)
        self._silhouette = CIRCLE.dot(np.array([across, along / math.sqrt(along.dot(along))]))

    def outline(self, scale: float = 1.0) -> np.ndarray:
        """Return the silhouette, float64 (20, 2)."""
        return self._centre + CIRCLE.dot(self._root.T) * scale

    def at(self, directions: Any, scale: float = 1.0) -> Any:
        """Return image points (N, 2) and visibility bool (N,) of unit vectors (N, 3)."""
        directions = np.asarray(directions, np.float64)
        return self._centre + directions.dot(self._image_from_unit.T) * scale, directions.dot(self._view) > 0

    def cap(self, towards: Sequence[float], degrees: float, scale: float = 1.0) -> Optional[np.ndarray]:
        """Return the visible part of the cap within an angle below 90 degrees of a direction, a tuple (3), or None.

        In the image it is convex, bounded by the visible part of its rim and by the silhouette inside it.
        """
        rim, pole, least = _cap_rim(towards, degrees)
        visible = rim.dot(self._view) > 0
        if visible.all():
            return self._centre + rim.dot(self._image_from_unit.T) * scale
        edge = self._silhouette[self._silhouette.dot(pole) > least]
        boundary = np.concatenate([rim[visible], edge])
        if len(boundary) < 3:
            return None
        return hull(self.at(boundary, scale)[0])


class Trunk:
    """The surface of a clothed trunk: a stack of ellipses from the crotch to the base of the neck.

    A point on it is (height, turn): height as a fraction of the way from pelvis (0) to thorax (1), turn in
    degrees from the middle of the front, positive to the person's left.

    pelvis_img, thorax_img: (3,), z to the viewer. pelvis_frame, trunk_frame: (3, 3) as in Ellipsoid;
    the part below height 0.1 turns with the pelvis.
    girth: (left-right, front-back) factors on mean proportions; stature_px: unit of length.
    """

    # height, half breadth and half depth in statures
    _LEVELS = np.array(
        [
            (-0.17, 0.056, 0.050),
            (-0.06, 0.091, 0.062),
            (0.05, 0.094, 0.063),
            (0.22, 0.086, 0.058),
            (0.42, 0.077, 0.054),
            (0.68, 0.092, 0.064),
            (0.90, 0.090, 0.052),
            (1.03, 0.044, 0.036),
        ]
    )

    def __init__(
        self,
        pelvis_img: np.ndarray,
        thorax_img: np.ndarray,
        pelvis_frame: np.ndarray,
        trunk_frame: np.ndarray,
        girth: Tuple[float, float],
        stature_px: float,
    ) -> None:
        self._base = np.asarray(pelvis_img, np.float64)
        self._length = np.linalg.norm(np.asarray(thorax_img) - self._base)
        self._frames = (pelvis_frame, trunk_frame)
        self._girth = np.asarray(girth) * stature_px
        self._rings = self.at(self._LEVELS[:, :1], _RING_TURNS)[..., :2]

    def _size(self, heights: Any) -> Tuple[Any, Any]:
        levels = self._LEVELS
        return (
            np.interp(heights, levels[:, 0], levels[:, 1]) * self._girth[0],
            np.interp(heights, levels[:, 0], levels[:, 2]) * self._girth[1],
        )

    def at(self, heights: Any, turns: Any, offset: float = 1.0) -> Any:
        """Return image points with depth, (..., 3), of points (height, turn); offset scales the radius."""
        heights, angles = np.asarray(heights), np.radians(turns)
        half_breadth, half_depth = self._size(heights)
        local = np.empty(np.broadcast(heights, angles).shape + (3,))
        local[..., 0] = half_breadth * np.sin(angles) * offset
        local[..., 1] = heights * self._length
        local[..., 2] = half_depth * np.cos(angles) * offset
        points = local.dot(self._frames[1].T)
        if heights.min() < 0.1:
            low = np.broadcast_to(heights < 0.1, points.shape[:-1])
            points[low] = local[low].dot(self._frames[0].T)
        return self._base + points

    def ring(self, height: float, offset: float = 1.0) -> np.ndarray:
        """Return image points (12, 2) round the surface at a height."""
        return self.at(height, _RING_TURNS, offset)[:, :2]

    def rings(self, low: float, high: float) -> np.ndarray:
        """Return image points (12 N, 2) round the surface at the N levels from height low to high."""
        heights = self._LEVELS[:, 0]
        return self._rings[(heights >= low) & (heights <= high)].reshape(-1, 2)

    def band(self, low: float, high: float) -> Optional[np.ndarray]:
        """Return the visible part (14, 2) of the surface between two heights, all round."""
        return self.strip(low, high, -360, 360)

    def strip(self, low: float, high: float, first: float, last: float) -> Optional[np.ndarray]:
        """Return the visible part (14, 2) of the surface between two heights and two turns, or None."""
        view = self._frames[1][2]
        half_breadth, half_depth = self._size(0.5 * (low + high))
        facing = math.degrees(math.atan2(view[0] / half_breadth, view[2] / half_depth))
        # The equivalent of the middle, modulo 360 degrees, that is nearest to the direction of the viewer.
        middle = (0.5 * (first + last) - facing + 180) % 360 - 180 + facing
        half = 0.5 * (last - first)
        start, end = max(middle - half, facing - 90), min(middle + half, facing + 90)
        if end - start < 1:
            return None
        turns = 0.5 * (start + end) + 0.5 * (end - start) * _ARC
        return self.at(np.repeat([low, high], len(turns)), np.concatenate([turns, turns[::-1]]))[:, :2]
