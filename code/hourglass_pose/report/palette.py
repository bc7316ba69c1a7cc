"""The colours of results: Okabe and Ito's palette (2008) for plots and the page, brighter side colours for photos."""

from typing import Dict, Tuple

# Vermilion, sky blue and yellow, distinguishable with every common colour blindness, brightened for photos.
SIDE_COLOURS: Dict[str, Tuple[int, int, int]] = {
    'right': (255, 106, 0),
    'left': (64, 172, 255),
    'middle': (245, 230, 70),
}
TRUTH_COLOUR = (255, 255, 255)

# CSS variable -> (on a light page, on a dark page). Curves of joint groups take curve-0, curve-1, ... in order.
PAGE_COLOURS: Dict[str, Tuple[str, str]] = {
    'page': ('#f4f5f7', '#14171b'),
    'card': ('#ffffff', '#1d2126'),
    'text': ('#1b1f24', '#e8ebee'),
    'soft': ('#5c6570', '#a0a9b3'),
    'line': ('#dde1e6', '#343a42'),
    'accent': ('#0063a1', '#6db4ee'),
    'mark': ('#b04a00', '#ff9a55'),
    'mean': ('#1b1f25', '#fffffe'),
    'grey': ('#8a929c', '#8b949e'),
    'curve-0': ('#c95400', '#ff8a3d'),
    'curve-1': ('#b57c00', '#f2b632'),
    'curve-2': ('#857800', '#e8dc4a'),
    'curve-3': ('#007a59', '#2fd0a2'),
    'curve-4': ('#2a86bd', '#7cc8f5'),
    'curve-5': ('#0063a0', '#4d9fe0'),
    'curve-6': ('#a3547f', '#e39cc2'),
}
NUM_CURVE_COLOURS = sum(name.startswith('curve-') for name in PAGE_COLOURS)


def light_colour(name: str) -> str:
    """Return the hexadecimal colour of a CSS variable on a light page, as plots on paper use it."""
    return PAGE_COLOURS[name][0]


def curve_colour(index: int) -> str:
    """Return the light colour of the index-th curve; the colours repeat after the last."""
    return light_colour(f'curve-{index % NUM_CURVE_COLOURS}')
