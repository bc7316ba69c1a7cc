"""COCO's keypoint evaluation: result files, and AP and AR by pycocotools on the official annotations."""

import contextlib
import io
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from hourglass_pose.annotations.person_lines import is_header
from hourglass_pose.errors import UserError
from hourglass_pose.scoring.array_files import kind_of
from hourglass_pose.scoring.prediction_files import is_number, load_json
from hourglass_pose.skeleton import COCO_JOINTS, Skeleton

PERSON_CATEGORY = 1
STATS = ('AP', 'AP50', 'AP75', 'APm', 'APl', 'AR', 'AR50', 'AR75', 'ARm', 'ARl')

_LONGEST_HEADER = 1 << 16  # bytes
_LARGEST = 1e6  # pixels; more than any image has in a row


@dataclass(frozen=True, eq=False)
class CocoScore:
    """COCO's evaluation of poses.

    results: content of a COCO result file. stats: 'AP', 'AP50', ..., 'AR', ... -> percent, None where undefined.
    notes: lines with facts that the numbers do not show.
    """

    results: List[Dict[str, Any]]
    stats: Dict[str, Optional[float]]
    notes: Sequence[str] = ()


class CocoAnnotations:
    """COCO's person_keypoints JSON, opened by pycocotools.

    Raises UserError without pycocotools, and for a file that is not such a JSON.
    """

    def __init__(self, path: str) -> None:
        try:
            from pycocotools.coco import COCO
        except ImportError:
            raise UserError('AP of COCO needs pycocotools, which is not installed; pip install pycocotools')
        self.path = path
        content = load_json(path)
        if not is_coco_annotations(content):
            raise UserError(f'{path}: not COCO\'s annotations; expected a JSON object with "images" and "annotations"')
        _check_annotations(path, content)
        with contextlib.redirect_stdout(io.StringIO()):
            self._coco = COCO()
            self._coco.dataset = content
            self._coco.createIndex()
        self._ids: Dict[str, List[int]] = {}
        for image in content['images']:
            self._ids.setdefault(image['file_name'], []).append(image['id'])

    def image_ids(self, names: Sequence[str]) -> List[int]:
        """Return the id of each image by its file name, without its folder where only one image has that name.

        Raises UserError for a name that the file does not have.
        """
        by_base: Dict[str, List[int]] = {}
        for name, same_name in self._ids.items():
            by_base.setdefault(os.path.basename(name), []).extend(same_name)
        ids = []
        for name in names:
            found = self._ids.get(name) or by_base.get(os.path.basename(name), [])
            if len(found) != 1:
                raise UserError(
                    f'{self.path}: has {"no image" if not found else f"{len(found)} images for"} {name}; give the file '
                    'that the annotations were made from'
                )
            ids += found
        return ids

    def score(self, results: List[Dict[str, Any]], notes: Sequence[str] = ()) -> CocoScore:
        """Return the CocoScore of results, as COCOeval measures keypoints over all images of the file.

        Args:
            results: content of a COCO result file.
            notes: lines for CocoScore.notes.

        Raises UserError for results of images that the file does not have.
        """
        from pycocotools.cocoeval import COCOeval

        known = {image['id'] for image in self._coco.dataset['images']}
        unknown = sorted({result['image_id'] for result in results} - known)
        if unknown:
            raise UserError(f'{self.path}: has no image {unknown[0]}, for which there is a prediction')
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(self._coco, self._coco.loadRes([dict(result) for result in results]), 'keypoints')
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        stats = {name: None if value < 0 else 100 * float(value) for name, value in zip(STATS, evaluation.stats)}
        return CocoScore(results, stats, [*notes, *self._unpredicted(results)])

    def _unpredicted(self, results: Sequence[Dict[str, Any]]) -> List[str]:
        """Return a line on annotated persons in images without any prediction, or []."""
        predicted = {result['image_id'] for result in results}
        missed = [
            each
            for each in self._coco.dataset['annotations']
            if each.get('num_keypoints', 0) and not each.get('iscrowd') and each['image_id'] not in predicted
        ]
        images = len({each['image_id'] for each in missed})
        return [f'{len(missed)} persons in {images} images without a prediction count as missed'] if missed else []


def is_coco_annotations(content: Any) -> bool:
    """Return whether the content of a JSON file is COCO's annotations."""
    return isinstance(content, dict) and all(isinstance(content.get(key), list) for key in ('images', 'annotations'))


def is_coco_results(content: Any) -> bool:
    """Return whether the content of a JSON file is a COCO result file of keypoints."""
    return isinstance(content, list) and bool(content) and isinstance(content[0], dict) and 'keypoints' in content[0]


def read_coco_results(path: str, content: Any) -> List[Dict[str, Any]]:
    """Return the results of the content of a JSON file. Raises UserError that names the first malformed result."""
    if not is_coco_results(content):
        raise UserError(f'{path}: no COCO results; expected a list of objects with image_id, keypoints and score')
    for number, result in enumerate(content, 1):
        problem = _problem_of_result(result)
        if problem:
            raise UserError(f'{path}: result {number}: {problem}')
    return content


def are_coco_files(predictions_path: str, annotation_paths: Sequence[str]) -> bool:
    """Return whether files are to be scored by COCO's rules: predictions or annotations are COCO's JSON."""
    if kind_of(predictions_path) != 'json' or kind_of(annotation_paths[0]) != 'json':
        return False
    with open(annotation_paths[0], 'rb') as stream:
        # Our annotations are lines of JSON, of which the first is a header.
        is_ours = is_header(stream.readline(_LONGEST_HEADER))
    return not is_ours or is_coco_results(load_json(predictions_path))


def score_coco_files(predictions_path: str, annotation_paths: Sequence[str]) -> CocoScore:
    """Return the CocoScore of a COCO result file. Raises UserError for files that do not fit each other."""
    if len(annotation_paths) > 1:
        raise UserError('COCO results are scored against one file; give one --annotations')
    results = read_coco_results(predictions_path, load_json(predictions_path))
    return CocoAnnotations(annotation_paths[0]).score(results)


def coco_results(
    joints_img: np.ndarray, scores: np.ndarray, joints: Sequence[str], image_ids: Sequence[int]
) -> List[Dict[str, Any]]:
    """Return predictions as the content of a COCO result file.

    A person's score is the mean of its joints' scores. COCO's joints that the network lacks are at 0, 0 with score 0.

    Args:
        joints_img: (N, J, 2) image pixels. scores: (N, J).
        joints: names of the J joints.
        image_ids: COCO's id of the image of each of the N persons.
    """
    rows = _rows_of(joints)
    results = []
    for image_id, pose, of_joints in zip(image_ids, joints_img, scores):
        keypoints: List[float] = []
        for row in rows:
            shown = row is not None and np.isfinite(pose[row]).all()
            keypoints += [*map(float, pose[row]), float(of_joints[row])] if shown else [0.0, 0.0, 0.0]
        known = [row for row in rows if row is not None]
        results.append(
            {
                'image_id': image_id,
                'category_id': PERSON_CATEGORY,
                'keypoints': keypoints,
                'score': float(np.mean(of_joints[known])) if known else 0.0,
            }
        )
    return results


def lacking_joints(joints: Sequence[str]) -> List[str]:
    """Return COCO's joints that are not among some names; AP counts them as wrong."""
    return [name for name, row in zip(COCO_JOINTS, _rows_of(joints)) if row is None]


def _rows_of(joints: Sequence[str]) -> List[Optional[int]]:
    """Return the index of each of COCO's joints among some names, in any usual spelling, or None."""
    skeleton = Skeleton(tuple(joints))
    return [skeleton.index(name) for name in COCO_JOINTS]


def _problem_of_result(result: Any) -> Optional[str]:
    if not isinstance(result, dict):
        return 'expected an object'
    if not _is_id(result.get('image_id')) or not _is_id(result.get('category_id')):
        return 'image_id and category_id must be integers'
    if not _are_numbers(result.get('keypoints'), 3 * len(COCO_JOINTS)):
        return f'keypoints must be {3 * len(COCO_JOINTS)} numbers, x, y and score of each joint'
    if not is_number(result.get('score')) or not np.isfinite(float(result['score'])):
        return 'score must be a number'
    return None


def _check_annotations(path: str, content: Dict[str, Any]) -> None:
    for number, image in enumerate(content['images'], 1):
        if not isinstance(image, dict) or not _is_id(image.get('id')) or not isinstance(image.get('file_name'), str):
            raise UserError(f'{path}: image {number} has no id and file_name; get the file again')
    known = {image['id'] for image in content['images']}
    for number, each in enumerate(content['annotations'], 1):
        if not isinstance(each, dict) or not (_is_id(each.get('id')) and _is_id(each.get('category_id'))):
            raise UserError(f'{path}: annotation {number} has no id and category_id; get the file again')
        if each.get('image_id') not in known:
            raise UserError(f'{path}: annotation {number} is of an image that the file does not have')
        if not is_number(each.get('area')) or not _are_numbers(each.get('bbox'), 4):
            raise UserError(f'{path}: annotation {number} has no area and bbox; get the file again')
        # A person without keypoints is ignored by the evaluation, as one with keypoints that are all unlabelled.
        if not _are_numbers(each.setdefault('keypoints', [0] * 3 * len(COCO_JOINTS)), 3 * len(COCO_JOINTS)):
            raise UserError(f'{path}: annotation {number}: keypoints must be 51 numbers, x, y and visibility of each')
        each['num_keypoints'] = sum(mark > 0 for mark in each['keypoints'][2::3])
        each['iscrowd'] = int(bool(each.get('iscrowd')))
    if not any(each['num_keypoints'] for each in content['annotations']):
        raise UserError(f'{path}: no annotation has keypoints; give a person_keypoints file of COCO')
    content['categories'] = [
        {'id': category, 'name': 'person'}
        for category in sorted({each['category_id'] for each in content['annotations']})
    ]
    content.setdefault('info', {})


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_numbers(value: Any, count: int) -> bool:
    # The comparison is also false for NaN.
    return (
        isinstance(value, list)
        and len(value) == count
        and all(is_number(number) and abs(float(number)) <= _LARGEST for number in value)
    )
