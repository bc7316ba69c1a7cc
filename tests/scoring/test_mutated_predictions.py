"""Malformed prediction files: whatever is changed in one, score gives a number or one line with exit code 2."""

import json
import math

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from annotated import crowd
from coco_files import random_annotations, random_results
from hourglass_pose.annotations.person_lines import write_person_lines
from hourglass_pose.cli import main
from hourglass_pose.report.json_files import Prediction, write_predictions
from hourglass_pose.scoring.submission import write_submission
from hourglass_pose.skeleton import MPII_JOINTS, Skeleton

MUTATIONS = 50
ODD_VALUES = (None, True, 'x', '', [], {}, -1, 0, 1e308, 10**400, math.nan, math.inf, [[None]], '\ud800')
PERSONS = crowd(6, np.random.RandomState(1), person_index=0)
JOINTS = np.array([person.joints_img for person in PERSONS], np.float64)


def write_files(folder):
    """Write annotations and a file of each kind, and return {kind: (predictions, annotations)}."""
    names = {kind: str(folder / name) for kind, name in NAMES.items()}
    annotations, official = str(folder / 'truth.jsonl'), str(folder / 'coco.json')
    write_person_lines(annotations, PERSONS, MPII_JOINTS)
    predictions = [
        Prediction(person.image, person.person_id, joints, np.ones(16), person.box_img, 'truth.jsonl')
        for person, joints in zip(PERSONS, JOINTS)
    ]
    write_predictions(names['json'], predictions, Skeleton(), {})
    savemat(names['mat'], {'preds': JOINTS, 'other': np.arange(3.0)})
    savemat(names['compressed'], {'preds': JOINTS}, do_compression=True)
    with h5py.File(names['h5'], 'w') as stream:
        stream['preds'] = JOINTS
    images = [(person.image, {0: joints}, 1) for person, joints in zip(PERSONS, JOINTS)]
    write_submission(names['submission'], images, range(16))
    structures = loadmat(names['submission'])
    savemat(names['structures'], {'pred': structures['pred']})
    random = np.random.RandomState(2)
    content = random_annotations(random)
    (folder / 'coco.json').write_text(json.dumps(content))
    (folder / NAMES['coco']).write_text(json.dumps(random_results(random, content)))
    return {kind: (path, official if kind == 'coco' else annotations) for kind, path in names.items()}


NAMES = {
    'json': 'p.json',
    'mat': 'p.mat',
    'compressed': 'c.mat',
    'h5': 'p.h5',
    'submission': 's.mat',
    'structures': 'u.mat',
    'coco': 'results.json',
}


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp('files'))


def mutated_bytes(random, content):
    """Return the content with bytes changed, cut off, removed or doubled."""
    content = bytearray(content)
    way = random.randint(4)
    start = random.randint(len(content))
    length = random.randint(1, 1 + min(64, len(content) - start))
    if way == 0:
        for index in random.randint(0, len(content), random.randint(1, 20)):
            content[index] = random.randint(256)
    elif way == 1:
        del content[start:]
    elif way == 2:
        del content[start : start + length]
    else:
        content[start:start] = content[start : start + length]
    return bytes(content)


def mutated_json(random, content):
    """Return a copy of JSON with a value somewhere in it replaced, removed or put elsewhere."""
    content = json.loads(json.dumps(content))
    owner, key = None, None
    node = content
    while isinstance(node, (dict, list)) and node and (owner is None or random.uniform() < 0.8):
        owner = node
        key = random.choice(sorted(node)) if isinstance(node, dict) else random.randint(len(node))
        node = node[key]
    if random.uniform() < 0.25:
        del owner[key]
    else:
        owner[key] = ODD_VALUES[random.randint(len(ODD_VALUES))]
    return content


def mutations(kind, content):
    """Yield mutated contents of a file; JSON is changed in its values every other time."""
    random = np.random.RandomState(sum(map(ord, kind)))
    for number in range(MUTATIONS):
        if kind in ('json', 'coco') and number % 2:
            yield json.dumps(mutated_json(random, json.loads(content.decode('utf-8')))).encode('utf-8')
        else:
            yield mutated_bytes(random, content)


@pytest.mark.parametrize('kind', sorted(NAMES))
@pytest.mark.filterwarnings('error::RuntimeWarning')
def test_a_mutated_file_gives_a_number_or_one_line(files, tmp_path, capsys, kind):
    if kind == 'coco':
        pytest.importorskip('pycocotools', reason='pycocotools is not installed; pip install pycocotools')
    path, annotations = files[kind]
    with open(path, 'rb') as stream:
        content = stream.read()
    refused = 0
    for number, mutated in enumerate(mutations(kind, content)):
        (tmp_path / 'mutated').write_bytes(mutated)
        capsys.readouterr()
        code = main(['score', '--predictions', str(tmp_path / 'mutated'), '--annotations', annotations])
        lines = capsys.readouterr().err.splitlines()
        assert (code, len(lines)) in ((0, 0), (2, 1)), (number, code, lines)
        assert all(len(line) < 500 for line in lines), (number, lines)
        refused += code == 2
    assert refused > MUTATIONS // 10


def test_unmutated_files_are_scored(files, capsys):
    for kind, (path, annotations) in files.items():
        if kind != 'coco':
            assert main(['score', '--predictions', path, '--annotations', annotations]) == 0, capsys.readouterr().err
