"""How many persons of canvases a network finds, how many false ones, and how well their joints are placed."""

import time
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from tqdm import tqdm

from canvases import Canvas, CanvasMaker, PastedPerson, kinds
from hourglass_pose.evaluation.pckh import PckhEvaluator
from hourglass_pose.prediction.pose import Pose
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.prediction.similarity import known_sigmas, pose_similarities
from hourglass_pose.skeleton import Skeleton

FOUND_OKS = 0.5
METRIC = 'pck@0.2'
# Near the least score of a window in a search by default, 0.1, so that both look at almost the same windows.
_LEAST_SCORE = 0.09


@dataclass(frozen=True, eq=False)
class Matches:
    """scores: of the poses found on canvases. hits: bool, which of them are persons. persons: how many there are."""

    scores: np.ndarray
    hits: np.ndarray
    persons: int
    canvases: int

    def at(self, threshold: float) -> Tuple[float, float]:
        """Return (share of the persons found, false positives a canvas) by poses of at least a score."""
        counted = self.scores >= threshold
        found = (counted & self.hits).sum() / self.persons if self.persons else np.nan
        return float(found), float((counted & ~self.hits).sum() / self.canvases)


def match(poses: Sequence[Pose], persons: Sequence[PastedPerson], skeleton: Skeleton) -> np.ndarray:
    """Return bool (N,): which of some poses is a person that no pose with a higher score is. Best scores come first."""
    hits = np.zeros(len(poses), bool)
    if not len(poses) or not persons:
        return hits
    sigmas = known_sigmas(skeleton.oks_sigmas)
    found = np.array([pose.joints_img for pose in poses])
    similar = np.stack(
        [
            pose_similarities(
                found[:, person.labelled], person.joints_img[person.labelled][None], sigmas[person.labelled]
            )[:, 0]
            for person in persons
        ],
        axis=1,
    )
    for row in range(len(poses)):
        best = int(np.argmax(similar[row]))
        if similar[row, best] >= FOUND_OKS:
            hits[row], similar[:, best] = True, -1
    return hits


def matches_of(found: Sequence[Tuple[Canvas, List[Pose]]], skeleton: Skeleton) -> Matches:
    """Return the Matches of canvases with their poses."""
    return Matches(
        np.array([pose.score for _, poses in found for pose in poses]),
        np.concatenate([match(poses, canvas.persons, skeleton) for canvas, poses in found]),
        sum(len(canvas.persons) for canvas, _ in found),
        len(found),
    )


def pck(joints_img: Sequence[np.ndarray], persons: Sequence[PastedPerson], predictor: Predictor) -> float:
    """Return PCK@0.2 in percent of poses (J, 2), NaN for a person that was not found."""
    evaluator = PckhEvaluator(predictor.skeleton)
    evaluator.add(
        np.arange(len(persons)),
        np.array(joints_img),
        np.array([person.joints_img for person in persons]),
        np.array([person.labelled for person in persons]),
        [None] * len(persons),
        scored_joints=predictor.kept_joints,
    )
    return float(evaluator.result().metrics[METRIC]['mean'])


def measure_one(predictor: Predictor, canvases: Sequence[Canvas]) -> Dict[str, float]:
    """Return PCK@0.2 of the person of each canvas, found and with its box, and the seconds of a search."""
    persons = [canvas.persons[0] for canvas in canvases]
    start = time.perf_counter()
    found = [predictor.find(canvas.image, max_persons=1, min_person_score=_LEAST_SCORE) for canvas in canvases]
    seconds = (time.perf_counter() - start) / len(canvases)
    nobody = np.full((len(predictor.skeleton), 2), np.nan)
    boxed = []
    for canvas in canvases:
        x0, y0, x1, y1 = canvas.persons[0].box_img
        boxed.append(predictor.predict(canvas.image, (x0, y0, x1 - x0 + 1, y1 - y0 + 1)).joints_img)
    return {
        'found': pck([poses[0].joints_img if poses else nobody for poses in found], persons, predictor),
        'boxed': pck(boxed, persons, predictor),
        'seconds': seconds,
    }


def measure(predictor: Predictor, maker: CanvasMaker, count: int, names: Sequence[str]) -> Dict[str, Any]:
    """Return the results of both tables, JSON-able. count: canvases of each kind. names: of the kinds."""
    one = {}
    any_number: Dict[str, Matches] = {}
    for kind in tqdm(names, unit='kind', disable=None):
        most, _ = kinds()[kind]
        canvases = [maker.canvas(kind, number) for number in range(count)]
        if most == 1:
            one[kind] = measure_one(predictor, [canvas for canvas in canvases if canvas.persons])
            continue
        found = [(canvas, predictor.find(canvas.image, min_person_score=_LEAST_SCORE)) for canvas in canvases]
        any_number[kind] = matches_of(found, predictor.skeleton)
    thresholds = sorted({*np.round(np.arange(0.1, 1.0, 0.05), 2).tolist(), predictor.default_person_score})
    # A curve needs canvases with people and without.
    rows = [
        [threshold, *any_number['one to four'].at(threshold), any_number['none'].at(threshold)[1]]
        for threshold in (thresholds if len(any_number) == 2 else ())
    ]
    return {'canvases': count, 'one': one, 'any': rows, 'default_score': predictor.default_person_score}


def lines_of(results: Dict[str, Any]) -> List[str]:
    """Return the two tables as Markdown."""
    lines = [f'{results["canvases"]} canvases of each kind', '', '| one person | found | with its box | s |']
    lines += ['| --- | --- | --- | --- |']
    for kind, row in results['one'].items():
        lines.append(f'| {kind} | {row["found"]:.1f} | {row["boxed"]:.1f} | {row["seconds"]:.2f} |')
    lines += [
        '',
        '| score | persons found | false positives a canvas | on canvases without people |',
        '| --- | --- | --- | --- |',
    ]
    for threshold, share, false_ones, of_nobody in results['any']:
        mark = ' (default)' if threshold == results['default_score'] else ''
        lines.append(f'| {threshold:g}{mark} | {share:.3f} | {false_ones:.3f} | {of_nobody:.3f} |')
    return lines
