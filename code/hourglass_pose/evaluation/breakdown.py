"""Breakdown of a score by visibility of the joint, size of the person and number of neighbours."""

from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.evaluation.headline import headline_distances
from hourglass_pose.evaluation.pckh import PckhResult, percent_within, summarise_joints
from hourglass_pose.geometry import square_box
from hourglass_pose.skeleton import Skeleton

_QUARTILES = np.array([0.25, 0.5, 0.75])
_MANY_NEIGHBOURS = 3

# Default margin of crops on each side, as a fraction of the box's longer side.
_NEIGHBOURHOOD = 0.2
NEIGHBOUR = 'others of the image with a joint in the square 1.4 x as wide as the box is long'


@dataclass(frozen=True)
class BreakdownRow:
    """One part of the joints that were measured.

    label: their common property. persons, joints: number of persons with such joints, and number of such joints
    among those that count in the mean. percent: joint group, 'mean' or 'mean_weighted' -> percent, None where
    undefined.
    """

    label: str
    persons: int
    joints: int
    percent: Dict[str, Optional[float]]


@dataclass(frozen=True)
class Category:
    """One way of dividing the joints; each joint that was measured is in exactly one row.

    name: 'visibility', 'scale' or 'neighbours'. definition: one line on what the rows mean.
    """

    name: str
    definition: str
    rows: Tuple[BreakdownRow, ...]


@dataclass(frozen=True)
class Breakdown:
    """A headline metric divided in several ways.

    metric: name of the headline metric. categories: those that the data allows.
    """

    metric: str
    categories: Tuple[Category, ...]

    def as_dict(self) -> dict:
        """Return a JSON-able dict: the metric, and each category's definition and rows by its name."""
        content: dict = {'metric': self.metric}
        for category in self.categories:
            rows = [
                {'label': row.label, 'persons': row.persons, 'joints': row.joints, 'percent': row.percent}
                for row in category.rows
            ]
            content[category.name] = {'definition': category.definition, 'rows': rows}
        return content


@dataclass(frozen=True, eq=False)
class PersonAttributes:
    """Attributes of N persons for the breakdown; None for those that the data lacks.

    visible: bool (N, J), and visible_known: bool (N,), whether the data gives visibility for the person.
    size: float (N,), NaN where unknown, and size_definition: its meaning and unit.
    neighbours: int (N,), number of other persons nearby; see NEIGHBOUR.
    """

    visible: Optional[np.ndarray] = None
    visible_known: Optional[np.ndarray] = None
    size: Optional[np.ndarray] = None
    size_definition: str = ''
    neighbours: Optional[np.ndarray] = None

    def of_rows(self, rows: np.ndarray) -> 'PersonAttributes':
        """Return the attributes of some of the persons."""
        arrays = {name: getattr(self, name) for name in ('visible', 'visible_known', 'size', 'neighbours')}
        chosen: Dict[str, Any] = {name: None if array is None else array[rows] for name, array in arrays.items()}
        return replace(self, **chosen)


def attributes_of_persons(persons: Sequence[Person], all_persons: Iterable[Person]) -> PersonAttributes:
    """Return the PersonAttributes of annotated persons.

    Args:
        persons: the evaluated persons.
        all_persons: all persons of their images, who count as neighbours.
    """
    known = np.array([person.visible is not None for person in persons])
    visible = np.array(
        [np.zeros(len(person.labelled), bool) if person.visible is None else person.visible for person in persons]
    )
    scales = np.array([np.nan if person.scale is None else person.scale for person in persons], np.float64)
    if np.isfinite(scales).any():
        size, definition = scales, 'annotated scale of the person (height / 200 px); rows end at the quartiles'
    else:
        size = np.array([max(person.box_img[2:] - person.box_img[:2]) + 1.0 for person in persons])
        definition = "longer side of the person's box in px; rows end at the quartiles"
    neighbours = count_neighbours(persons, all_persons)
    return PersonAttributes(visible if known.any() else None, known, size, definition, neighbours)


def count_neighbours(persons: Sequence[Person], all_persons: Iterable[Person]) -> np.ndarray:
    """Return int64 (N,): the number of neighbours of each person among all persons."""
    # Only the images of the given persons matter, so of many others none is kept.
    by_image: Dict[Tuple[int, str], List[Person]] = {(person.source, person.image): [] for person in persons}
    for other in all_persons:
        same_image = by_image.get((other.source, other.image))
        if same_image is not None:
            same_image.append(other)
    counts = np.zeros(len(persons), np.int64)
    for index, person in enumerate(persons):
        centre, side = square_box(person.box_img, _NEIGHBOURHOOD)
        for other in by_image[person.source, person.image]:
            if other.person_id != person.person_id:
                joints = other.joints_img[other.labelled]
                counts[index] += bool((np.abs(joints - centre) <= side / 2).all(axis=1).any())
    return counts


def break_down(result: PckhResult, skeleton: Skeleton, attributes: PersonAttributes) -> Breakdown:
    """Return the Breakdown of a PckhResult.

    Args:
        attributes: of the persons of the result, in the order of their indices.
    """
    metric, distances, threshold = headline_distances(result)
    categories = []
    for name, definition, parts in _divisions(attributes):
        rows = [_row(label, np.where(mask, distances, np.nan), threshold, skeleton) for label, mask in parts]
        categories.append(Category(name, definition, tuple(row for row in rows if row.joints)))
    return Breakdown(metric, tuple(categories))


def worst_persons(result: PckhResult, skeleton: Skeleton) -> Tuple[np.ndarray, np.ndarray]:
    """Return (rows int (K,), percent (K,)) of the persons in a PckhResult, the worst first.

    rows: indices into person_indices. A person's percentage is over its own joints that count in the mean; ties are
    ordered by the mean distance, each distance limited to one head or torso. Persons without a scored joint are left
    out.
    """
    _, distances, threshold = headline_distances(result)
    distances = distances[:, skeleton.mean_joints]
    percent, counts = percent_within(distances.T, [threshold])
    sums = np.where(np.isnan(distances), 0.0, np.minimum(distances, 1.0)).sum(axis=1)
    means = sums / np.maximum(counts, 1)
    order = np.lexsort((np.arange(len(counts)), -means, percent[0]))
    rows = order[counts[order] > 0]
    return rows, percent[0][rows]


_Division = Tuple[str, str, List[Tuple[str, np.ndarray]]]


def _divisions(attributes: PersonAttributes) -> Iterator[_Division]:
    """Yield (name, definition, [(label, bool mask that broadcasts to (N, J))]) of each category that is known."""
    if attributes.visible is not None and attributes.visible_known is not None:
        known = attributes.visible_known[:, None]
        yield (
            'visibility',
            'of the joint itself, as annotated',
            [('visible', known & attributes.visible), ('occluded', known & ~attributes.visible), ('unknown', ~known)],
        )
    if attributes.size is not None:
        yield 'scale', attributes.size_definition, _by_size(attributes.size)
    if attributes.neighbours is not None:
        counts = np.minimum(attributes.neighbours, _MANY_NEIGHBOURS)[:, None]
        labels = [str(count) for count in range(_MANY_NEIGHBOURS)] + [f'{_MANY_NEIGHBOURS} or more']
        yield 'neighbours', NEIGHBOUR, [(label, counts == count) for count, label in enumerate(labels)]


def _by_size(size: np.ndarray) -> List[Tuple[str, np.ndarray]]:
    """Return [(label, bool (N, 1))] of the four parts that the quartiles bound, and of those of unknown size."""
    known = np.isfinite(size)
    edges = np.unique(_quartiles(size[known])) if known.any() else np.array([])
    parts = np.searchsorted(edges, np.where(known, size, 0.0), side='left')
    bounds = [f'{edge:.4g}' for edge in edges]
    labels = ['all']
    if bounds:
        between = [f'{low} to {high}' for low, high in zip(bounds, bounds[1:])]
        labels = [f'to {bounds[0]}'] + between + [f'over {bounds[-1]}']
    masks = [(label, (known & (parts == part))[:, None]) for part, label in enumerate(labels)]
    return masks + [('unknown', ~known[:, None])]


def _quartiles(values: np.ndarray) -> np.ndarray:
    """Return the three quartiles, each one of the values itself; a value on an edge belongs to the lower part."""
    ordered = np.sort(values)
    return ordered[np.ceil(_QUARTILES * len(ordered)).astype(int) - 1]


def _row(label: str, distances: np.ndarray, threshold: float, skeleton: Skeleton) -> BreakdownRow:
    percent, counts = percent_within(distances, [threshold])
    scores = dict(summarise_joints(percent[0], counts, skeleton))
    del scores['joints']
    kept = distances[:, skeleton.mean_joints]
    persons = int((~np.isnan(kept)).any(axis=1).sum())
    return BreakdownRow(label, persons, int(counts[skeleton.mean_joints].sum()), scores)
