"""The files of a prediction, NAME.pose.json and NAME.pose.png, marked so that no other files are replaced."""

import json
import os
import struct
import zlib
from typing import Any, Dict, List, Sequence

import cv2
import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.files import parse_json, write_whole
from hourglass_pose.prediction.pose import Pose
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.report.drawing import render_skeleton

JSON_ENDING, PNG_ENDING = '.pose.json', '.pose.png'
FORMAT = 'hourglass-pose poses 1'
"""Value of the key `format`, which identifies a JSON of this program."""

FRAME = (
    '0-based pixels of the upright photo: x right, y down, pixel centres at integers; joints are x, y, score and a box '
    'is x, y, width, height'
)
# PNG specification: the eight bytes of the signature and the chunk IHDR come first.
_PNG_HEADER = 8 + 25
_PNG_MARK = b'Software\x00hourglass-pose predict'
_MARK_WITHIN = 1024


def output_stems(paths: Sequence[str]) -> List[str]:
    """Return a distinct file name without ending for each photo, its own if no other photo has it."""
    stems: List[str] = []
    for path in paths:
        stem = base = os.path.splitext(os.path.basename(path))[0]
        count = 1
        while stem in stems:
            count += 1
            stem = f'{base}_{count}'
        stems.append(stem)
    return stems


def is_own_file(path: str) -> bool:
    """Return whether a file is the JSON or the picture of a prediction, by its name and its content."""
    try:
        if path.endswith(PNG_ENDING):
            with open(path, 'rb') as stream:
                return _PNG_MARK in stream.read(_MARK_WITHIN)
        if path.endswith(JSON_ENDING):
            with open(path, 'rb') as stream:
                record = parse_json(stream.read())
            return isinstance(record, dict) and record.get('format') == FORMAT
    except (OSError, ValueError):
        return False
    return False


def check_output(stem_path: str) -> None:
    """Raise UserError if the files of a photo would replace files that are not of a prediction.

    stem_path: path of the files without their endings.
    """
    for path in (stem_path + JSON_ENDING, stem_path + PNG_ENDING):
        if os.path.lexists(path) and not is_own_file(path):
            raise UserError(f'{path}: this file exists and was not written by predict; choose another --output')


def write_poses(
    stem_path: str, photo: str, image: np.ndarray, poses: Sequence[Pose], predictor: Predictor, min_score: float
) -> None:
    """Write the JSON and the picture of a photo. Raises UserError if it cannot, or if it would replace other files.

    min_score: joints with a lower score are left out of the picture.
    """
    check_output(stem_path)
    write_whole(stem_path + JSON_ENDING, json_of(photo, image, poses, predictor))
    rendered = image
    for pose in poses:
        rendered = render_skeleton(rendered, pose.joints_img, predictor.skeleton, pose.scores, min_score)
    write_whole(stem_path + PNG_ENDING, marked_png(rendered))


def json_of(photo: str, image: np.ndarray, poses: Sequence[Pose], predictor: Predictor) -> bytes:
    """Return the JSON of the poses in a photo, ASCII."""
    record: Dict[str, Any] = {
        'format': FORMAT,
        'image': os.path.basename(photo),
        'image_size': [image.shape[1], image.shape[0]],
        'persons': [pose.as_dict() for pose in poses],
        'frame': FRAME,
        'checkpoint': predictor.stored.path,
        'step': predictor.stored.step,
        'flip_test': predictor.flip_test,
        'decoding': predictor.codec.decoding,
        'versions': predictor.engine.versions(),
    }
    return f'{json.dumps(record, indent=2, allow_nan=False)}\n'.encode('ascii')


def marked_png(image: np.ndarray) -> bytes:
    """Return uint8 RGB (H, W, 3) as PNG with a text chunk that names this program."""
    encoded, content = cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not encoded:
        raise UserError(f'a picture of {image.shape[1]} x {image.shape[0]} pixels cannot be written as PNG')
    chunk = b'tEXt' + _PNG_MARK
    data = content.tobytes()
    return (
        data[:_PNG_HEADER]
        + struct.pack('>I', len(_PNG_MARK))
        + chunk
        + struct.pack('>I', zlib.crc32(chunk))
        + data[_PNG_HEADER:]
    )
