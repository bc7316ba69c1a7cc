"""Tables for the terminal: scores with baselines, the evaluation protocol, and the breakdown."""

import textwrap
from typing import Any, Dict, List, Sequence

from hourglass_pose.errors import counted
from hourglass_pose.evaluation.breakdown import Breakdown
from hourglass_pose.evaluation.headline import METRIC_TITLES, shown_metrics
from hourglass_pose.scoring.coco import CocoScore

# Of the text under a table, which itself takes 94 with the seven joint groups of MPII.
_COLUMNS = 100

_NOT_GROUPS = ('mean', 'mean_weighted', 'joints')

OKS_TITLES = {'mean': 'Mean', 'share@0.5': '@0.5', 'share@0.75': '@0.75'}

# Names for the sources of measure_heads and measure_torsos in the text under the table.
_SOURCE_TITLES = {
    'head_box': '0.6 x diagonal of the head box',
    'neck_to_head': '0.75 x neck to head top',
    'l_shoulder_to_r_hip': 'left shoulder to right hip',
    'r_shoulder_to_l_hip': 'right shoulder to left hip',
    'none': 'unknown and left out',
}


def score_columns(scores: Dict[str, Any]) -> List[str]:
    """Return the columns of one metric's table: joint groups, 'mean' and 'mean_weighted'."""
    return [name for name in scores if name not in _NOT_GROUPS] + ['mean', 'mean_weighted']


def column_title(name: str, weighted: str = 'Mean(w)') -> str:
    """Return the heading of a column."""
    return weighted if name == 'mean_weighted' else name.capitalize()


def format_table(metrics: dict, subject: str = 'this network') -> str:
    """Return a build_metrics result as text: a table, and the protocol under it.

    Args:
        subject: what was evaluated, in at most 13 characters. Metrics that were not measured have no rows.
    """
    columns = score_columns(metrics['pckh@0.5'])
    titles = [column_title(name) for name in columns]
    poses = [(subject, metrics)]
    poses += [(name.replace('_', ' '), baseline) for name, baseline in metrics['baselines'].items()]
    widths = [max(7, len(title) + 2) for title in titles]

    def line(first: str, second: str, cells: Sequence[str]) -> str:
        return f'{first:12} {second:13}' + ''.join(f'{cell:>{size}}' for size, cell in zip(widths, cells))

    lines = [line('percent', '', titles)]
    for metric in shown_metrics(metrics):
        lines.append('-' * len(lines[0]))
        # A metric that is undefined for the data, such as PCKh without heads, has a single row.
        defined = poses if metrics[metric]['mean'] is not None else poses[:1]
        for row, (pose, scores) in enumerate(defined):
            cells = [_cell(scores[metric][name]) for name in columns]
            lines.append(line('' if row else METRIC_TITLES[metric], pose, cells))
    lines.append('-' * len(lines[0]))
    if 'oks' in metrics:
        lines.append(line('OKS', '', list(OKS_TITLES.values())))
        for pose, scores in poses:
            lines.append(line('', pose, [_cell(scores['oks'][name]) for name in OKS_TITLES]))
        lines.append('-' * len(lines[0]))
    return '\n'.join(lines + textwrap.wrap(_describe_protocol(metrics), _COLUMNS))


def format_breakdown(breakdown: Breakdown) -> str:
    """Return a Breakdown as text: a table for each category."""
    lines: List[str] = []
    for category in breakdown.categories:
        groups = list(category.rows[0].percent) if category.rows else []
        titles = [column_title(name) for name in groups]
        widths = [max(7, len(title) + 2) for title in titles]
        heading = f'{category.name:13} {"persons":>8} {"joints":>8}'
        heading += ''.join(f'{title:>{width}}' for width, title in zip(widths, titles))
        lines += ['', f'{METRIC_TITLES[breakdown.metric]} by {category.name}: {category.definition}', heading]
        for row in category.rows:
            cells = [_cell(row.percent[name]) for name in groups]
            line = f'{row.label:13} {row.persons:8} {row.joints:8}'
            lines.append(line + ''.join(f'{cell:>{width}}' for width, cell in zip(widths, cells)))
    return '\n'.join(lines[1:])


def format_coco(coco: CocoScore) -> str:
    """Return COCO's AP and AR as text: a table, and a line for each note."""
    titles = ''.join(f'{name:>8}' for name in coco.stats)
    cells = ''.join(f'{_cell(value):>8}' for value in coco.stats.values())
    return '\n'.join([f'COCO         {titles}', f'percent      {cells}', *coco.notes])


def _cell(value: Any) -> str:
    return '-' if value is None else f'{value:.2f}'


def _describe_protocol(metrics: Dict[str, Any]) -> str:
    protocol = metrics['protocol']
    parts = [counted(protocol['num_persons'], 'person')]
    areas = {'areas_for_OKS': metrics['oks']['areas']} if 'oks' in metrics else {}
    for key, value in {**protocol, **areas}.items():
        if key in ('head_sizes', 'torso_sizes', 'areas_for_OKS'):
            counts = ', '.join(
                f'{_SOURCE_TITLES.get(source, source)}: {count}' for source, count in value.items() if count
            )
            parts.append(f'{key.replace("_", " ")} ({counts})')
        elif isinstance(value, bool):
            parts.append(f'{key.replace("_", " ")} {"on" if value else "off"}')
        elif isinstance(value, float):
            parts.append(f'{key.replace("_", " ")} {value:g}')
        elif isinstance(value, (str, int)) and key not in ('num_persons', 'command'):
            parts.append(f'{key.replace("_", " ")} {value}')
    return '; '.join(parts)
