"""People of three coloured spots, red head, green neck and blue pelvis, and a network that sees them in crops.

The network's map of a joint is the brightness of its colour, averaged over 4 x 4 pixels; in a crop that shows every
colour it is that near the pelvis that is nearest to the middle. The person logit is high where this person is in the
middle and as large as in training.
"""

from types import SimpleNamespace

import numpy as np

from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.prediction import predictor as predictor_module
from hourglass_pose.prediction.engine import Engine
from hourglass_pose.prediction.predictor import Predictor

SIZE, STRIDE = 64, 4
JOINTS = ('head', 'neck', 'pelvis')
# Positions in a person as high as 1, as offsets from its middle.
BODY = np.array([[0.1, -0.5], [0.0, -0.3], [-0.1, 0.5]])
_PLAIN_SIZE = 1 / 1.32  # height of a person in a crop, as a share of its side


def record(**values):
    fields = dict(
        joints=JOINTS,
        kept_joints=(True,) * 3,
        input_size=SIZE,
        heatmap_size=SIZE // STRIDE,
        loss='mse',
        sigma=2.0,
        decoding='quarter',
        flip_test=True,
        box_margin=0.0,
        gives_person=True,
    )
    fields.update(values)
    return InferenceRecord(**fields)


def joints_of(x, y, height):
    """Return joints_img (3, 2) of a person with its middle at (x, y)."""
    return np.array([x, y]) + height * BODY


def photo(people, width=640, height=480):
    """Return a grey photo of people, each (x, y, height)."""
    image = np.full((height, width, 3), 60, np.uint8)
    rows, columns = np.mgrid[:height, :width]
    for x, y, tall in people:
        for channel, (joint_x, joint_y) in enumerate(joints_of(x, y, tall)):
            inside = np.hypot(columns - joint_x, rows - joint_y) <= max(2, 0.06 * tall)
            image[inside] = np.eye(3)[channel] * 255
    return image


class SpotEngine(Engine):
    """The network as an engine of passes of 8 crops. runs: number of crops so far."""

    description = 'a stand-in'
    batch_size = 8
    gives_person = True

    def __init__(self, gives_person=True):
        self.gives_person = gives_person
        self.runs = 0

    def pass_sizes(self, crops_per_person):
        return (1, 8)

    def run(self, crops):
        assert crops.dtype == np.uint8
        self.runs += len(crops)
        maps, logits = zip(*[self._see(crop) for crop in crops])
        found = [np.stack(maps)]
        return found + [np.array(logits, np.float32)] if self.gives_person else found

    def versions(self):
        return {}

    def _see(self, crop):
        values = crop.astype(np.float32) / 255
        bright = np.stack([np.clip(2 * values[..., c] - values.sum(-1), 0, 1) for c in range(3)], axis=-1)
        cells = SIZE // STRIDE
        maps = bright.reshape(cells, STRIDE, cells, STRIDE, 3).mean(axis=(1, 3))
        places = [np.argwhere(maps[..., joint] > 0.2)[:, ::-1] for joint in range(3)]
        if not all(len(place) for place in places):
            return maps, -4.5
        middle = (cells - 1) / 2
        pelvis = places[2][np.argmin(np.linalg.norm(places[2] - [middle, middle + 5], axis=1))]
        # The head above this pelvis and not that of a neighbour.
        head = places[0][np.argmin(np.abs(places[0][:, 0] - pelvis[0]) + (places[0][:, 1] > pelvis[1]) * cells)]
        size = np.abs(pelvis - head).max() / cells
        centre = (pelvis + head) / 2
        near = (
            np.linalg.norm(np.indices((cells, cells))[::-1].transpose(1, 2, 0) - centre, axis=-1) <= 0.75 * size * cells
        )
        offset = np.linalg.norm(centre - middle) / cells
        factor = abs(np.log(size / _PLAIN_SIZE)) if size else 9.0
        return maps * near[..., None], 6.0 - 20.0 * offset - 8.0 * factor


def spot_predictor(monkeypatch, engine=None, **values):
    """Return a Predictor of the network; values: of its record."""
    engine = engine or SpotEngine()
    values.setdefault('gives_person', engine.gives_person)
    stored = SimpleNamespace(inference=record(**values), path='spots', step=1, manifest=None)
    monkeypatch.setattr(predictor_module, '_open', lambda *arguments: (stored, engine))
    return Predictor('spots')
