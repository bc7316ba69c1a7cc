"""Contact sheets: a cell for every tile, captions below them in any script, a legend of all colours."""

import numpy as np
import pytest

from hourglass_pose.report import captions
from hourglass_pose.report.palette import SIDE_COLOURS
from hourglass_pose.report.sheets import contact_sheet, legend_strip


def colour_mask(image, colour):
    return (image == np.array(colour)).all(axis=2)


def caption_of(text):
    """Return the strip below a tile with a caption."""
    return contact_sheet([np.zeros((50, 200, 3), np.uint8)], 1, (200, 50), [text], legend=False)[58:]


def test_contact_sheet_shows_every_tile_in_its_shape():
    tiles = [np.full((10 + 30 * index, 100, 3), 10 + index, np.uint8) for index in range(5)]
    sheet = contact_sheet(tiles, 3, (80, 60), legend=False)
    assert sheet.shape == (2 * 60 + 3 * 8, 3 * 80 + 4 * 8, 3)
    for index, tile in enumerate(tiles):
        rows, columns = np.nonzero(colour_mask(sheet, tile[0, 0]))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert height <= 60 and width <= 80 and (height == 60 or width == 80)
        assert abs(width - height * 100 / tile.shape[0]) <= 100 / tile.shape[0] / 2 + 0.5
        assert columns.min() // 88 == index % 3 and rows.min() // 68 == index // 3


def test_captions_are_written_inside_their_tile_however_long():
    tiles = [np.zeros((50, 50, 3), np.uint8)] * 2
    empty = contact_sheet(tiles, 2, (90, 50), ['', ''], legend=False)
    written = contact_sheet(tiles, 2, (90, 50), ['a long name of a photo.jpg 92.9 %' * 5, ''], legend=False)
    rows, columns = np.nonzero((empty != written).any(axis=2))
    assert len(rows) > 50
    assert columns.min() >= 8 and columns.max() < 8 + 90
    assert rows.min() >= 8 + 50 and rows.max() < 8 + 50 + 24
    with pytest.raises(ValueError, match='captions'):
        contact_sheet(tiles, 2, (90, 50), ['one'])


def test_legend_shows_every_colour_and_has_the_width_of_its_sheet():
    strip = legend_strip(500)
    assert strip.shape[1] == 500
    for colour in list(SIDE_COLOURS.values()) + [(255, 255, 255)]:
        assert colour_mask(strip, colour).any()
    tiles = [np.zeros((9, 9, 3), np.uint8)]
    assert contact_sheet(tiles, 4, (60, 60)).shape[1] == 60 + 2 * 8


def test_names_in_other_scripts_are_not_question_marks():
    # Matplotlib brings a font with these characters, so that every installation has one.
    shown, question_marks = caption_of('Ćwiczenie_Ж'), caption_of('?wiczenie_?')
    assert (shown != question_marks).any()
    assert captions.find_font('Ćwiczenie_Ж') is not None


def test_chinese_names_are_written_where_a_font_has_them():
    if captions.find_font('人物') is None:
        pytest.skip('no installed font has Chinese characters; Debian and Ubuntu: apt-get install fonts-wqy-microhei')
    assert (caption_of('人物') != caption_of('??')).any() and (caption_of('人物') != caption_of('人人')).any()


def test_characters_that_no_font_has_become_question_marks():
    # Private and unassigned characters, half of a surrogate pair, a control character.
    for letter in ('\ue83a', '\U000e0fff', '\ud800', '\x07'):
        assert (caption_of(f'a{letter}b') == caption_of('a?b')).all()


def test_without_any_font_file_captions_are_still_written(monkeypatch):
    monkeypatch.setattr(captions, '_font_paths', lambda: ())
    assert caption_of('plain 人').std() > 0
