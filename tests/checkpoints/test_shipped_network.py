"""The network that ships with the package: in the wheel, the default, and one line if it is missing."""

import fnmatch
import json
import os
import shutil
import subprocess
import sys
import zipfile

import cv2
import numpy as np
import pytest
from conftest import CODE

from exported_models import SIZE, write_exported
from hourglass_pose.checkpoints import exported
from hourglass_pose.errors import CheckpointError
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.synthetic.scenes import render_image

ROOT = os.path.dirname(CODE)


@pytest.fixture
def ship(monkeypatch, tmp_path):
    """Return a function that makes a small network the one that ships, and returns its path."""

    def write():
        return write_exported(str(tmp_path / 'lsp.onnx'), beside=True, inside=False)

    monkeypatch.setattr(exported, 'SHIPPED', str(tmp_path / 'lsp.onnx'))
    return write


def test_a_predictor_without_a_checkpoint_has_the_network_that_ships_and_says_so(ship, capsys):
    path = ship()
    with Predictor() as predictor:
        assert predictor.stored.path == path
        assert predictor.predict(np.zeros((SIZE, SIZE, 3), np.uint8)).names == ('r_wrist', 'l_wrist', 'head')
    captured = capsys.readouterr()
    assert captured.err == f'{exported.SHIPPED_NOTE}\n' and not captured.out
    Predictor(path).close()
    assert not capsys.readouterr().err


def test_a_tree_without_the_network_says_so_in_one_line(ship):
    with pytest.raises(CheckpointError, match='ships with this package is missing') as caught:
        Predictor()
    assert '\n' not in str(caught.value) and '--checkpoint' in str(caught.value)


def test_the_packaging_takes_the_network_and_its_record():
    config = pytest.importorskip('setuptools.config.pyprojecttoml')
    data = config.read_configuration(os.path.join(ROOT, 'pyproject.toml'), expand=False)['tool']['setuptools']
    below = os.path.relpath(exported.SHIPPED, os.path.join(CODE, 'hourglass_pose'))
    for name in (below, f'{below}.json'):
        assert any(fnmatch.fnmatch(name, pattern) for pattern in data['package-data']['hourglass_pose'])


@pytest.mark.slow
def test_the_wheel_holds_the_network_and_its_record(tmp_path):
    pytest.importorskip('setuptools', minversion='61')
    pytest.importorskip('wheel')
    tree = tmp_path / 'tree'
    shutil.copytree(os.path.join(CODE, 'hourglass_pose'), str(tree / 'code' / 'hourglass_pose'))
    for name in ('pyproject.toml', 'README.md', 'LICENSE'):
        shutil.copy(os.path.join(ROOT, name), str(tree / name))
    folder = tree / 'code' / 'hourglass_pose' / os.path.basename(os.path.dirname(exported.SHIPPED))
    folder.mkdir(exist_ok=True)
    names = [os.path.basename(exported.SHIPPED) + end for end in ('', '.json')]
    for name in names:
        (folder / name).write_bytes(b'a network')
    command = [sys.executable, '-m', 'pip', 'wheel', str(tree), '--no-deps', '--no-build-isolation', '--no-index']
    done = subprocess.run(
        command + ['--wheel-dir', str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]
    (wheel,) = tmp_path.glob('*.whl')
    with zipfile.ZipFile(str(wheel)) as archive:
        for name in names:
            assert archive.read(f'hourglass_pose/{folder.name}/{name}') == b'a network'
        assert 'hourglass_pose/report/report.html' in archive.namelist()


def test_the_network_that_ships_is_that_of_the_checkpoint_beside_it():
    record = json.loads(open(f'{exported.SHIPPED}.json', encoding='utf-8').read())
    checkpoint = os.path.join(CODE, 'networks', 'lsp')
    side, gate = record['inference']['input_size'], record['gate']
    crops = np.stack([cv2.resize(render_image(0, index)[0], (side, side)) for index in range(4)])
    with Predictor(exported.SHIPPED) as onnx, Predictor(checkpoint, device='cpu') as trained:
        assert onnx.inference == trained.inference
        maps = [predictor.last_logits(crops) for predictor in (onnx, trained)]
    # The bound that the export had to keep, which includes the rounding of the weights to float16.
    assert np.abs(maps[0] - maps[1]).max() <= gate['bound'] / gate['largest_value'] * np.abs(maps[1]).max()


def test_the_network_that_ships_is_small_and_names_no_path_of_a_machine():
    assert os.path.getsize(exported.SHIPPED) <= 6e6
    folder = os.path.join(CODE, 'networks', 'lsp')
    files = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
    assert sum(map(os.path.getsize, files)) <= 15e6
    for path in [*files, exported.SHIPPED, f'{exported.SHIPPED}.json']:
        with open(path, 'rb') as stream:
            content = stream.read()
        assert not any(word in content for word in (b'/tmp', b'/home/', b'/work/')), path
