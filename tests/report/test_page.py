"""The HTML page: all of it is in one file, nothing in it runs, no text becomes a tag, and a browser shows it."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from browser import run_browser
from hourglass_pose.errors import UserError
from hourglass_pose.evaluation.breakdown import PersonAttributes, break_down
from hourglass_pose.evaluation.pckh import PckhEvaluator
from hourglass_pose.report.json_files import build_metrics
from hourglass_pose.report.page import PageContent, PersonImage, render_page, write_page
from hourglass_pose.report.plots import history_figures, pckh_figure
from hourglass_pose.skeleton import Skeleton

SKELETON = Skeleton()
EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">\'"&amp;\ud800\x00{{ 7 * 7 }}'
VOID = {'meta', 'img', 'br'}
PROTOCOL = {'data': 'some/dataset.txt', 'flip_test': True, 'command': 'evaluate', 'versions': {'numpy': '1.18'}}
HISTORY = [
    {
        'epoch': str(epoch),
        'step': str(epoch * 5),
        'train_loss': str(1.0 / epoch),
        'valid_pckh@0.5': '' if epoch % 2 else str(10 * epoch),
    }
    for epoch in range(1, 7)
]


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
    return results[0], {'mean_pose': results[1]}


def full_content(rng, protocol=PROTOCOL, **changes):
    """Return the content of a page with everything in it."""
    result, baselines = scored(rng)
    visible = rng.uniform(size=(12, 16)) < 0.5
    breakdown = break_down(result, SKELETON, PersonAttributes(visible, np.ones(12, bool)))
    image = rng.randint(0, 256, (213, 320, 3)).astype(np.uint8)
    fields = dict(
        title='The report',
        subject='this network',
        metrics=build_metrics(result, baselines, protocol, breakdown),
        curve=pckh_figure(result, baselines),
        history=history_figures(HISTORY, ['pckh@0.5', 'pck@0.2']),
        worst=[PersonImage(image, 'im1.jpgA', '0 %')],
        config_text='[Train]\nbatch_size: 8\n',
    )
    fields.update(changes)
    return PageContent(**fields)


@pytest.fixture(scope='module')
def page():
    """Return (text of a page, its Outline, the metrics it shows)."""
    content = full_content(np.random.RandomState(1))
    text = render_page(content)
    return text, Outline(text), content.metrics


def test_every_tag_is_closed_in_order(page):
    assert page[1].mismatched == [] and page[1].open == []


def test_the_file_needs_nothing_else_and_runs_nothing(page):
    text, outline, _ = page
    names = {name for name, _ in outline.tags}
    assert not names & {'script', 'link', 'iframe', 'object', 'embed', 'base', 'form'}
    # Parts of the page itself begin with a hash.
    assert not re.search(r'url\((?!#)|@import|https?:', text)
    for _, attributes in outline.tags:
        assert not [key for key in attributes if key.startswith('on')]
        assert attributes.get('href', '#').startswith('#') and attributes.get('xlink:href', '#').startswith('#')
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


def test_the_number_of_persons_is_once_under_the_title(page):
    (line,) = [text for name, text in page[1].texts if name == 'p' and 'persons' in text and 'dataset.txt' in text]
    assert line.split(' · ')[0].strip() == '12 persons'


def test_every_link_leads_to_a_section(page):
    _, outline, _ = page
    links = [attributes['href'][1:] for attributes in outline.attributes('a')]
    sections = [attributes['id'] for attributes in outline.attributes('section')]
    # Sections without content, here the best persons, are left out.
    assert links == sections and 'worst-persons' in links and 'best-persons' not in links


def test_images_are_in_the_page(page):
    (image,) = page[1].attributes('img')
    shown = Image.open(io.BytesIO(base64.b64decode(image['src'].split(',', 1)[1])))
    assert shown.format == 'JPEG' and shown.size == (320, 213)
    assert (image['width'], image['height']) == ('320', '213')


def test_plots_take_their_colours_from_the_style_sheet(page):
    text, outline, _ = page
    plots = re.findall(r'<svg .*?</svg>', text, re.DOTALL)
    # The curve, the loss and the validation scores.
    assert len(plots) == len(outline.attributes('svg')) == 3
    defined = set(re.findall(r'--([\w-]+): #', text))
    for plot in plots:
        used = set(re.findall(r'var\(--([\w-]+)\)', plot))
        assert used and used <= defined
        assert not re.findall(r'(?:stroke|fill): #[0-9a-f]{6}', plot)
    assert all(attributes['aria-label'] for attributes in outline.attributes('svg'))


def test_the_same_results_give_the_same_page():
    pages = [render_page(full_content(np.random.RandomState(3))) for _ in range(2)]
    assert pages[0] == pages[1]


def test_no_text_can_become_a_tag_or_a_template(page, rng):
    image = np.zeros((10, 10, 3), np.uint8)
    content = full_content(
        rng,
        {'data': EVIL, 'command': EVIL, 'versions': {EVIL: EVIL}, 'list': [EVIL]},
        title=EVIL,
        subject=EVIL,
        config_text=EVIL,
        worst=[PersonImage(image, EVIL, EVIL)],
    )
    outline = Outline(render_page(content))
    assert {name for name, _ in outline.tags} <= {name for name, _ in page[1].tags} and outline.mismatched == []
    assert len(outline.attributes('img')) == 1 and 'onerror' not in outline.attributes('img')[0]
    (title,) = [found for name, found in outline.texts if name == 'title' and 'alert(1)' in found][:1]
    assert title == EVIL.replace('\ud800', '\\ud800').replace('\x00', '\\x00')


def test_data_without_scores_and_a_run_without_history_make_a_page():
    evaluator = PckhEvaluator(SKELETON)
    evaluator.add([0], np.zeros((1, 16, 2)), np.zeros((1, 16, 2)), np.zeros((1, 16), bool))
    metrics = build_metrics(evaluator.result(), {}, {})
    outline = Outline(render_page(PageContent('Nothing', 'this network', metrics)))
    assert outline.mismatched == [] and ('p', 'Nothing that was labelled could be scored.') in outline.texts
    assert [section['id'] for section in outline.attributes('section')] == ['scores', 'how-it-was-measured']


def test_a_page_that_cannot_be_written_is_a_user_error(tmp_path, rng):
    with pytest.raises(UserError, match='cannot be written'):
        write_page(str(tmp_path / 'absent' / 'report.html'), full_content(rng))


def test_a_browser_builds_the_page_without_errors(tmp_path, rng):
    path = tmp_path / 'report.html'
    content = full_content(rng)
    write_page(str(path), content)
    dom, complaints = run_browser(tmp_path / 'profile', path, '--dump-dom')
    shown, written = Outline(dom), Outline(path.read_text(encoding='utf-8'))
    # A browser moves or drops what is wrong: nothing was, except that it may name the tags a page may leave out.
    assert [name for name, _ in shown.tags] == [name for name, _ in written.tags]
    assert f'{content.metrics["pckh@0.5"]["mean"]:.2f}' in [text for name, text in shown.texts if name == 'b']
    assert 'Refused' not in complaints and 'Content Security Policy' not in complaints and 'Error' not in complaints


@pytest.mark.parametrize('width, dark', [(1280, True), (500, False)])
def test_a_browser_shows_the_page_wide_and_narrow_light_and_dark(tmp_path, rng, width, dark):
    path, shot = tmp_path / 'report.html', tmp_path / 'shot.png'
    write_page(str(path), full_content(rng))
    flags = [f'--screenshot={shot}', f'--window-size={width},1600'] + (
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
