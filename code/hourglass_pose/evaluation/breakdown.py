"""Breakdown of a score by kind of joint and of person: visible or hidden, large or small, alone or among others."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Dict, Optional, Tuple

import numpy as np

from hourglass_pose.evaluation.pckh import percent_within, summarise_joints
from hourglass_pose.geometry import square_box

_QUARTERS = np.array([0.25, 0.5, 0.75])
_MANY_NEIGHBOURS = 3

WORST_PERSONS = 100

# The share of the box's longer side that crops usually show beyond the box, on each side.
_NEIGHBOURHOOD = 0.2
NEIGHBOUR = 'others of the image with a joint in the square 1.4 x as wide as the box is long'


@dataclass(frozen=True)
class BreakdownRow:
    """One part of the joints that were measured.

    label: what they have in common. persons, joints: how many persons have such joints, and how many joints of those
    that count in the mean there are. percent: joint group, 'mean' or 'mean_weighted' -> percent, None where undefined.
    """

    label: str
    persons: int
    joints: int
    percent: Dict[str, Optional[float]]


@dataclass(frozen=True)
class Category:
    """One way of dividing the joints; each joint that was measured is in exactly one row.

    name: 'visibility', 'scale' or 'neighbours'. definition: a line that says what the rows mean.
    """

    name: str
    definition: str
    rows: Tuple[BreakdownRow, ...]


@dataclass(frozen=True)
class Breakdown:
    """metric: 'pckh@0.5', or 'pck@0.2' for data without head sizes. categories: those that the data allows."""

    metric: str
    categories: Tuple[Category, ...]

    def as_dict(self):
        """Return it JSON-able: the metric, and each category's definition and rows by its name."""
        content = OrderedDict([('metric', self.metric)])
        for category in self.categories:
            content[category.name] = OrderedDict(
                [
                    ('definition', category.definition),
                    (
                        'rows',
                        [
                            OrderedDict(
                                [
                                    ('label', row.label),
                                    ('persons', row.persons),
                                    ('joints', row.joints),
                                    ('percent', row.percent),
                                ]
                            )
                            for row in category.rows
                        ],
                    ),
                ]
            )
        return content


@dataclass(frozen=True, eq=False)
class PersonTraits:
    """What is known of N persons besides their joints; None where nothing is.

    visible: bool (N, J), and visible_known: bool (N,), whether the data says so for the person.
    size: float (N,), NaN where unknown, and size_definition: what it is and its unit.
    neighbours: int (N,), other persons nearby; see NEIGHBOUR.
    """

    visible: Optional[np.ndarray] = None
    visible_known: Optional[np.ndarray] = None
    size: Optional[np.ndarray] = None
    size_definition: str = ''
    neighbours: Optional[np.ndarray] = None

    def of_rows(self, rows):
        """Return the traits of some of the persons."""
        return replace(
            self,
            **{
                name: None if getattr(self, name) is None else getattr(self, name)[rows]
                for name in ('visible', 'visible_known', 'size', 'neighbours')
            },
        )


def traits_of_persons(persons, everyone):
    """Return the PersonTraits of annotated persons. everyone: all persons of their images, for the neighbours."""
    known = np.array([person.visible is not None for person in persons])
    visible = np.array(
        [np.zeros(len(person.labelled), bool) if person.visible is None else person.visible for person in persons]
    )
    scales = np.array([np.nan if person.scale is None else person.scale for person in persons], np.float64)
    if np.isfinite(scales).any():
        size, definition = scales, 'scale of the person as annotated: height / 200 px; by quarters of the persons'
    else:
        size = np.array([max(person.box_img[2:] - person.box_img[:2]) + 1.0 for person in persons])
        definition = "longer side of the person's box in px; by quarters of the persons"
    return PersonTraits(visible if known.any() else None, known, size, definition, count_neighbours(persons, everyone))


def count_neighbours(persons, everyone):
    """Return int64 (N,): how many neighbours each of the persons has among everyone."""
    by_image = {}
    for other in everyone:
        by_image.setdefault((other.source, other.image), []).append(other)
    counts = np.zeros(len(persons), np.int64)
    for index, person in enumerate(persons):
        centre, side = square_box(person.box_img, _NEIGHBOURHOOD)
        for other in by_image.get((person.source, person.image), ()):
            if other.person_id != person.person_id:
                joints = other.joints_img[other.labelled]
                counts[index] += bool((np.abs(joints - centre) <= side / 2).all(axis=1).any())
    return counts


def break_down(result, skeleton, traits):
    """Return the Breakdown of a PckhResult. traits: PersonTraits of its persons, in the order of their indices."""
    metric, distances, threshold = _main_metric(result)
    categories = []
    for name, definition, divided in _divisions(traits):
        rows = [_row(label, np.where(mask, distances, np.nan), threshold, skeleton) for label, mask in divided]
        categories.append(Category(name, definition, tuple(row for row in rows if row.joints)))
    return Breakdown(metric, tuple(categories))


def worst_persons(result, skeleton):
    """Return (places int (K,), percent (K,)) of the persons in a PckhResult, the worst first.

    places count along person_indices. A person is judged by its own joints of those that count in the mean; among equal
    ones the mean distance decides, each held at one head or torso. Persons of whom nothing was scored are left out.
    """
    _, distances, threshold = _main_metric(result)
    distances = distances[:, skeleton.mean_joints]
    percent, counts = percent_within(distances.T, [threshold])
    sums = np.where(np.isnan(distances), 0.0, np.minimum(distances, 1.0)).sum(axis=1)
    means = sums / np.maximum(counts, 1)
    order = np.lexsort((np.arange(len(counts)), -means, percent[0]))
    places = order[counts[order] > 0]
    return places, percent[0][places]


def format_breakdown(breakdown, titles):
    """Return a Breakdown as text for the terminal. titles: metric name -> how it is called."""
    lines = []
    for category in breakdown.categories:
        groups = [name for name in category.rows[0].percent] if category.rows else []
        widths = [max(7, len(_title(name)) + 2) for name in groups]
        heading = '%-13s %8s %8s' % (category.name, 'persons', 'joints') + ''.join(
            '%*s' % (width, _title(name)) for width, name in zip(widths, groups)
        )
        lines += ['', f'{titles[breakdown.metric]} by {category.name}: {category.definition}', heading]
        for row in category.rows:
            cells = ['-' if row.percent[name] is None else f'{row.percent[name]:.2f}' for name in groups]
            lines.append(
                '%-13s %8d %8d' % (row.label, row.persons, row.joints)
                + ''.join('%*s' % sized for sized in zip(widths, cells))
            )
    return '\n'.join(lines[1:])


def _divisions(traits):
    """Yield (name, definition, [(label, bool mask that broadcasts to (N, J))]) of each category that is known."""
    if traits.visible is not None:
        known = traits.visible_known[:, None]
        yield (
            'visibility',
            'of the joint itself, as annotated',
            [('visible', known & traits.visible), ('occluded', known & ~traits.visible), ('unknown', ~known)],
        )
    if traits.size is not None:
        yield 'scale', traits.size_definition, _by_size(traits.size)
    if traits.neighbours is not None:
        counts = np.minimum(traits.neighbours, _MANY_NEIGHBOURS)[:, None]
        yield (
            'neighbours',
            NEIGHBOUR,
            [(_neighbours_label(count), counts == count) for count in range(_MANY_NEIGHBOURS + 1)],
        )


def _main_metric(result):
    """Return (metric, distances, threshold): by head sizes where there are any, else by torsos."""
    if np.isnan(result.head_distances).all():
        return 'pck@0.2', result.torso_distances, 0.2
    return 'pckh@0.5', result.head_distances, 0.5


def _title(name):
    return 'Mean(w)' if name == 'mean_weighted' else name.capitalize()


def _neighbours_label(count):
    return '%d or more' % count if count == _MANY_NEIGHBOURS else str(count)


def _by_size(size):
    """Return [(label, bool (N, 1))] of the quarters by size, smallest first, and of those of unknown size."""
    known = np.isfinite(size)
    edges = np.unique(_quantiles(size[known])) if known.any() else np.array([])
    places = np.searchsorted(edges, np.where(known, size, 0.0), side='left')
    bounds = [f'{edge:.4g}' for edge in edges]
    labels = (
        ['all']
        if not bounds
        else (
            [f'to {bounds[0]}']
            + ['{} to {}'.format(*pair) for pair in zip(bounds, bounds[1:])]
            + [f'over {bounds[-1]}']
        )
    )
    return [(label, (known & (places == place))[:, None]) for place, label in enumerate(labels)] + [
        ('unknown', ~known[:, None])
    ]


def _quantiles(values):
    """Return the sizes that end the first three quarters of the sorted values; a value on an edge is in the lower."""
    ordered = np.sort(values)
    return ordered[np.ceil(_QUARTERS * len(ordered)).astype(int) - 1]


def _row(label, distances, threshold, skeleton):
    percent, counts = percent_within(distances, [threshold])
    scores = summarise_joints(percent[0], counts, skeleton)
    del scores['joints']
    kept = distances[:, skeleton.mean_joints]
    return BreakdownRow(
        label, int((~np.isnan(kept)).any(axis=1).sum()), int(counts[skeleton.mean_joints].sum()), dict(scores)
    )
