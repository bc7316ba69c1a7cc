"""Exported models without TensorFlow: known joints by OpenCV and by onnxruntime, at any batch size."""

import importlib.util
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from conftest import CODE

from exported_models import CELLS, JOINTS, SIZE, describe, write_exported
from hourglass_pose.checkpoints.exported import open_exported
from hourglass_pose.errors import CheckpointError, UserError
from hourglass_pose.evaluation.passes import run_in_passes
from hourglass_pose.prediction import onnx_engine
from hourglass_pose.prediction.onnx_engine import OnnxEngine
from hourglass_pose.prediction.predictor import Predictor
from mutations import mutate_value

HAS_ONNXRUNTIME = importlib.util.find_spec('onnxruntime') is not None
LIBRARIES = ['opencv', pytest.param('onnxruntime', marks=pytest.mark.skipif(not HAS_ONNXRUNTIME, reason='missing'))]


def photo(points, width=SIZE, height=SIZE, side=4):
    """Return a black photo with a square of each colour; points: (x, y) of the first pixel of red, green and blue."""
    image = np.zeros((height, width, 3), np.uint8)
    for channel, (x, y) in enumerate(points):
        image[y : y + side, x : x + side, channel] = 255
    return image


@pytest.fixture
def use(monkeypatch):
    """Return a function that makes one library the only one."""

    def choose(library):
        right = onnx_engine.OnnxRuntimeNetwork.__init__

        def without(self, *arguments):
            if library == 'opencv':
                raise ImportError('no onnxruntime here')
            right(self, *arguments)

        monkeypatch.setattr(onnx_engine.OnnxRuntimeNetwork, '__init__', without)

    return choose


@pytest.mark.parametrize('batch', [1, 3, 4, None])
@pytest.mark.parametrize('library', LIBRARIES)
def test_maps_of_any_number_of_crops_are_the_means_of_their_blocks(tmp_path, library, batch, rng):
    engine = OnnxEngine(open_exported(write_exported(str(tmp_path / 'm.onnx'), batch)), library)
    crops = rng.randint(0, 256, (7, SIZE, SIZE, 3)).astype(np.uint8)
    expected = crops.reshape((7, CELLS, 4, CELLS, 4, 3)).mean(axis=(2, 4))
    for count in (0, 1, batch or 2, 7):
        (found,) = run_in_passes(engine.run, crops[:count], engine.pass_sizes(2))
        assert found.shape == (count, CELLS, CELLS, 3) and found.dtype == np.float32
        # Sixteen numbers of up to 255 are added.
        assert not count or np.abs(found - expected[:count]).max() <= 16 * 255 * 2.0**-24
    assert library in engine.description and engine.versions()[library]
    assert 'tensorflow' not in engine.versions()


@pytest.mark.parametrize('flip_test', [False, True])
@pytest.mark.parametrize('library', LIBRARIES)
def test_joints_are_at_the_centres_of_the_cells_of_their_colour(tmp_path, use, library, flip_test):
    use(library)
    points = ((4, 8), (20, 24), (28, 0))
    with Predictor(write_exported(str(tmp_path / 'm.onnx'), 3), flip_test=flip_test) as predictor:
        assert library in predictor.engine.description
        # In the mirror image red is looked for as blue's partner, so the wrists are averaged with one another.
        pose = predictor.predict(photo(points))
        assert pose.names == JOINTS
        found = pose.joints_img if not flip_test else pose.joints_img[2:]
        np.testing.assert_allclose(found, np.array(points if not flip_test else points[2:]) + 1.5, atol=1e-9)
        assert predictor.heatmaps(photo(points)[None]).shape == (1, 1, CELLS, CELLS, 3)
        far, near = predictor.predict_boxes(photo(points, 100, 100), [(0, 0, SIZE, SIZE), (0, 0, 64, 64)])
        np.testing.assert_allclose(far.joints_img[2], np.array(points[2]) + 1.5, atol=1e-9)
        assert near.box_img.tolist() == [0, 0, 63, 63]


def test_poses_do_not_depend_on_how_many_are_predicted_at_once(tmp_path, rng):
    with Predictor(write_exported(str(tmp_path / 'm.onnx'), 4)) as predictor:
        image = rng.randint(0, 256, (60, 80, 3)).astype(np.uint8)
        boxes = [(x, 5, 30, 40) for x in range(0, 45, 5)]
        together = predictor.predict_boxes(image, boxes)
        for box, pose in zip(boxes, together):
            np.testing.assert_allclose(predictor.predict(image, box).joints_img, pose.joints_img, atol=1e-9)


def test_a_model_that_gives_joints_is_refused_without_onnxruntime(tmp_path, use):
    use('opencv')
    with pytest.raises(UserError, match='only onnxruntime') as caught:
        Predictor(write_exported(str(tmp_path / 'm.onnx'), outputs=('joints', 'scores')))
    assert '\n' not in str(caught.value)


def test_an_opencv_that_is_too_old_is_refused(tmp_path, use, monkeypatch):
    use('opencv')
    monkeypatch.setattr(cv2, '__version__', '4.5.5.64')
    with pytest.raises(UserError, match='opencv-python-headless>=4.8'):
        Predictor(write_exported(str(tmp_path / 'm.onnx')))


@pytest.mark.parametrize('library', LIBRARIES)
def test_a_damaged_model_is_refused_in_one_line(tmp_path, use, library, capfd):
    use(library)
    path = write_exported(str(tmp_path / 'm.onnx'), beside=True)
    with open(path, 'r+b') as stream:
        stream.truncate(60)
    with pytest.raises(CheckpointError, match='cannot read the model') as caught:
        Predictor(path)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('library', LIBRARIES)
def test_a_description_with_other_values_predicts_or_is_refused_in_one_line(tmp_path, use, library, rng, capfd):
    use(library)
    path, refused = write_exported(str(tmp_path / 'm.onnx')), 0
    description = describe(1)
    for _ in range(50):
        with open(f'{path}.json', 'w') as stream:
            json.dump(mutate_value(description, rng), stream)
        try:
            with Predictor(path) as predictor:
                assert len(predictor.predict(photo([(0, 0), (8, 8), (16, 16)])).joints_img) == len(predictor.skeleton)
        except UserError as error:
            assert '\n' not in str(error)
            refused += 1
    assert 25 < refused < 50


@pytest.mark.parametrize('options', [{'device': 'gpu'}, {'device': 'npu'}, {'precision': 'mixed'}])
def test_devices_that_an_onnx_model_does_not_run_on_are_refused(tmp_path, options):
    with pytest.raises(UserError, match='runs on the CPU'):
        Predictor(write_exported(str(tmp_path / 'm.onnx')), **options)


def test_floats_are_refused_where_the_model_takes_bytes(tmp_path):
    with Predictor(write_exported(str(tmp_path / 'm.onnx'))) as predictor:
        with pytest.raises(ValueError, match='uint8'):
            predictor.heatmaps(np.zeros((1, SIZE, SIZE, 3), np.float32))


WITHOUT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {refused!r}:
            raise ImportError('refused: ' + name)
sys.meta_path.insert(0, Refuse())
"""
HEAVY = ('tensorflow', 'matplotlib', 'scipy', 'h5py', 'onnx', 'tf2onnx', 'jinja2')


@pytest.mark.parametrize('more', [(), ('onnxruntime',)])
def test_one_photo_from_the_shell_imports_nothing_heavy(tmp_path, more):
    path = write_exported(str(tmp_path / 'm.onnx'))
    cv2.imwrite(str(tmp_path / 'me.png'), photo(((4, 8), (20, 24), (28, 0)))[:, :, ::-1])
    output = str(tmp_path / 'out')
    program = WITHOUT.format(refused=HEAVY + more) + (
        'from hourglass_pose.cli import main\n'
        f'code = main(["predict", "--checkpoint", {path!r}, {str(tmp_path / "me.png")!r}, "--box", "0,0,32,32", '
        f'"--output", {output!r}])\n'
        f'loaded = sorted(set({HEAVY!r}) & set(sys.modules))\n'
        'print(code, loaded)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', program], env=dict(os.environ, PYTHONPATH=CODE), capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == '0 []', done.stderr
    with open(os.path.join(output, 'me.pose.json')) as stream:
        record = json.load(stream)
    assert record['persons'][0]['joints']['head'][:2] == [29.5, 1.5]
    library = 'opencv' if more or not HAS_ONNXRUNTIME else 'onnxruntime'
    assert library in record['versions'] and record['step'] == 7
