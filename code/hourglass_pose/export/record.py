"""The description of an offline model: the JSON next to it, and the part of it that is stored in an ONNX file."""

import os
from typing import Any, Dict, Optional, Sequence

from hourglass_pose.export.offline_graph import HEATMAPS, INPUT, JOINTS, PERSON, SCORES, OfflineGraph
from hourglass_pose.input.cropping import BARE_BOX_MARGIN
from hourglass_pose.prediction.predictor import Predictor

_BOX = (
    "the square around the centre of a box (x0, y0, x1, y1; first and last pixel), its side the box's longer "
    'side times 1 + 2 x box_margin, resized to input_size x input_size pixels; black outside the photo'
)
_CENTRE_SCALE = (
    "the square of MPII's centre and scale, its corners rounded by the rule crop_corners; for a box alone, the "
    f'square around it with a margin of {BARE_BOX_MARGIN:g} of its longer side'
)
_FRAME = '0-based pixels of the crop: x right, y down, pixel centres at integers; crop = (cell + 0.5) x stride - 0.5'


def describe_tensors(predictor: Predictor, offline: OfflineGraph) -> Dict[str, Any]:
    """Return the JSON-able description that prediction with an offline model needs.

    predictor: of its checkpoint.
    """
    return {
        'inference': predictor.inference.as_dict(),
        'input': _input(offline),
        'outputs': [_output(name, shape, predictor) for name, shape in zip(offline.outputs, offline.output_shapes)],
        'stride': predictor.codec.stride,
        'sigma_hm': predictor.codec.sigma_hm,
        'frame': _FRAME,
        'crop': _CENTRE_SCALE if predictor.rule.needs_centre else _BOX,
        # Models are shared, so the path of the run on this machine is private.
        'checkpoint': '/'.join(os.path.abspath(predictor.stored.path).split(os.sep)[-2:]),
        'step': predictor.stored.step,
    }


def describe_model(
    format_name: str, file: str, predictor: Predictor, offline: OfflineGraph, gate: Dict[str, Any]
) -> Dict[str, Any]:
    """Return the JSON-able record of an offline model. gate: the results of its comparison, JSON-able."""
    manifest = predictor.stored.manifest
    return {
        'format': format_name,
        'file': file,
        **describe_tensors(predictor, offline),
        'averaged_weights': bool(manifest and manifest['averaged_weights']),
        'network': offline.network,
        'weights': 'float16' if offline.rounded_convolutions else 'float32',
        'batch_norms': {'folded': offline.folded, 'factor_and_offset': offline.spelled_out},
        'gate': gate,
        'versions': predictor.engine.versions(),
    }


def _input(offline: OfflineGraph) -> Dict[str, Any]:
    is_uint8 = offline.input_type == 'uint8'
    return {
        'name': INPUT,
        'shape': list(offline.input_shape),
        'dtype': offline.input_type,
        'layout': 'batch, row, column, channel',
        'channels': 'red, green, blue',
        'range': '0 to 255' if is_uint8 else 'value / 255 - mean of values 0 to 255, which aipp.cfg makes',
        'mean': list(offline.input_mean),
        'normalised': 'in the model' if is_uint8 else 'before the model',
    }


def _output(name: str, shape: Sequence[Optional[int]], predictor: Predictor) -> Dict[str, Any]:
    values = 'heatmaps in [0, 1]' if predictor.inference.gives_probabilities else predictor.codec.output_meaning
    layout, meaning = {
        HEATMAPS: ('batch, row, column, joint', f'last stack: {values}'),
        JOINTS: ('batch, joint, x and y', 'x, y in pixels of the crop'),
        SCORES: ('batch, joint', 'highest value of the heatmap, held within [0, 1]'),
        PERSON: ('batch', 'logit, above 0 where the crop shows one whole person in its middle'),
    }[name]
    return {'name': name, 'shape': list(shape), 'dtype': 'float32', 'layout': layout, 'meaning': meaning}
