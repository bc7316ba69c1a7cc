"""Captions in images: text rendered by Pillow in an installed font that has its characters, also Chinese ones."""

import functools
import importlib.util
import os
import sys
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_SIZE = 13

# Common fonts in order of preference: first the one for European scripts, then those with Chinese, Japanese, Korean.
_FONT_FILES = (
    'DejaVuSans.ttf',
    'NotoSansCJK-Regular.ttc',
    'NotoSansCJKsc-Regular.otf',
    'NotoSansSC-Regular.otf',
    'NotoSansSC-Regular.ttf',
    'SourceHanSansSC-Regular.otf',
    'SourceHanSansCN-Regular.otf',
    'wqy-microhei.ttc',
    'wqy-zenhei.ttc',
    'DroidSansFallbackFull.ttf',
    'DroidSansFallback.ttf',
    'uming.ttc',
    'PingFang.ttc',
    'Hiragino Sans GB.ttc',
    'STHeiti Light.ttc',
    'msyh.ttc',
    'simhei.ttf',
    'simsun.ttc',
    'NanumGothic.ttf',
    'malgun.ttf',
    'ipag.ttf',
    'meiryo.ttc',
    'Arial Unicode.ttf',
)


def write_text(
    canvas: np.ndarray, text: str, x: int, y_centre: int, max_width: int, colour: Tuple[int, int, int], centred: bool
) -> int:
    """Write one line of text into a uint8 RGB image, shortened in its middle to fit, and return its width in pixels.

    Args:
        canvas: the image (H, W, 3), changed in place.
        x, y_centre: left edge of the text's area and height of its middle.
        max_width: width of the area in pixels.
        centred: whether the text is in the middle of the area or at its left edge.
    """
    path, text = choose_font(text)
    font = ImageFont.load_default() if path is None else _open(path)
    text = _shortened(font, text, max_width)
    width = _width(font, text)
    x += (max_width - width) // 2 if centred else 0
    top, bottom = max(0, y_centre - _SIZE), min(len(canvas), y_centre + _SIZE)
    left, right = max(0, x), min(canvas.shape[1], x + width + 1)
    if not text or top >= bottom or left >= right:
        return width
    area = Image.fromarray(canvas[top:bottom, left:right])
    # Capital letters of these fonts are 0.72 of the size high and begin 0.21 below the top of a line.
    ImageDraw.Draw(area).text((x - left, y_centre - top - round(0.57 * _SIZE)), text, fill=colour, font=font)
    canvas[top:bottom, left:right] = np.asarray(area)
    return width


def find_font(text: str) -> Optional[str]:
    """Return the path of the first font that has all characters of a text, None if no installed font has."""
    return next((path for path in _font_paths() if all(_has(path, letter) for letter in set(text))), None)


def choose_font(text: str) -> Tuple[Optional[str], str]:
    """Return (path, text): the font with most characters of a text, or None, and the text with '?' for the others."""
    text = ''.join(letter if letter.isprintable() else '?' for letter in text)
    path = find_font(text)
    if path is not None:
        return path, text
    paths = _font_paths()
    if not paths:
        return None, text.encode('latin-1', 'replace').decode('latin-1')
    best = max(paths, key=lambda each: sum(_has(each, letter) for letter in text))
    return best, ''.join(letter if _has(best, letter) else '?' for letter in text)


@functools.lru_cache(maxsize=None)
def _font_paths() -> Tuple[str, ...]:
    """Return the paths of the installed fonts of _FONT_FILES, in that order."""
    found: Dict[str, str] = {}
    for folder in _font_folders():
        for parent, _, names in os.walk(folder):
            for name in names:
                if name in _FONT_FILES:
                    found.setdefault(name, os.path.join(parent, name))
    return tuple(found[name] for name in _FONT_FILES if name in found and _opens(found[name]))


def _font_folders() -> List[str]:
    # Matplotlib brings DejaVu Sans; loading Matplotlib itself would take a second.
    matplotlib = importlib.util.find_spec('matplotlib')
    own = list(matplotlib.submodule_search_locations or ()) if matplotlib else []
    folders = [os.path.join(folder, 'mpl-data', 'fonts', 'ttf') for folder in own]
    home = os.path.expanduser('~')
    if sys.platform == 'darwin':
        return folders + ['/System/Library/Fonts', '/Library/Fonts', os.path.join(home, 'Library', 'Fonts')]
    if sys.platform == 'win32':
        return folders + [os.path.join(os.environ.get('WINDIR', 'C:\\Windows'), 'Fonts')]
    user = [os.path.join(home, '.fonts'), os.path.join(home, '.local', 'share', 'fonts')]
    return folders + ['/usr/share/fonts', '/usr/local/share/fonts'] + user


def _opens(path: str) -> bool:
    try:
        _open(path)
    except OSError:
        return False
    return True


@functools.lru_cache(maxsize=None)
def _open(path: str) -> Any:
    return ImageFont.truetype(path, _SIZE)


@functools.lru_cache(maxsize=None)
def _has(path: str, letter: str) -> bool:
    """Return whether a font has a character: its glyph differs from that of U+FFFF, which no font has."""
    return letter == ' ' or _glyph(path, letter) != _glyph(path, '\uffff')


@functools.lru_cache(maxsize=None)
def _glyph(path: str, letter: str) -> Tuple[Tuple[int, int], bytes]:
    mask = _open(path).getmask(letter)
    return mask.size, bytes(mask)


def _width(font: Any, text: str) -> int:
    return int(font.getmask(text).size[0]) if text else 0


def _shortened(font: Any, text: str, max_width: int) -> str:
    kept, shortened = len(text), text
    while kept > 0 and _width(font, shortened) > max_width:
        kept -= 1
        shortened = f'{text[: (kept + 1) // 2]}..{text[len(text) - kept // 2 :]}'
    return shortened
