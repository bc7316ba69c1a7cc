"""The HTML report: all of it is in one file, nothing in it runs, and a browser shows it."""

import base64
import io
import re
from collections import OrderedDict
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from PIL import Image

from browser import run_browser
from hourglass_pose.errors import UserError
from hourglass_pose.evaluation.breakdown import PersonTraits, break_down
from hourglass_pose.evaluation.pckh import PckhEvaluator
from hourglass_pose.report import html_parts, html_report
from hourglass_pose.report.html_parts import Curve, escape, tag
from hourglass_pose.report.html_report import Picture, write_html_report
from hourglass_pose.report.tables import build_metrics
from hourglass_pose.skeleton import Skeleton

SKELETON = Skeleton()
EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">\'"&amp;\ud800\x00'
VOID = {'meta', 'img', 'br'}
PROTOCOL = {'data': 'some/dataset.txt', 'flip_test': True, 'command': 'evaluate', 'versions': {'numpy': '1.18'}}


class Outline(HTMLParser):
    """What a page is made of: tags with attributes, texts by the tag they stand in, and tags that do not match."""

    def __init__(self, page):
        HTMLParser.__init__(self, convert_charrefs=True)
        self.tags, self.open, self.mismatched, self.texts = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, name, attributes):
        self.tags.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        if not self.open or self.open.pop() != name:
            self.mismatched.append(name)

    def handle_data(self, text):
        self.texts.append((self.open[-1] if self.open else '', text))

    def attributes(self, name):
        return [attributes for found, attributes in self.tags if found == name]


def scored(rng, count=12, noise=6.0):
    """Return (PckhResult of noisy predictions, its baselines)."""
    true = rng.uniform(0, 200, (count, 16, 2))
    labelled = rng.uniform(size=(count, 16)) < 0.9
    results = []
    for spread in (noise, 60.0):
        evaluator = PckhEvaluator(SKELETON)
        evaluator.add(
            np.arange(count), true + rng.normal(0, spread, true.shape), true, labelled, [(0, 0, 30, 40)] * count
        )
        results.append(evaluator.result())
    return results[0], OrderedDict(mean_pose=results[1])


def write(path, rng, **changes):
    """Write a report with everything in it and return the metrics it shows."""
    result, baselines = scored(rng)
    visible = rng.uniform(size=(12, 16)) < 0.5
    breakdown = break_down(result, SKELETON, PersonTraits(visible, np.ones(12, bool)))
    metrics = build_metrics(result, baselines, changes.pop('protocol', PROTOCOL), breakdown)
    curves = OrderedDict(result.curves)
    curves['without image: mean pose'] = baselines['mean_pose'].curves['mean']
    image = rng.randint(0, 256, (400, 600, 3)).astype(np.uint8)
    settings = dict(
        title='The report',
        metrics=metrics,
        curves=curves,
        config_text='[Train]\nbatch_size: 8\n',
        pictures=[('Worst persons', [Picture(image, 'im1.jpgA', '0 %')]), ('Best persons', [])],
        history=[
            {
                'epoch': str(epoch),
                'step': str(epoch * 5),
                'train_loss': str(1.0 / epoch),
                'valid_pckh@0.5': '' if epoch % 2 else str(10 * epoch),
            }
            for epoch in range(1, 7)
        ],
        colours=[('predicted', (1, 2, 3))],
    )
    settings.update(changes)
    write_html_report(str(path), **settings)
    return metrics


@pytest.fixture
def page(tmp_path, rng):
    """Return (text of a report, its Outline, the metrics it shows)."""
    path = tmp_path / 'report.html'
    metrics = write(path, rng)
    text = path.read_text(encoding='utf-8')
    return text, Outline(text), metrics


def test_every_tag_is_closed_in_order(page):
    assert page[1].mismatched == [] and page[1].open == []


def test_the_file_needs_nothing_else_and_runs_nothing(page):
    text, outline, _ = page
    names = {name for name, _ in outline.tags}
    assert not names & {'script', 'link', 'iframe', 'object', 'embed', 'base', 'form'}
    assert not re.search(r'url\(|@import|https?:', text)
    for _, attributes in outline.tags:
        assert not [key for key in attributes if key.startswith('on')]
        assert attributes.get('href', '#').startswith('#')
        assert attributes.get('src', 'data:image/jpeg;base64,').startswith('data:image/jpeg;base64,')
    (policy,) = [meta['content'] for meta in outline.attributes('meta') if 'http-equiv' in meta]
    assert "default-src 'none'" in policy


def test_every_score_is_in_the_page_as_it_is_in_the_metrics(page):
    _, outline, metrics = page
    cells = [text for name, text in outline.texts if name in ('td', 'b')]
    for metric in ('pckh@0.5', 'pckh@0.1', 'auc', 'pck@0.2'):
        for scores in (metrics[metric], metrics['baselines']['mean_pose'][metric]):
            for name, value in scores.items():
                if name != 'joints':
                    assert f'{value:.2f}' in cells, (metric, name)
    for value in metrics['pckh@0.5']['joints'].values():
        assert f'{value:.2f}' in cells
    for row in metrics['breakdown']['visibility']['rows']:
        assert f'{row["percent"]["mean"]:.2f}' in cells


def test_every_link_leads_to_a_section(page):
    _, outline, _ = page
    links = [attributes['href'][1:] for attributes in outline.attributes('a')]
    sections = [attributes['id'] for attributes in outline.attributes('section')]
    # Sections without content, here that of the best persons, are left out.
    assert links == sections and 'worst-persons' in links and 'best-persons' not in links


def test_pictures_are_in_the_page_scaled_down(page):
    (image,) = page[1].attributes('img')
    picture = Image.open(io.BytesIO(base64.b64decode(image['src'].split(',', 1)[1])))
    assert picture.format == 'JPEG' and picture.size == (320, 213)
    assert (image['width'], image['height']) == ('320', '213')


def test_a_small_picture_keeps_its_size_and_colours():
    colours = np.zeros((40, 30, 3), np.uint8)
    colours[:] = (200, 30, 60)
    encoded = re.search(r'base64,([^"]+)"', html_parts.picture(colours, 'red')).group(1)
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert decoded.shape == (40, 30, 3) and np.abs(decoded.astype(int) - colours).max() <= 6


def test_no_text_can_become_a_tag(tmp_path, rng):
    path = tmp_path / 'report.html'
    plain = Outline(write_and_read(path, rng)).tags
    image = np.zeros((10, 10, 3), np.uint8)
    text = write_and_read(
        path,
        np.random.RandomState(1),
        title=EVIL,
        subject=EVIL,
        config_text=EVIL,
        protocol={'data': EVIL, 'command': EVIL, 'versions': {EVIL: EVIL}, 'list': [EVIL]},
        pictures=[('Worst persons', [Picture(image, EVIL, EVIL)])],
        colours=[(EVIL, (0, 0, 0))],
        history=[{'epoch': '1', 'train_loss': EVIL}, {'epoch': '2', 'train_loss': '1'}],
    )
    outline = Outline(text)
    assert {name for name, _ in outline.tags} <= {name for name, _ in plain} and outline.mismatched == []
    assert len(outline.attributes('img')) == 1 and 'onerror' not in outline.attributes('img')[0]
    (title,) = [found for name, found in outline.texts if name == 'title' and 'alert(1)' in found][:1]
    assert title == EVIL.replace('\ud800', '\\ud800').replace('\x00', '\\x00')


def write_and_read(path, rng, **changes):
    write(path, rng, **changes)
    return path.read_text(encoding='utf-8')


def test_escaping_leaves_nothing_that_ends_a_tag_or_an_attribute():
    for letter in '<>&"\'':
        assert escape(letter) not in letter and Outline(escape(letter)).texts == [('', letter)]
    assert tag('p', tag('b', '<'), '<', title='"') == '<p title="&quot;"><b>&lt;</b>&lt;</p>'


def test_a_curve_goes_through_its_points_and_has_gaps_where_it_has_no_values():
    curve = Curve('c', [0.0, 50.0, float('nan'), 100.0, None])
    drawn = html_parts.plot([0, 1, 2, 3, 4], [curve], [(0, '0'), (4, '4')], [(0, '0'), (100, '100')], 'x', 'y', 'd')
    assert 'd="M0.000 100.000 L25.000 50.000 M75.000 0.000"' in drawn


@pytest.mark.parametrize(
    'values, ticks',
    [
        ([6.93, 4.16], [4, 5, 6, 7]),
        ([0.0123, 0.0012], [0, 0.005, 0.01, 0.015]),
        ([3.0, 3.0], [3, 4]),
        ([0.0], [0, 0.5]),
        ([-1.0, 1.0], [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(values, ticks):
    found = html_report._round_ticks(values)
    assert np.allclose([value for value, _ in found], ticks) and found[-1][1] == f'{ticks[-1]:g}'
    assert found[0][0] <= min(values) and max(values) <= found[-1][0]


def test_data_without_scores_and_a_run_without_history_make_a_page(tmp_path, rng):
    evaluator = PckhEvaluator(SKELETON)
    evaluator.add([0], np.zeros((1, 16, 2)), np.zeros((1, 16, 2)), np.zeros((1, 16), bool))
    path = tmp_path / 'report.html'
    result = evaluator.result()
    write_html_report(str(path), 'Nothing', build_metrics(result, {}, {}), result.curves)
    outline = Outline(path.read_text(encoding='utf-8'))
    assert outline.mismatched == [] and ('p', 'Nothing that was labelled could be scored.') in outline.texts
    assert [section['id'] for section in outline.attributes('section')] == ['scores', 'how-it-was-measured']


def test_a_report_that_cannot_be_written_is_a_user_error(tmp_path, rng):
    with pytest.raises(UserError, match='cannot be written'):
        write(tmp_path / 'absent' / 'report.html', rng)


def test_a_browser_builds_the_page_as_it_was_written_and_complains_of_nothing(tmp_path, rng):
    path = tmp_path / 'report.html'
    metrics = write(path, rng)
    dom, complaints = run_browser(tmp_path / 'profile', path, '--dump-dom')
    shown, written = Outline(dom), Outline(path.read_text(encoding='utf-8'))
    # A browser moves or drops what is wrong: nothing was, except that it may name the tags a page may leave out.
    assert [name for name, _ in shown.tags] == [name for name, _ in written.tags]
    assert f'{metrics["pckh@0.5"]["mean"]:.2f}' in [text for name, text in shown.texts if name == 'b']
    assert 'Refused' not in complaints and 'Content Security Policy' not in complaints and 'Error' not in complaints


@pytest.mark.parametrize('width, dark', [(1280, True), (500, False)])
def test_a_browser_shows_the_page_wide_and_narrow_light_and_dark(tmp_path, rng, width, dark):
    path, shot = tmp_path / 'report.html', tmp_path / 'shot.png'
    write(path, rng)
    flags = [f'--screenshot={shot}', '--window-size=%d,1600' % width] + (
        ['--blink-settings=preferredColorScheme=0'] if dark else []
    )
    run_browser(tmp_path / 'profile', path, *flags)
    pixels = np.array(Image.open(str(shot)).convert('L'))
    assert pixels.shape == (1600, width)
    # The page's own grey around the cards, as the style sheet has it, and a card that differs from it.
    assert abs(int(pixels[5, 2]) - (23 if dark else 245)) <= 3
    assert pixels.std() > 10
    # Nothing is wider than the window: the last column of pixels is the page's grey from top to bottom.
    assert (pixels[:, -2] == pixels[5, 2]).all()
