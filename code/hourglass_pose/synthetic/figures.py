"""FigurePainter: paints one clothed person from a posed body and an outfit."""

import math
from typing import Any

import numpy as np

from hourglass_pose.synthetic.bodies import Figure
from hourglass_pose.synthetic.outfits import Outfit
from hourglass_pose.synthetic.shapes import CIRCLE, Colour, Ellipsoid, Sketch, Trunk, discs, hull, shade

# Radii in statures of a lean person's limbs; clothes add to them.
_RADII = {
    'hip': 0.049,
    'knee': 0.031,
    'calf': 0.033,
    'ankle': 0.019,
    'shoulder': 0.028,
    'elbow': 0.0225,
    'forearm': 0.023,
    'wrist': 0.014,
    'neck': 0.030,
}
# Half of head breadth, height and length; the height comes from the body.
_HEAD_HALF_BREADTH, _HEAD_HALF_LENGTH = 0.047, 0.056

# Added to the depth of a part, in statures, to define the order of parts at the same depth.
_NUDGE = {'skirt': 0.022, 'pelvis': 0.03, 'neck': 0.032, 'trunk': 0.036, 'head': 0.05, 'arm': 0.05}

# (low, high, first turn, last turn) on the trunk: slits in front, flaps at the back.
_POCKETS = ((-0.02, 0.16, 34, 46), (-0.02, 0.16, -46, -34), (-0.12, 0.03, 146, 168), (-0.12, 0.03, 192, 214))


class FigurePainter:
    """Paints a figure into an image.

    figure: bodies.Figure. outfit: outfits.Outfit. pelvis_img: (2,) position of the pelvis in pixels. stature_px: height
    of the person standing upright, in pixels.
    light: (2,) unit vector in the image towards the light.
    """

    def __init__(
        self, figure: Figure, outfit: Outfit, pelvis_img: np.ndarray, stature_px: float, light: np.ndarray
    ) -> None:
        origin = np.array([pelvis_img[0], pelvis_img[1], 0.0])
        self._points = {name: origin + point * stature_px for name, point in figure.points.items()}
        self._depths = {name: point[2] for name, point in figure.points.items()}
        self._frames = figure.frames
        self._outfit = outfit
        self._stature = stature_px
        self._sketch = Sketch(light)
        self._trunk = Trunk(
            self._points['pelvis'],
            self._points['thorax'],
            figure.frames['pelvis'],
            figure.frames['trunk'],
            outfit.girth,
            stature_px,
        )

    def paint(self, image: np.ndarray) -> None:
        """Paint the person on a uint8 RGB image (H, W, 3), in place."""
        for side in 'lr':
            self._leg(side)
            self._arm(side)
        if self._outfit.legs == 'skirt':
            self._skirt()
        self._pelvis_and_trunk()
        self._head()
        self._sketch.paint(image)

    def _dimmed(self, colour: Colour, depth: float) -> Colour:
        """Return a colour as seen at a depth in statures: farther limbs are darker."""
        return shade(colour, min(max(0.97 + 1.1 * depth, 0.68), 1.15))

    def _limb(self, depth: float, colour: Colour, *tubes: Any) -> None:
        """Add parts of a limb: (first joint, last joint, two radii in statures, two shares of the way)."""
        tubes_px = []
        for first, last, radii, span in tubes:
            start, way = self._points[first], self._points[last] - self._points[first]
            tubes_px.append(
                (start + way * span[0], start + way * span[1], radii[0] * self._stature, radii[1] * self._stature)
            )
        self._sketch.tubes(depth, tubes_px, self._dimmed(colour, depth))

    def _crease(self, joint: str, depth: float, colour: Colour, radius: float) -> None:
        """Add the darker folds or skin of a knee or an elbow. radius: in statures."""
        spot = self._points[joint][:2] + CIRCLE * (radius * self._stature)
        self._sketch.patch(depth, spot, shade(self._dimmed(colour, depth), 0.86))

    def _leg(self, side: str) -> None:
        outfit = self._outfit
        hip, knee, ankle = f'{side}_hip', f'{side}_knee', f'{side}_ankle'
        thigh_depth = 0.5 * (self._depths[hip] + self._depths[knee])
        shank_depth = 0.5 * (self._depths[knee] + self._depths[ankle])
        swell = outfit.bulk * (1.1 if outfit.legs == 'long' else 0.97)
        at_hip, at_knee, at_calf, at_ankle = (_RADII[at] * swell for at in ('hip', 'knee', 'calf', 'ankle'))
        colour = outfit.trousers if outfit.legs == 'long' else outfit.skin
        self._foot(side, shank_depth + 0.004)
        self._limb(
            shank_depth,
            colour,
            (knee, ankle, (at_knee, at_calf), (0, 0.3)),
            (knee, ankle, (at_calf, at_ankle), (0.3, 0.97)),
        )
        self._limb(thigh_depth, colour, (hip, knee, (at_hip, at_knee), (0, 1)))
        if outfit.legs == 'shorts':
            self._limb(thigh_depth + 0.001, outfit.trousers, (hip, knee, (at_hip * 1.16, at_knee * 1.3), (0, 0.75)))
        self._crease(knee, max(thigh_depth, shank_depth) + 0.002, colour, 0.75 * at_knee)

    def _foot(self, side: str, depth: float) -> None:
        points = [self._points[side + name] for name in ('_ankle', '_heel', '_toe')]
        depth = max(depth, 0.5 * (self._depths[f'{side}_toe'] + self._depths[f'{side}_heel']))
        rims = discs([point[:2] for point in points], np.array([0.02, 0.021, 0.018]) * self._stature)
        self._sketch.solids(depth, [rims], self._dimmed(self._outfit.shoes, depth))

    def _arm(self, side: str) -> None:
        outfit, bulk = self._outfit, self._outfit.bulk
        shoulder, elbow, wrist, hand = (side + name for name in ('_shoulder', '_elbow', '_wrist', '_hand'))
        upper_depth = 0.5 * (self._depths[shoulder] + self._depths[elbow]) + _NUDGE['arm']
        lower_depth = 0.5 * (self._depths[elbow] + self._depths[wrist]) + _NUDGE['arm'] + 0.004
        upper = (_RADII['shoulder'] * bulk, _RADII['elbow'] * bulk)
        lower = (_RADII['forearm'] * bulk, _RADII['wrist'] * bulk)
        self._limb(
            lower_depth - 0.001,
            outfit.skin,
            (wrist, hand, (0.0135, 0.0195), (0, 0.4)),
            (wrist, hand, (0.0195, 0.011), (0.4, 0.92)),
        )
        long = outfit.sleeves == 'long'
        colour, swell = (outfit.shirt, 1.13) if long else (outfit.skin, 1.0)
        upper = (upper[0] * swell, upper[1] * swell)
        lower = (lower[0] * swell, lower[1] * swell)
        self._limb(upper_depth, colour, (shoulder, elbow, upper, (0.04, 1)))
        self._limb(lower_depth, colour, (elbow, wrist, lower, (0, 0.94 if long else 1)))
        if outfit.sleeves == 'short':
            self._limb(
                upper_depth + 0.001, outfit.shirt, (shoulder, elbow, [radius * 1.17 for radius in upper], (0.04, 0.5))
            )
        self._crease(elbow, max(upper_depth, lower_depth) + 0.001, colour, 0.75 * upper[1])

    def _skirt(self) -> None:
        """Add a skirt: the hull of the hips and of both thighs down to above the knees."""
        thighs, depth = [], -1.0
        for side in 'lr':
            hip, knee = self._points[f'{side}_hip'], self._points[f'{side}_knee']
            thighs += [hip[:2], (hip + 0.85 * (knee - hip))[:2]]
            depth = max(depth, 0.5 * (self._depths[f'{side}_hip'] + self._depths[f'{side}_knee']))
        rims = discs(thighs, np.full(4, 0.052 * self._stature))
        outline = np.concatenate([rims, self._trunk.rings(-0.1, 0.45)])
        self._sketch.solids(depth + _NUDGE['skirt'], [outline], self._outfit.trousers)

    def _pelvis_and_trunk(self) -> None:
        outfit, trunk, sketch = self._outfit, self._trunk, self._sketch
        depth = 0.5 * self._depths['thorax'] + _NUDGE['trunk']
        sketch.solids(_NUDGE['pelvis'], [trunk.rings(-0.2, 0.45)], outfit.trousers)
        if outfit.legs != 'skirt':
            for pocket in _POCKETS:
                sketch.patch(_NUDGE['pelvis'], trunk.strip(*pocket), shade(outfit.trousers, 0.66))
        shoulders = [self._points[f'{side}_shoulder'][:2] for side in 'lr']
        inset = [centre + 0.25 * (self._points['thorax'][:2] - centre) for centre in shoulders]
        rims = discs(inset, np.full(2, 0.026 * outfit.bulk * self._stature))
        chest = np.concatenate([trunk.rings(0.4, 1.1), rims])
        waist = np.concatenate([trunk.ring(outfit.hem, 1.06), trunk.rings(outfit.hem, 0.7)])
        sketch.solids(depth, [waist, chest], outfit.shirt)
        if outfit.pattern == 'stripes':
            for height in np.arange(outfit.hem + 0.1, 0.8, 0.17):
                sketch.patch(depth, trunk.band(height, height + 0.075), outfit.accent)
        elif outfit.pattern == 'block':
            sketch.patch(depth, trunk.band(0.62, 0.84), outfit.accent)
        if outfit.hem > 0.1:
            sketch.patch(depth, trunk.band(outfit.hem - 0.03, outfit.hem + 0.05), (44, 34, 28))
        self._front(depth)
        self._back(depth)
        radius = _RADII['neck'] * self._stature
        neck = (self._points['thorax'], self._points['chin'], radius * 1.1, radius)
        neck_depth = 0.5 * (self._depths['thorax'] + self._depths['chin']) + _NUDGE['neck']
        sketch.tubes(neck_depth, [neck], shade(outfit.skin, 0.9))

    def _front(self, depth: float) -> None:
        """Add the parts that only the front of the trunk shows; every front has an open collar."""
        outfit, trunk, sketch = self._outfit, self._trunk, self._sketch
        if outfit.front == 'jacket':
            sketch.patch(depth, trunk.strip(outfit.hem, 0.98, -34, 34), outfit.accent)
        elif outfit.front == 'print':
            sketch.patch(depth, trunk.strip(0.42, 0.78, -38, 38), outfit.accent)
        elif outfit.front == 'zip':
            sketch.patch(depth, trunk.strip(outfit.hem, 0.95, -7, 7), outfit.accent)
        deep = {'vneck': 0.62, 'jacket': 0.76, 'tie': 0.8}.get(outfit.front, 0.8)
        opening = trunk.at([deep, 0.92, 1.04, 1.04, 0.92], [0, 30, 60, -60, -30])
        if self._frames['trunk'][2, 2] > 0.25:
            sketch.patch(depth, hull(opening[:, :2]), shade(outfit.skin, 0.94))
        if outfit.front == 'tie':
            sketch.patch(depth, trunk.strip(0.3, 0.88, -9, 9), outfit.accent)
        elif outfit.front == 'buttons':
            for height in np.arange(outfit.hem + 0.06, 0.82, 0.15):
                sketch.patch(depth, trunk.strip(height, height + 0.07, -8, 8), outfit.accent)

    def _back(self, depth: float) -> None:
        """Add a backpack on the back, with straps on the front."""
        outfit, trunk = self._outfit, self._trunk
        if outfit.back != 'backpack':
            return
        near = trunk.at([0.2, 0.2, 0.92, 0.92], [125, 235, 125, 235])
        far = trunk.at([0.2, 0.2, 0.86, 0.86], [140, 220, 140, 220], 2.1)
        box = np.concatenate([near, far])
        pack_depth = depth - 0.14 * self._frames['trunk'][2, 2]
        self._sketch.solids(pack_depth, [box[:, :2]], outfit.hat)
        centre = far[:, :2].mean(axis=0)
        self._sketch.patch(pack_depth, hull(centre + 0.6 * (far[:, :2] - centre)), shade(outfit.hat, 0.8))
        for turn in (-42, 42):
            self._sketch.patch(depth, trunk.strip(0.45, 0.98, turn - 7, turn + 7), outfit.hat)

    def _head(self) -> None:
        outfit, sketch, unit = self._outfit, self._sketch, self._stature
        chin, top = self._points['chin'], self._points['head']
        half_height = 0.5 * np.linalg.norm(top - chin)
        frame = self._frames['head']
        depth = 0.5 * (self._depths['chin'] + self._depths['head']) + _NUDGE['head']
        skull = Ellipsoid(
            0.5 * (chin + top), frame, np.array([_HEAD_HALF_BREADTH * unit, half_height, _HEAD_HALF_LENGTH * unit])
        )
        if outfit.hair_cut in ('long', 'tail'):
            self._long_hair(skull, depth)
        for ear in ((1.0, -0.08, -0.1), (-1.0, -0.08, -0.1)):
            centre, _ = skull.at([ear], 1.02)
            sketch.patch(depth, centre + CIRCLE * (0.011 * unit, 0.017 * unit), shade(outfit.skin, 0.88))
        sketch.patch(depth, skull.outline(), shade(outfit.hair, 0.85))
        sketch.patch(depth, skull.cap((0.0, 0.75, -0.65), 55), shade(outfit.hair, 1.12))
        if outfit.hair_cut not in ('long', 'tail'):
            sketch.patch(depth, skull.cap((0.0, -1.0, -0.35), 40), shade(outfit.skin, 0.9))
        face = (0.0, -0.42, 0.9)
        width = 76 if outfit.hair_cut != 'cropped' else 84
        sketch.patch(depth, skull.cap(face, width), shade(outfit.skin, 0.9))
        sketch.patch(depth, skull.cap((0.0, -0.3, 1.0), width - 16), shade(outfit.skin, 1.02))
        if outfit.beard:
            sketch.patch(depth, skull.cap((0.0, -0.85, 0.6), 38), shade(outfit.hair, 1.1))
        if frame[2, 2] > -0.6:
            self._features(skull, depth)
        if outfit.hair_cut == 'cap':
            self._cap(skull, depth)

    def _features(self, skull: Ellipsoid, depth: float) -> None:
        """Add eyes, brows, nose and mouth if they are visible."""
        outfit, sketch = self._outfit, self._sketch
        for side in (-1, 1):
            towards = (side * 0.38, 0.02, 0.92)
            sketch.patch(depth, skull.cap((side * 0.4, 0.24, 0.9), 11), shade(outfit.hair, 0.9))
            sketch.patch(depth, skull.cap((side * 0.4, 0.16, 0.92), 12), shade(outfit.skin, 1.0))
            sketch.patch(depth, skull.cap(towards, 10), (226, 220, 212))
            sketch.patch(depth, skull.cap(towards, 7 if not outfit.glasses else 18), (38, 28, 24))
        nose = skull.at([(0.0, 0.05, 1.0), (0.13, -0.3, 1.0), (0.0, -0.3, 1.22), (-0.13, -0.3, 1.0)])
        if nose[1].all():
            sketch.patch(depth, hull(nose[0]), shade(outfit.skin, 0.8))
        mouth, shown = skull.at([(-0.27, -0.58, 0.77), (0.0, -0.54, 0.86), (0.27, -0.58, 0.77), (0.0, -0.68, 0.76)])
        if shown.any():
            sketch.patch(depth, mouth, (150, 62, 58) if not outfit.beard else (170, 90, 80))

    def _long_hair(self, skull: Ellipsoid, depth: float) -> None:
        """Add hair that hangs behind the shoulders, or a tail."""
        outfit, unit = self._outfit, self._stature
        roots = skull.outline(1.08)
        length = 1.75 if outfit.hair_cut == 'long' else 2.3
        width = 0.78 if outfit.hair_cut == 'long' else 0.24
        ends, _ = skull.at([(width, -length, -0.75), (-width, -length, -0.75)])
        behind = depth - 0.03 - 0.12 * self._frames['head'][2, 2]
        if outfit.hair_cut == 'long':
            self._sketch.solids(behind, [np.concatenate([roots, ends])], shade(outfit.hair, 0.95))
            return
        start, _ = skull.at([(0.0, 0.35, -1.05)])
        self._sketch.tubes(
            depth - 0.1 * self._frames['head'][2, 2],
            [(start[0], ends.mean(axis=0), 0.02 * unit, 0.008 * unit)],
            outfit.hair,
        )

    def _cap(self, skull: Ellipsoid, depth: float) -> None:
        """Add a peaked cap."""
        peak = np.array(
            [(math.sin(angle) * 0.95, 0.3, math.cos(angle) * 1.55) for angle in np.linspace(-0.75, 0.75, 5)]
            + [(0.75, 0.34, 0.6), (-0.75, 0.34, 0.6)]
        )
        outline, visible = skull.at(peak)
        front = self._frames['head'][2, 2] > -0.2
        if not front:
            self._sketch.patch(depth - 0.02, hull(outline), shade(self._outfit.hat, 0.75))
        self._sketch.patch(depth, skull.cap((0.0, 1.0, -0.12), 74, 1.05), self._outfit.hat)
        self._sketch.patch(depth, skull.cap((0.0, 1.0, -0.3), 40, 1.05), shade(self._outfit.hat, 1.12))
        if front and visible.any():
            self._sketch.patch(depth, hull(outline), shade(self._outfit.hat, 0.75))
