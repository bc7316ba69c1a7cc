"""Parts of an HTML page from plain values: escaped tags, tables, plots, bars and pictures, without a line of script."""

import base64
import html
from dataclasses import dataclass
from typing import Sequence

import cv2
import numpy as np

JPEG_QUALITY = 85

# Sides of a picture in a report, which shows it 150 to 200 px wide, on screens of twice as many.
MOST_PIXELS = 320


@dataclass(frozen=True, eq=False)
class Curve:
    """A line of a plot. name, note: for the legend. ys: at the plot's xs, NaN or None where there is no value.

    colour: a CSS colour. dashes: a CSS dash pattern, '' for a full line. width: in px.
    """

    name: str
    ys: Sequence
    note: str = ''
    colour: str = 'var(--accent)'
    dashes: str = ''
    width: float = 2.2


class Html(str):
    """Text that is HTML already; any other text is escaped before it becomes a part of a page."""


def escape(value):
    """Return a value as Html: text that cannot end the tag or the attribute it stands in."""
    return value if isinstance(value, Html) else Html(html.escape(printable(str(value)), quote=True))


def printable(text):
    """Return the text with what UTF-8 or HTML cannot hold, such as halves of characters, made visible."""
    return ''.join(
        letter
        if letter in '\n\t'
        or ' ' <= letter < '\x7f'
        or ('\xa0' <= letter and not '\ud800' <= letter <= '\udfff' and letter not in '\ufffe\uffff')
        else letter.encode('unicode_escape').decode('ascii')
        for letter in text
    )


def tag(name, *content, **attributes):
    """Return an element: its content and attributes are escaped unless they are Html; class_ stands for class."""
    written = ''.join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f'<{name}{written}>{"".join(map(escape, content))}</{name}>')


def join(parts, between=''):
    """Return several parts as one."""
    return Html(between.join(map(escape, parts)))


def percent_text(value):
    """Return a percentage with two decimals, a dash where there is none."""
    return '–' if value is None or not np.isfinite(value) else f'{value:.2f}'


def table(titles, rows):
    """Return a table that scrolls by itself where the screen is narrow.

    titles: of the columns. rows: (class or None, cells); the first cell of a row is its heading.
    """
    head = tag('thead', tag('tr', *[tag('th', title, scope='col') for title in titles]))
    body = [
        tag('tr', tag('th', cells[0], scope='row'), *[tag('td', cell) for cell in cells[1:]], class_=kind)
        for kind, cells in rows
    ]
    return tag('div', tag('table', head, tag('tbody', *body)), class_='wide', tabindex='0')


def plot(xs, curves, x_ticks, y_ticks, x_title, y_title, description):
    """Return a figure of curves over xs that stretches with the page while its lines and texts do not.

    x_ticks, y_ticks: [(value, text)]; the first and the last are the ends of the axes. description: for those who
    cannot see it.
    """
    left, right, low, high = x_ticks[0][0], x_ticks[-1][0], y_ticks[0][0], y_ticks[-1][0]

    def across(x):
        return 100.0 * (x - left) / ((right - left) or 1.0)

    def down(y):
        return 100.0 - 100.0 * (y - low) / ((high - low) or 1.0)

    grid = [f'M0 {down(y):.3f} H100' for y, _ in y_ticks] + [f'M{across(x):.3f} 0 V100' for x, _ in x_ticks]
    lines = [
        tag(
            'path',
            tag('title', f'{curve.name} {curve.note}'),
            d=_path(xs, curve.ys, across, down),
            style=f'stroke: {curve.colour}; stroke-width: {curve.width:g}',
            stroke_dasharray=curve.dashes or None,
        )
        for curve in curves
    ]
    svg = tag(
        'svg',
        tag('path', d=' '.join(grid), class_='grid'),
        *lines,
        viewBox='0 0 100 100',
        preserveAspectRatio='none',
        role='img',
        aria_label=description,
    )
    texts = [tag('span', text, class_='x', style=f'left: {across(x):.3f}%') for x, text in x_ticks]
    texts += [tag('span', text, class_='y', style=f'top: {down(y):.3f}%') for y, text in y_ticks]
    return join(
        [
            legend([(f'{curve.name} {curve.note}', curve.colour, curve.dashes) for curve in curves]),
            tag('p', y_title, class_='soft'),
            tag('div', svg, *texts + [tag('span', x_title, class_='title')], class_='plot'),
        ]
    )


def legend(entries, class_='legend'):
    """Return a list that explains lines: (text, CSS colour, dashes or '')."""
    return tag(
        'ul',
        *[
            tag(
                'li',
                tag('i', style='border-top-color: {}{}'.format(colour, '; border-top-style: dashed' if dashes else '')),
                text,
            )
            for text, colour, dashes in entries
        ],
        class_=class_,
    )


def bars(rows):
    """Return bars of percentages: (name, percent or None, percent of a mark or None)."""
    drawn = []
    for name, value, mark in rows:
        parts = [] if value is None else [tag('i', style=f'width: {value:.2f}%')]
        parts += [] if mark is None else [tag('u', style=f'left: {min(mark, 99.5):.2f}%')]
        drawn.append(tag('div', tag('span', name), tag('span', *parts, class_='track'), tag('b', percent_text(value))))
    return tag('div', *drawn, class_='bars')


def picture(image_rgb, text, most_pixels=MOST_PIXELS):
    """Return an <img> with a picture, uint8 RGB (H, W, 3), as a JPEG in the page itself, scaled down to fit.

    text: for those who cannot see it.
    """
    height, width = image_rgb.shape[:2]
    factor = min(1.0, float(most_pixels) / max(height, width))
    if factor < 1:
        width, height = max(1, int(round(width * factor))), max(1, int(round(height * factor)))
        image_rgb = cv2.resize(image_rgb, (width, height), interpolation=cv2.INTER_AREA)
    jpeg = cv2.imencode('.jpg', cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    source = f'data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode("ascii")}'
    return Html('<img src="%s" alt="%s" width="%d" height="%d">' % (source, escape(text), width, height))


def _path(xs, ys, across, down):
    """Return the path data of a curve, with a gap where it has no value."""
    parts, pen = [], 'M'
    for x, y in zip(xs, ys):
        if y is None or not np.isfinite(y):
            pen = 'M'
            continue
        parts.append(f'{pen}{across(x):.3f} {down(y):.3f}')
        pen = 'L'
    return ' '.join(parts)
