"""Contact sheets: captioned tiles in rows with a legend of the skeletons' colours."""

from typing import Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.report.captions import write_text
from hourglass_pose.report.drawing import blank, centre_on, checked_image, fit, render_key
from hourglass_pose.report.palette import SIDE_COLOURS, TRUTH_COLOUR

SHEET_PERSONS = 24
SHEET_COLUMNS = 6

_TEXT = (236, 236, 236)
_GAP = 8
_STRIP_HEIGHT = 24
_KEY_LENGTH = 22


def contact_sheet(
    tiles: Sequence[np.ndarray],
    columns: int,
    tile_size_wh: Tuple[int, int],
    captions: Optional[Sequence[str]] = None,
    legend: bool = True,
) -> np.ndarray:
    """Return a sheet of tiles in rows.

    Args:
        tiles: RGB images of any sizes, scaled to fit.
        columns: number of tiles in a full row.
        captions: a text under each tile, shortened in its middle if it is too long, or None.
        legend: whether a strip at the foot explains the colours.

    Raises ValueError without tiles, or if captions and tiles differ in number.
    """
    if not tiles or (captions is not None and len(captions) != len(tiles)):
        raise ValueError(f'expected tiles and as many captions, found {len(tiles)} and {len(captions or ())}')
    width, height = tile_size_wh
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    row_height = height + _GAP + (_STRIP_HEIGHT if captions is not None else 0)
    sheet = blank(columns * (width + _GAP) + _GAP, rows * row_height + _GAP)
    for index, tile in enumerate(tiles):
        x, y = _GAP + index % columns * (width + _GAP), _GAP + index // columns * row_height
        sheet[y : y + height, x : x + width] = centre_on(fit(checked_image(tile), tile_size_wh)[0], tile_size_wh)
        if captions is not None:
            write_text(sheet, captions[index], x, y + height + _STRIP_HEIGHT // 2, width, _TEXT, centred=True)
    return np.concatenate([sheet, legend_strip(sheet.shape[1])]) if legend else sheet


def legend_strip(width: int, predicted: bool = True) -> np.ndarray:
    """Return a strip of the given width that explains the colours of skeletons.

    Args:
        predicted: whether predictions are in colour and labels in white; otherwise there are labels alone, in colour.
    """
    strip = blank(width, _STRIP_HEIGHT + _GAP)
    entries = [
        (f'{"predicted" if predicted else "labelled"} right', SIDE_COLOURS['right'], 4),
        ('left', SIDE_COLOURS['left'], 4),
        ('middle', SIDE_COLOURS['middle'], 4),
    ]
    if predicted:
        entries.append(('labelled', TRUTH_COLOUR, 2))
    x, y = _GAP, _STRIP_HEIGHT // 2
    for text, colour, thickness in entries:
        render_key(strip, x, y, _KEY_LENGTH, colour, thickness)
        x += _KEY_LENGTH + _GAP
        x += write_text(strip, text, x, y, max(0, width - x - _GAP), _TEXT, centred=False) + 2 * _GAP
    return strip
