"""What an evaluation leaves behind: metrics.json, a table for the screen, the PCKh curve, the predictions."""

import io
import json
import math
import textwrap
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from hourglass_pose.evaluation.pckh import CURVE_THRESHOLDS
from hourglass_pose.files import write_whole

METRIC_TITLES = OrderedDict(
    [
        ('pckh@0.5', 'PCKh@0.5'),
        ('pckh@0.1', 'PCKh@0.1'),
        ('auc', 'AUC'),
        ('pck@0.2', 'PCK@0.2'),
        ('argmax_accuracy', 'argmax acc.'),
    ]
)
NOT_GROUPS = ('mean', 'mean_weighted', 'joints')

# How a source of measure_heads or measure_torsos is called in the line under the table.
_SOURCE_TITLES = {
    'head_box': '0.6 x diagonal of the head box',
    'neck_to_head': '0.75 x neck to head top',
    'l_shoulder_to_r_hip': 'left shoulder to right hip',
    'r_shoulder_to_l_hip': 'right shoulder to left hip',
    'none': 'unknown and left out',
}

_DEFINITIONS = OrderedDict(
    [
        ('unit', 'percent of labelled joints; null where nothing is labelled'),
        ('thresholds', 'inclusive'),
        ('groups', 'mean of the joints of a group; head is the head top'),
        ('mean', 'mean over all joints but pelvis and thorax'),
        ('mean_weighted', 'the same, weighted by the number of labelled joints'),
        ('auc', 'integral of PCKh over thresholds 0 to 0.5 by trapezia of width 0.01, divided by 0.5'),
        ('argmax_accuracy', "100 x (1 - distance of the heatmaps' largest cells / (91 / 64 x heatmap side))"),
    ]
)

# Okabe and Ito's palette, one colour a joint group.
_CURVE_COLOURS = ('#d55e00', '#e69f00', '#c9b800', '#009e73', '#56b4e9', '#0072b2', '#cc79a7')


@dataclass(frozen=True, eq=False)
class Prediction:
    """The pose of one person, as it is written to the predictions file.

    image: file name. person_id: unique in its annotation file, or None. joints_img: (J, 2) image pixels.
    scores: (J,). box_img: (x0, y0, x1, y1), the box the person was cropped by. source: where the box is from,
    such as the annotation file.
    """

    image: str
    person_id: str
    joints_img: np.ndarray
    scores: np.ndarray
    box_img: np.ndarray
    source: str


def build_metrics(result, baselines, protocol, breakdown=None, worst_persons=None):
    """Return the JSON-able content of metrics.json.

    result: PckhResult. baselines: name ('mean_pose', 'centre') -> PckhResult on the same persons.
    protocol: what was measured and how (data, split, flip_test, decoding, crop_rule, checkpoint, command,
        versions, ...), JSON-able or NumPy values; the number of persons, the sources of head and torso sizes
        and the definitions of the metrics are added to it.
    breakdown: Breakdown of the same result. worst_persons: [(name, percent)], worst first.
    """
    metrics = OrderedDict(result.metrics)
    metrics['baselines'] = OrderedDict((name, baseline.metrics) for name, baseline in baselines.items())
    metrics['protocol'] = OrderedDict(protocol)
    metrics['protocol'].update(
        num_persons=result.num_persons,
        head_sizes=result.head_sources,
        torso_sizes=result.torso_sources,
        definitions=_DEFINITIONS,
    )
    if breakdown is not None:
        metrics['breakdown'] = breakdown.as_dict()
    if worst_persons is not None:
        metrics['worst_persons'] = [
            OrderedDict([('person', name), ('percent', percent)]) for name, percent in worst_persons
        ]
    return json_ready(metrics)


def json_ready(value):
    """Return a copy of nested dicts, lists and NumPy values for strict JSON: None for NaN and infinity."""
    if isinstance(value, dict):
        return OrderedDict((str(key), json_ready(item)) for key, item in value.items())
    if isinstance(value, (list, tuple, np.ndarray)):
        return [json_ready(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(path, value):
    """Write a value that json_ready takes as indented JSON, atomically. Raises UserError if that fails."""
    write_whole(path, (f'{json.dumps(json_ready(value), indent=2, allow_nan=False)}\n').encode('ascii'))


def format_table(metrics, width=100, subject='this network'):
    """Return a build_metrics result as text for the terminal: a table, and under it how it was measured.

    width: columns of the text under the table; the table itself takes 94 with the seven joint groups of MPII.
    subject: what was measured, in at most 13 characters. Metrics that were not measured have no rows.
    """
    groups = [name for name in metrics['pckh@0.5'] if name not in NOT_GROUPS]
    columns = groups + ['mean', 'mean_weighted']
    titles = [group.capitalize() for group in groups] + ['Mean', 'Mean(w)']
    poses = [(subject, metrics)]
    poses += [(name.replace('_', ' '), baseline) for name, baseline in metrics['baselines'].items()]
    widths = [max(7, len(title) + 2) for title in titles]

    def line(first, second, cells):
        return f'{first:12} {second:13}{"".join("%*s" % sized for sized in zip(widths, cells))}'

    lines = [line('percent', '', titles)]
    for metric, title in METRIC_TITLES.items():
        if metric not in metrics:
            continue
        lines.append('-' * len(lines[0]))
        # A metric that this data cannot have, as PCKh without heads, takes one row and not one a pose.
        defined = poses if metrics[metric]['mean'] is not None else poses[:1]
        for row, (pose, scores) in enumerate(defined):
            values = [scores[metric][name] for name in columns]
            cells = ['-' if value is None else f'{value:.2f}' for value in values]
            lines.append(line('' if row else title, pose, cells))
    lines.append('-' * len(lines[0]))
    return '\n'.join(lines + textwrap.wrap(_describe_protocol(metrics['protocol']), width))


def _describe_protocol(protocol):
    parts = ['%d persons' % protocol['num_persons']]
    for key, value in protocol.items():
        if key in ('head_sizes', 'torso_sizes'):
            counts = ', '.join('%s: %d' % (_SOURCE_TITLES[source], count) for source, count in value.items() if count)
            parts.append(f'{key.replace("_", " ")} ({counts})')
        elif isinstance(value, bool):
            parts.append(f'{key.replace("_", " ")} {"on" if value else "off"}')
        elif isinstance(value, (str, int, float)) and key not in ('num_persons', 'command'):
            parts.append(f'{key.replace("_", " ")} {value}')
    return '; '.join(parts)


def draw_pckh_curve(path, result, baselines, title='PCKh'):
    """Write a PNG of PCKh over the threshold: each joint group, the mean, and the means of the baselines.

    result, baselines: as in build_metrics. Raises UserError if the file cannot be written.
    """
    # Loading matplotlib takes a second that only this function should cost.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.8, 5.0), dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.add_axes([0.075, 0.11, 0.59, 0.8])
    groups = [name for name in result.curves if name != 'mean']
    for group, colour in zip(groups, _CURVE_COLOURS):
        _plot_curve(axes, result.curves[group], group.capitalize(), color=colour, linewidth=1.8)
    _plot_curve(axes, result.curves['mean'], 'Mean', color='black', linewidth=3)
    for (name, baseline), style in zip(baselines.items(), ('--', ':', '-.')):
        _plot_curve(
            axes,
            baseline.curves['mean'],
            f'without image: {name.replace("_", " ")}',
            color='0.45',
            linestyle=style,
            linewidth=2,
        )
    axes.set(xlim=(0, 0.5), ylim=(0, 100), xlabel='threshold [head sizes]', ylabel='PCKh [%]', title=title)
    axes.grid(color='0.9')
    axes.set_axisbelow(True)
    for edge in ('top', 'right'):
        axes.spines[edge].set_visible(False)
    axes.legend(title='PCKh@0.5', loc='center left', bbox_to_anchor=(1.02, 0.5), frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format='png')
    write_whole(path, content.getvalue())


def _plot_curve(axes, curve, label, **style):
    known = np.isfinite(curve).all()
    label = '{}  {}'.format(label, f'{curve[-1]:.1f}' if known else 'undefined')
    axes.plot(CURVE_THRESHOLDS, curve, label=label, clip_on=False, **style)


def write_predictions(path, predictions, skeleton, versions):
    """Write Predictions as JSON, one line a person, atomically.

    versions: JSON-able dict of program and libraries. The numbers are written with all their digits, so that
    scoring the file gives the very metrics of the evaluation. Raises UserError if the file cannot be written.
    """
    header = OrderedDict(
        [
            ('format', 'hourglass-pose predictions'),
            ('format_version', 1),
            (
                'frame',
                '0-based pixels of the image: x right, y down, pixel centres at integers; a box is x0, y0, '
                'x1, y1 of its first and last pixel',
            ),
            ('joints', skeleton.joints),
            ('versions', versions),
        ]
    )
    lines = [
        json.dumps(
            json_ready(
                OrderedDict(
                    [
                        ('image', person.image),
                        ('person_id', person.person_id),
                        ('joints_img', np.asarray(person.joints_img)),
                        ('scores', np.asarray(person.scores)),
                        ('box_img', np.asarray(person.box_img)),
                        ('source', person.source),
                    ]
                )
            ),
            allow_nan=False,
        )
        for person in predictions
    ]
    # Indenting it all would give each coordinate a line, so the list is put before the header's last brace.
    opening = json.dumps(json_ready(header), indent=2, allow_nan=False)[:-2]
    text = '{},\n  "predictions": [\n{}\n  ]\n}}\n'.format(opening, ',\n'.join(lines))
    write_whole(path, text.encode('ascii'))
