"""The HTML report of an evaluation: one file that needs nothing else, for people to read and to pass on."""

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from hourglass_pose.evaluation.pckh import CURVE_THRESHOLDS
from hourglass_pose.files import write_whole
from hourglass_pose.report.html_parts import (
    Curve,
    Html,
    bars,
    escape,
    join,
    legend,
    percent_text,
    picture,
    plot,
    table,
    tag,
)
from hourglass_pose.report.html_style import CURVE_COLOURS, STYLE
from hourglass_pose.report.tables import METRIC_TITLES, NOT_GROUPS

REPORT = 'report.html'

_DASHES = ('6 4', '2 4', '8 3 2 3')

# Nothing is loaded and nothing runs: a browser enforces what this file promises.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a report. image_rgb: uint8 (H, W, 3). title: such as a person's name. note: such as its score."""

    image_rgb: np.ndarray
    title: str
    note: str


def write_html_report(
    path, title, metrics, curves, subject='this network', pictures=(), history=(), config_text='', colours=()
):
    """Write the report of an evaluation as one HTML file, atomically. Raises UserError if that fails.

    title: what was measured. metrics: as build_metrics returns it. curves: name -> PCKh in percent at
    CURVE_THRESHOLDS of a joint group, 'mean', or, after 'without image: ', a baseline. subject: who was measured.
    pictures: [(heading, [Picture])]. history: rows of texts by column, as a run's history.csv has them.
    config_text: settings of the run, or ''. colours: [(text, (R, G, B))] that explain the pictures.
    """
    sections = OrderedDict(
        [
            ('Scores', _scores(metrics, subject)),
            ('Curves', _curves(curves)),
            ('Joints', _joints(metrics)),
            ('Breakdown', _breakdown(metrics.get('breakdown'))),
            ('Training', _training(history)),
        ]
    )
    for heading, shown in pictures:
        sections[heading] = _pictures(shown, colours)
    sections['How it was measured'] = _protocol(metrics['protocol'])
    sections['Settings'] = config_text and tag('details', tag('summary', 'config.cfg'), tag('pre', config_text))
    sections = [(_name(heading), heading, content) for heading, content in sections.items() if content]
    page = join(
        [
            Html(
                '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
                '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
                f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            ),
            tag('title', title),
            Html(f'\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n'),
            tag('header', tag('h1', title), tag('p', _subtitle(metrics['protocol']), class_='soft')),
            _tiles(metrics),
            tag('nav', *[tag('a', heading, href=f'#{name}') for name, heading, _ in sections]),
            Html('\n'),
            join(
                [tag('section', tag('h2', heading), content, id=name) for name, heading, content in sections],
                Html('\n'),
            ),
            Html('\n</main>\n</body>\n</html>\n'),
        ]
    )
    write_whole(path, page.encode('utf-8'))


def _name(heading):
    return heading.lower().replace(' ', '-')


def _subtitle(protocol):
    parts = [f'{"{:,}".format(protocol["num_persons"])} persons{protocol["num_persons"]:,}']
    for key in ('data', 'ground_truth', 'split', 'checkpoint', 'step'):
        if protocol.get(key) not in (None, ''):
            parts.append(f'{key.replace("_", " ")} {protocol[key]}')
    return ' · '.join(parts)


def _measured(metrics):
    """Return [(metric, title)] of those that the data allows."""
    return [
        (metric, title)
        for metric, title in METRIC_TITLES.items()
        if metric in metrics and metrics[metric]['mean'] is not None
    ]


def _main_metric(metrics):
    """Return (metric, title) of the number by which checkpoints are compared, or None."""
    measured = OrderedDict(_measured(metrics))
    return next(((metric, measured[metric]) for metric in ('pckh@0.5', 'pck@0.2') if metric in measured), None)


def _tiles(metrics):
    main = _main_metric(metrics)
    order = sorted(_measured(metrics), key=lambda pair: pair != main)
    tiles = []
    for metric, title in order:
        blind = [
            baseline[metric]['mean']
            for baseline in metrics['baselines'].values()
            if baseline[metric]['mean'] is not None
        ]
        note = f'without the image {percent_text(max(blind))}' if blind else ''
        tiles.append(
            tag(
                'div',
                tag('span', title),
                tag('b', percent_text(metrics[metric]['mean'])),
                tag('span', note),
                class_='tile first' if (metric, title) == main else 'tile',
            )
        )
    return tag('div', *tiles, class_='tiles')


def _scores(metrics, subject):
    measured = _measured(metrics)
    if not measured:
        return tag('p', 'Nothing that was labelled could be scored.')
    columns = [name for name in metrics[measured[0][0]] if name not in NOT_GROUPS] + ['mean', 'mean_weighted']
    poses = [(subject, metrics)] + [
        (name.replace('_', ' '), baseline) for name, baseline in metrics['baselines'].items()
    ]
    rows = []
    for metric, title in measured:
        if len(poses) > 1:
            rows.append(('metric', [title] + [''] * len(columns)))
        for index, (pose, scores) in enumerate(poses):
            rows.append(
                (
                    'own' if index == 0 else 'soft',
                    [pose if len(poses) > 1 else title] + [percent_text(scores[metric][column]) for column in columns],
                )
            )
    heading = 'percent' if len(poses) > 1 else f'percent, {subject}'
    return join(
        [
            table([heading] + [_column(name) for name in columns], rows),
            tag(
                'p',
                'Mean is over all joints but pelvis and thorax; mean (w) weighs each by the number of its '
                'labels. Head is the head top.%s'
                % (
                    ' {}: drawn without looking at the image.'.format(
                        ', '.join(name for name, _ in poses[1:]).capitalize()
                    )
                    if len(poses) > 1
                    else ''
                ),
                class_='soft',
            ),
        ]
    )


def _column(name):
    return 'Mean (w)' if name == 'mean_weighted' else name.capitalize()


def _curves(curves):
    known = [
        (name, np.asarray(values, np.float64))
        for name, values in curves.items()
        if np.isfinite(np.asarray(values, np.float64)).all()
    ]
    if not known:
        return ''
    lines, groups, blind = [], 0, 0
    for name, values in known:
        note = f'{values[-1]:.1f}'
        if name == 'mean':
            lines.append(Curve('Mean', values, note, 'var(--mean)', width=3.4))
        elif ': ' in name:
            lines.append(Curve(name[0].upper() + name[1:], values, note, 'var(--grey)', _DASHES[blind % len(_DASHES)]))
            blind += 1
        else:
            lines.append(Curve(name.capitalize(), values, note, 'var(--curve-%d)' % (groups % len(CURVE_COLOURS))))
            groups += 1
    return plot(
        CURVE_THRESHOLDS,
        lines,
        [(k / 10.0, f'{k / 10.0:.1f}') for k in range(6)],
        [(y, str(y)) for y in range(0, 101, 20)],
        'threshold in head sizes',
        'PCKh in percent',
        'PCKh over the threshold, a line for each group of joints',
    )


def _joints(metrics):
    main = _main_metric(metrics)
    if not main:
        return ''
    metric, title = main
    baselines = metrics['baselines']
    blind = next((baselines[name] for name in ('mean_pose', 'centre') if name in baselines), None)
    rows = [
        (_joint_name(name), value, blind and blind[metric]['joints'][name])
        for name, value in metrics[metric]['joints'].items()
    ]
    note = f'{title} of each joint'
    return join(
        [
            tag(
                'p',
                note + ('; the mark is the mean pose, drawn without the image.' if 'mean_pose' in baselines else '.'),
                class_='soft',
            ),
            bars(rows),
        ]
    )


def _joint_name(name):
    side = {'r_': 'right ', 'l_': 'left '}.get(name[:2], '')
    return side + (name[2:] if side else name).replace('_', ' ')


def _breakdown(breakdown):
    if not breakdown:
        return ''
    title = METRIC_TITLES[breakdown['metric']]
    parts = []
    for name, category in breakdown.items():
        if name == 'metric' or not category['rows']:
            continue
        columns = list(category['rows'][0]['percent'])
        rows = [
            (
                None,
                [row['label'], f'{row["persons"]:,}', f'{row["joints"]:,}']
                + [percent_text(row['percent'][column]) for column in columns],
            )
            for row in category['rows']
        ]
        parts += [
            tag('h3', f'{title} by {name}'),
            tag('p', category['definition'], class_='soft'),
            table([name, 'persons', 'joints'] + [_column(column) for column in columns], rows),
        ]
    return join(parts)


def _training(history):
    """Return the plots of a run's epochs: the loss and what was validated; '' for fewer than two epochs."""
    if len(history) < 2:
        return ''
    epochs = [_number(row.get('epoch')) for row in history]
    plots = []
    loss = [_number(row.get('train_loss')) for row in history]
    if any(map(math.isfinite, loss)):
        plots.append(
            plot(
                epochs,
                [Curve('training loss', loss, f'{loss[-1]:.4g}')],
                _epoch_ticks(epochs),
                _round_ticks([value for value in loss if math.isfinite(value)]),
                'epoch',
                'loss',
                'training loss over the epochs',
            )
        )
    curves = []
    for index, (metric, title) in enumerate(METRIC_TITLES.items()):
        points = [(epoch, _number(row.get(f'valid_{metric}'))) for epoch, row in zip(epochs, history)]
        points = [(epoch, value) for epoch, value in points if math.isfinite(value)]
        if points:
            # Epochs without a validation are passed over, so that the line is whole.
            filled = np.interp(epochs, *zip(*points), left=np.nan, right=np.nan)
            curves.append(Curve(title, filled, f'{points[-1][1]:.1f}', 'var(--curve-%d)' % (index * 2 % 7)))
    if curves:
        plots.append(
            plot(
                epochs,
                curves,
                _epoch_ticks(epochs),
                [(y, str(y)) for y in range(0, 101, 25)],
                'epoch',
                'percent, validation',
                'validation scores over the epochs',
            )
        )
    return tag('div', *[tag('div', each) for each in plots], class_='two')


def _number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return float('nan')


def _epoch_ticks(epochs):
    first, last = int(epochs[0]), int(epochs[-1])
    step = max(1, -(-(last - first) // 6))
    ticks = list(range(first, last, step))
    if len(ticks) > 1 and last - ticks[-1] < step / 2.0:
        ticks.pop()
    return [(tick, str(tick)) for tick in ticks + [last]]


def _round_ticks(values):
    """Return [(value, text)] of a few round numbers that enclose the values."""
    low, high = min(values), max(values)
    rough = ((high - low) or abs(high) or 1.0) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = unit * next(factor for factor in (1, 2, 5, 10) if factor * unit >= rough * 0.999)
    first, last = int(math.floor(low / step)), int(math.ceil(high / step))
    return [(k * step, f'{k * step:.6g}') for k in range(first, max(last, first + 1) + 1)]


def _pictures(pictures, colours):
    if not pictures:
        return ''
    figures = [
        tag(
            'figure',
            picture(each.image_rgb, f'{each.title}, {each.note}'),
            tag('figcaption', tag('b', each.note), ' ', each.title),
        )
        for each in pictures
    ]
    explained = legend([(text, 'rgb(%d, %d, %d)' % colour, '') for text, colour in colours], 'legend chips')
    return join([explained if colours else '', tag('div', *figures, class_='photos')])


def _protocol(protocol):
    entries = []
    for key, value in protocol.items():
        if isinstance(value, dict):
            text = join([tag('div', f'{name.replace("_", " ")}: {_plain(item)}') for name, item in value.items()])
        else:
            text = tag('code', value) if key == 'command' else escape(_plain(value))
        entries += [tag('dt', key.replace('_', ' ')), tag('dd', text)]
    return tag('dl', *entries)


def _plain(value):
    if value is None:
        return 'none'
    if isinstance(value, bool):
        return 'on' if value else 'off'
    if isinstance(value, (list, tuple)):
        return ', '.join(map(str, value))
    return value
