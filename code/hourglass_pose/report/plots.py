"""Plots by Matplotlib, as PNG files and as inline SVG of the HTML report; Matplotlib is imported on first use."""

import io
import re
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.evaluation.headline import METRIC_TITLES
from hourglass_pose.evaluation.pckh import CURVE_THRESHOLDS, PckhResult
from hourglass_pose.report.captions import choose_font
from hourglass_pose.report.palette import PAGE_COLOURS, curve_colour, light_colour

_DASHES = ('--', ':', '-.')
_FONT_SIZE = 11

# Ids of SVG elements are hashes with this salt, so that the same plot is the same text.
_SALT = 'hourglass-pose'


def pckh_figure(result: PckhResult, baselines: Dict[str, PckhResult], title: str = '') -> Any:
    """Return a figure of PCKh over the threshold: each joint group, the mean, and the means of the baselines.

    Args:
        baselines: name such as 'mean_pose' -> PckhResult on the same persons.
    """
    figure, axes = _figure(8.8, 5.0)
    groups = [name for name in result.curves if name != 'mean']
    for index, group in enumerate(groups):
        _pckh_curve(axes, result.curves[group], group.capitalize(), color=curve_colour(index), linewidth=1.8)
    _pckh_curve(axes, result.curves['mean'], 'Mean', color=light_colour('mean'), linewidth=3)
    for index, (name, baseline) in enumerate(baselines.items()):
        style = {'color': light_colour('grey'), 'linestyle': _DASHES[index % len(_DASHES)], 'linewidth': 2}
        _pckh_curve(axes, baseline.curves['mean'], f'{name.replace("_", " ")} (no image)', **style)
    axes.set(xlim=(0, 0.5), ylim=(0, 100), xlabel='threshold [head sizes]', ylabel='PCKh [%]')
    _set_title(axes, title)
    _legend(axes, 'PCKh@0.5', loc='center left', bbox_to_anchor=(1.02, 0.5))
    return figure


def history_figures(history: Sequence[Dict[str, str]], metrics: Sequence[str]) -> List[Tuple[Any, str]]:
    """Return [(figure, description)] of a run's epochs: the loss and the validation metrics; [] for less than two.

    Args:
        history: rows of texts by column, as in a run's history.csv.
        metrics: names of the validation metrics, as in METRIC_TITLES.
    """
    if len(history) < 2:
        return []
    figures = []
    epochs = _column(history, 'epoch')
    loss = _column(history, 'train_loss')
    if np.isfinite(loss).any():
        figure, axes = _history_axes('training loss')
        axes.plot(epochs, loss, color=light_colour('accent'), linewidth=2.2, label=f'training loss  {loss[-1]:.4g}')
        valid_loss = _column(history, 'valid_loss')
        known = np.isfinite(valid_loss)
        if known.any():
            label = f'validation loss  {valid_loss[known][-1]:.4g}'
            axes.plot(epochs[known], valid_loss[known], color=curve_colour(1), linewidth=2.2, label=label)
        _legend(axes)
        figures.append((figure, 'training loss over the epochs'))
    validated = {METRIC_TITLES[metric]: _column(history, f'valid_{metric}') for metric in metrics}
    validated = {title: values for title, values in validated.items() if np.isfinite(values).any()}
    if validated:
        figure, axes = _history_axes('validation [%]')
        for index, (title, values) in enumerate(validated.items()):
            known = np.isfinite(values)
            # Epochs without a validation are left out, so that the line is continuous.
            label = f'{title}  {values[known][-1]:.1f}'
            axes.plot(epochs[known], values[known], color=curve_colour(2 * index), linewidth=2.2, label=label)
        axes.set_ylim(0, 100)
        _legend(axes)
        figures.append((figure, 'validation scores over the epochs'))
    return figures


def png_of(figure: Any) -> bytes:
    """Return a figure as the content of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format='png', facecolor='white')
    return content.getvalue()


def svg_of(figure: Any, description: str) -> str:
    """Return a figure as an SVG element for a page, the same text each time.

    Its colours are the page's CSS variables, and its texts are texts in the page's font.

    Args:
        description: for readers who cannot see the figure.
    """
    import matplotlib

    content = io.BytesIO()
    with matplotlib.rc_context({'svg.hashsalt': _SALT, 'svg.fonttype': 'none'}):
        figure.savefig(content, format='svg', transparent=True, metadata={'Date': None})
    svg = content.getvalue().decode('utf-8')
    _, opening, body = re.split(r'(<svg [^>]*>)', svg, maxsplit=1)
    # The namespaces of the metadata are addresses, and ids of groups are the same in every figure.
    body = re.sub(r'<metadata>.*?</metadata>|<style .*?</style>', '', body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', '<g', body)
    for name, (light, _) in PAGE_COLOURS.items():
        body = body.replace(light, f'var(--{name})')
    size = re.search(r'viewBox="[^"]*"', opening)
    assert size is not None
    return f'<svg {size.group()} role="img" aria-label="{description}">{body.strip()}'


def _figure(width: float, height: float) -> Tuple[Any, Any]:
    """Return an empty figure of a size in inches, and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.65 / width, 0.55 / height, 1 - 3.7 / width, 1 - 0.95 / height))
    for edge in ('top', 'right'):
        axes.spines[edge].set_visible(False)
    for edge in ('left', 'bottom'):
        axes.spines[edge].set_color(light_colour('soft'))
    axes.tick_params(colors=light_colour('soft'), labelsize=_FONT_SIZE)
    axes.xaxis.label.set(color=light_colour('soft'), size=_FONT_SIZE)
    axes.yaxis.label.set(color=light_colour('soft'), size=_FONT_SIZE)
    axes.grid(color=light_colour('line'))
    axes.set_axisbelow(True)
    return figure, axes


def _history_axes(label: str) -> Tuple[Any, Any]:
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(6.0, 3.6)
    axes.set_position([0.11, 0.15, 0.87, 0.82])
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set(xlabel='epoch', ylabel=label)
    return figure, axes


def _pckh_curve(axes: Any, curve: np.ndarray, label: str, **style: Any) -> None:
    known = np.isfinite(curve).all()
    label = f'{label}  {curve[-1]:.1f}' if known else f'{label}  undefined'
    axes.plot(CURVE_THRESHOLDS, curve, label=label, clip_on=False, **style)


def _legend(axes: Any, title: Optional[str] = None, **position: Any) -> None:
    # Boxes over the grid stay readable on a light and on a dark page.
    colours = {'facecolor': light_colour('card'), 'edgecolor': 'none', 'labelcolor': light_colour('text')}
    legend = axes.legend(title=title, fontsize=_FONT_SIZE, **dict(colours, **position))
    legend.get_title().set(color=light_colour('text'), size=_FONT_SIZE)


def _set_title(axes: Any, title: str) -> None:
    from matplotlib.font_manager import FontProperties

    font, title = choose_font(title)
    # A dollar sign would begin a formula.
    properties = FontProperties(fname=font, size=13) if font else FontProperties(size=13)
    axes.set_title(title.replace('$', r'\$'), fontproperties=properties, color=light_colour('text'))


def _column(history: Sequence[Dict[str, str]], name: str) -> np.ndarray:
    return np.array([_number(row.get(name)) for row in history])


def _number(text: Optional[str]) -> float:
    try:
        return float(text or '')
    except ValueError:
        return float('nan')
