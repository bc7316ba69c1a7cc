"""The JSON files of an evaluation: metrics.json and predictions.json."""

import json
import math
import os
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np

from hourglass_pose.evaluation.breakdown import Breakdown
from hourglass_pose.evaluation.pckh import PckhResult
from hourglass_pose.files import write_whole
from hourglass_pose.skeleton import Skeleton

_DEFINITIONS = {
    'unit': 'percent of labelled joints; null if nothing is labelled',
    'thresholds': 'inclusive',
    'groups': 'mean of the joints of a group; head is the head top',
    'mean': 'mean over all joints but pelvis and thorax',
    'mean_weighted': 'the same, weighted by the number of labelled joints',
    'box_pck_auc': "area under the curve of PCK by the longer side of the person's box, thresholds 0 to 1",
    'oks': "mean of COCO's object keypoint similarity over persons, and the shares of persons with at least 0.5 and "
    '0.75; a person without an annotated area has 0.53 x that of its box',
    'auc': 'integral of PCKh over thresholds 0 to 0.5 by trapezia of width 0.01, divided by 0.5',
    'argmax_accuracy': "100 x (1 - distance of the heatmaps' largest cells / (91 / 64 x heatmap side))",
}
_FRAME = (
    '0-based pixels of the image: x right, y down, pixel centres at integers; a box is x0, y0, x1, y1 of its first and '
    'last pixel'
)


@dataclass(frozen=True, eq=False)
class Prediction:
    """The pose of one person in the predictions file.

    image: file name. person_id: unique in its annotation file, or None. joints_img: (J, 2) image pixels.
    scores: (J,). box_img: (x0, y0, x1, y1), the box the person was cropped by. source: origin of the box,
    such as the annotation file.
    """

    image: str
    person_id: Optional[str]
    joints_img: np.ndarray
    scores: np.ndarray
    box_img: np.ndarray
    source: str


def build_metrics(
    result: PckhResult,
    baselines: Dict[str, PckhResult],
    protocol: Dict[str, Any],
    breakdown: Optional[Breakdown] = None,
    worst_persons: Optional[Iterable[Tuple[str, float]]] = None,
) -> dict:
    """Return the JSON-able content of metrics.json.

    Args:
        baselines: name ('mean_pose', 'centre') -> PckhResult on the same persons.
        protocol: what was measured and how (data, split, flip_test, decoding, crop_rule, checkpoint, command,
            versions, ...), JSON-able or NumPy values. The number of persons, the sources of head and torso sizes and
            the definitions of the metrics are added to it.
        breakdown: of the same result.
        worst_persons: (name, percent), worst first.
    """
    metrics: dict = dict(result.metrics)
    metrics['baselines'] = {name: baseline.metrics for name, baseline in baselines.items()}
    metrics['protocol'] = dict(
        protocol,
        num_persons=result.num_persons,
        head_sizes=result.head_sources,
        torso_sizes=result.torso_sources,
        definitions=_DEFINITIONS,
    )
    if breakdown is not None:
        metrics['breakdown'] = breakdown.as_dict()
    if worst_persons is not None:
        metrics['worst_persons'] = [{'person': name, 'percent': percent} for name, percent in worst_persons]
    return json_ready(metrics)


def json_ready(value: Any) -> Any:
    """Return a copy of nested dicts, lists and NumPy values for strict JSON: None for NaN and infinity."""
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [json_ready(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(path: Union[str, os.PathLike], value: Any) -> None:
    """Write a value that json_ready takes as indented JSON, atomically. Raises UserError if that fails."""
    write_whole(path, (f'{json.dumps(json_ready(value), indent=2, allow_nan=False)}\n').encode('ascii'))


def write_predictions(
    path: Union[str, os.PathLike], predictions: Sequence[Prediction], skeleton: Skeleton, versions: Dict[str, str]
) -> None:
    """Write Predictions as JSON, one line a person, atomically.

    The numbers are written with all their digits, so that scoring the file gives exactly the metrics of the evaluation.

    Args:
        versions: JSON-able dict of program and libraries.

    Raises UserError if the file cannot be written.
    """
    header = {
        'format': 'hourglass-pose predictions',
        'format_version': 1,
        'frame': _FRAME,
        'joints': skeleton.joints,
        'versions': versions,
    }
    lines: List[str] = []
    for person in predictions:
        record = {
            'image': person.image,
            'person_id': person.person_id,
            'joints_img': np.asarray(person.joints_img),
            'scores': np.asarray(person.scores),
            'box_img': np.asarray(person.box_img),
            'source': person.source,
        }
        lines.append(json.dumps(json_ready(record), allow_nan=False))
    # Indenting everything would put each coordinate on its own line, so the list is inserted before the header's brace.
    opening = json.dumps(json_ready(header), indent=2, allow_nan=False)[:-2]
    records = ',\n'.join(lines)
    text = f'{opening},\n  "predictions": [\n{records}\n  ]\n}}\n'
    write_whole(path, text.encode('ascii'))
