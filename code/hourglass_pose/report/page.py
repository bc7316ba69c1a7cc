"""The HTML page of an evaluation: one self-contained file without scripts, rendered from a Jinja2 template."""

import base64
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from hourglass_pose.evaluation.headline import METRIC_TITLES, headline_metric, shown_metrics
from hourglass_pose.files import write_whole
from hourglass_pose.report.palette import PAGE_COLOURS, SIDE_COLOURS, TRUTH_COLOUR
from hourglass_pose.report.plots import svg_of
from hourglass_pose.report.tables import OKS_TITLES, column_title, score_columns

PAGE = 'report.html'
_JPEG_QUALITY = 85

_KEYS = [(f'predicted, {side}', colour) for side, colour in SIDE_COLOURS.items()] + [('labelled', TRUTH_COLOUR)]


@dataclass(frozen=True, eq=False)
class PersonImage:
    """A rendered person. image_rgb: uint8 (H, W, 3). title: name of the person. note: for instance its score."""

    image_rgb: np.ndarray
    title: str
    note: str


@dataclass(frozen=True, eq=False)
class PageContent:
    """The content of the page.

    title: what was evaluated. subject: origin of the poses. metrics: content of metrics.json. curve: figure of PCKh
    over the threshold, None if PCKh is undefined. history: (figure, description) of a run's epochs. worst, best:
    persons. config_text: settings of the run, or ''.
    """

    title: str
    subject: str
    metrics: dict
    curve: Optional[Any] = None
    history: Sequence[Tuple[Any, str]] = ()
    worst: Sequence[PersonImage] = ()
    best: Sequence[PersonImage] = ()
    config_text: str = ''


def write_page(path: str, content: PageContent) -> None:
    """Write the page as one HTML file, atomically. Raises UserError if that fails."""
    write_whole(path, render_page(content).encode('utf-8'))


def render_page(content: PageContent) -> str:
    """Return the page as HTML. All texts are escaped, and characters that HTML cannot represent are escaped, too."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(os.path.dirname(os.path.abspath(__file__))),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.filters.update(percent=percent_text, plain=_plain, jpeg=_jpeg, joint=_joint_title)
    metrics = content.metrics
    measured = _measured(metrics)
    curves = [] if content.curve is None else [(content.curve, 'PCKh over the threshold, a line for each joint group')]
    return environment.get_template(PAGE).render(
        content=content,
        metrics=metrics,
        titles=METRIC_TITLES,
        oks_titles=OKS_TITLES,
        headline=headline_metric(metrics),
        measured=measured,
        without_image={name: _best_baseline(metrics, name) for name in measured},
        columns=score_columns(metrics['pckh@0.5']),
        column_title=lambda name: column_title(name, 'Mean (w)'),
        curves=[Markup(svg_of(*each)) for each in curves],
        history=[Markup(svg_of(*each)) for each in content.history],
        colours=PAGE_COLOURS,
        keys=_KEYS,
    )


def percent_text(value: Optional[float]) -> str:
    """Return a percentage with two decimals, or a dash for none."""
    return '–' if value is None or not np.isfinite(value) else f'{value:.2f}'


def printable(text: str) -> str:
    """Return the text with characters that UTF-8 or HTML cannot represent, such as surrogates, as escape sequences."""
    return ''.join(
        letter
        if letter in '\n\t'
        or ' ' <= letter < '\x7f'
        or ('\xa0' <= letter and not '\ud800' <= letter <= '\udfff' and letter not in '\ufffe\uffff')
        else letter.encode('unicode_escape').decode('ascii')
        for letter in text
    )


def _measured(metrics: dict) -> List[str]:
    """Return the names of the metrics that the data allows, the headline metric first."""
    names = [name for name in shown_metrics(metrics) if metrics[name]['mean'] is not None]
    return sorted(names, key=lambda name: name != headline_metric(metrics))


def _best_baseline(metrics: dict, name: str) -> Optional[float]:
    means = [baseline[name]['mean'] for baseline in metrics['baselines'].values()]
    return max((mean for mean in means if mean is not None), default=None)


def _joint_title(name: str) -> str:
    side = {'r_': 'right ', 'l_': 'left '}.get(name[:2], '')
    return side + (name[2:] if side else name).replace('_', ' ')


def _plain(value: Any) -> str:
    """Return a value of the protocol as text."""
    if value is None:
        return 'none'
    if isinstance(value, bool):
        return 'on' if value else 'off'
    if isinstance(value, (list, tuple)):
        return ', '.join(map(str, value))
    return f'{value:g}' if isinstance(value, float) else str(value)


def _jpeg(image_rgb: np.ndarray) -> Dict[str, Any]:
    """Return 'source', a data URI of the image as JPEG, and its 'width' and 'height'."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    content = cv2.imencode('.jpg', cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR), quality)[1].tobytes()
    source = f'data:image/jpeg;base64,{base64.b64encode(content).decode("ascii")}'
    return {'source': source, 'width': image_rgb.shape[1], 'height': image_rgb.shape[0]}
