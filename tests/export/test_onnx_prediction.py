"""A checkpoint and its ONNX export predict the same joints, by every library, and the file alone is enough."""

import json
import os

import numpy as np
import pytest

from hourglass_pose.checkpoints.exported import open_exported
from hourglass_pose.cli import main
from hourglass_pose.errors import UserError
from hourglass_pose.evaluation.passes import run_in_passes
from hourglass_pose.prediction.onnx_engine import OnnxEngine
from hourglass_pose.prediction.predictor import Predictor

for package in ('tf2onnx', 'onnx', 'onnxruntime'):
    pytest.importorskip(package, reason='the extra `onnx` is not installed')

SIZE = 32


@pytest.fixture(scope='module')
def exported(command_line_run, tmp_path_factory):
    """Return a function of the options of export that gives the path of the ONNX file, for two crops at a time."""

    def export(*options):
        folder = str(tmp_path_factory.mktemp('onnx'))
        arguments = ['--output', folder, '--format', 'onnx', '--batch', '2', '--persons', '3', '--device', 'gpu']
        assert main(['export', '--checkpoint', command_line_run.folder] + arguments + list(options)) == 0
        return os.path.join(folder, 'hourglass.onnx')

    return export


@pytest.fixture(scope='module')
def heatmap_model(exported):
    return exported()


@pytest.fixture(scope='module')
def checkpoint(command_line_run):
    with Predictor(command_line_run.folder, device='cpu') as opened:
        yield opened


@pytest.mark.parametrize('library', ['onnxruntime', 'opencv'])
def test_maps_are_those_of_the_checkpoint_within_the_bound_of_the_gate(heatmap_model, checkpoint, library, rng):
    crops = rng.randint(0, 256, (5, SIZE, SIZE, 3)).astype(np.uint8)
    engine = OnnxEngine(open_exported(heatmap_model), library)
    (found,) = run_in_passes(engine.run, crops, engine.pass_sizes(1))
    with open(f'{heatmap_model}.json') as stream:
        gate = json.load(stream)['gate']
    expected = checkpoint.last_logits(crops)
    bound = gate['bound'] / gate['largest_value'] * np.abs(expected).max()
    assert gate['passed'] and np.abs(found - expected).max() <= bound


def test_joints_are_those_of_the_checkpoint_and_the_file_alone_is_enough(heatmap_model, checkpoint, rng, tmp_path):
    image = rng.randint(0, 256, (90, 120, 3)).astype(np.uint8)
    boxes = [None, (10, 20, 40, 50), (60, -5, 50, 60)]
    alone = str(tmp_path / 'renamed.onnx')
    with open(heatmap_model, 'rb') as source, open(alone, 'wb') as target:
        target.write(source.read())
    for path in (heatmap_model, alone):
        with Predictor(path) as predictor:
            assert predictor.flip_test and predictor.codec.decoding == checkpoint.codec.decoding == 'dark'
            assert predictor.inference == checkpoint.inference and predictor.stored.step == checkpoint.stored.step
            for found, expected in zip(predictor.predict_boxes(image, boxes), checkpoint.predict_boxes(image, boxes)):
                distances = np.linalg.norm(found.joints_img - expected.joints_img, axis=1)
                # Where two cells are almost equal, rounding decides which is the peak.
                assert np.mean(distances < 0.02) >= 0.9
                assert np.abs(found.scores - expected.scores).max() < 1e-4


@pytest.mark.parametrize('options', [(), pytest.param(('--normalise', 'aipp'), marks=pytest.mark.slow)])
def test_a_model_that_gives_joints_predicts_what_the_checkpoint_does_without_flip_test(
    exported, command_line_run, options, rng
):
    image = rng.randint(0, 256, (90, 120, 3)).astype(np.uint8)
    path = exported('--decode', *options)
    with Predictor(path) as predictor, Predictor(command_line_run.folder, flip_test=False, device='cpu') as checkpoint:
        assert predictor.flip_test is False
        found, expected = predictor.predict(image), checkpoint.predict(image)
        assert np.mean(np.linalg.norm(found.joints_img - expected.joints_img, axis=1) < 0.05) >= 0.9
        assert np.abs(found.scores - expected.scores).max() < 1e-3
        for method in (predictor.heatmaps, predictor.last_logits):
            with pytest.raises(UserError, match='no heatmaps'):
                method(np.zeros((1, SIZE, SIZE, 3), np.uint8))
    for refused in ({'flip_test': True}, {'decoding': 'argmax'}):
        with pytest.raises(UserError, match='no flip test'):
            Predictor(path, **refused)


def test_an_exported_model_is_not_exported_again(heatmap_model, tmp_path, capsys):
    assert main(['export', '--checkpoint', heatmap_model, '--output', str(tmp_path), '--format', 'frozen']) == 2
    assert 'the checkpoint that it was exported from' in capsys.readouterr().err
