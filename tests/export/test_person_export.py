"""The person output of a checkpoint and of its exports is the same, by every library, and the gate compares it."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from hourglass_pose.checkpoints.exported import open_exported
from hourglass_pose.checkpoints.opening import open_network
from hourglass_pose.cli import main
from hourglass_pose.evaluation.passes import run_in_passes
from hourglass_pose.export.gate import compare
from hourglass_pose.export.gate_crops import crops_of_rendered_people
from hourglass_pose.export.offline_graph import build_offline_graph
from hourglass_pose.prediction.onnx_engine import OnnxEngine
from hourglass_pose.prediction.predictor import Predictor
from offline_networks import run_graph

SIZE = 64


@pytest.fixture(scope='module')
def predictor(person_run):
    with Predictor(person_run, device='cpu', folds_batch_norms=False) as opened:
        yield opened


@pytest.fixture(scope='module')
def crops():
    return np.random.RandomState(5).randint(0, 256, (5, SIZE, SIZE, 3)).astype(np.uint8)


@pytest.fixture(scope='module')
def expected(predictor, crops):
    """Return [logits, person logits] by the checkpoint."""
    outputs = run_in_passes(predictor.engine.run, crops, predictor.engine.pass_sizes(1))
    assert predictor.engine.gives_person and predictor.inference.gives_person
    assert len(outputs) == 2 and outputs[1].shape == (5,) and outputs[1].dtype == np.float32
    assert np.ptp(outputs[1]) > 0
    return outputs


def offline_of(predictor, decode=False, batch=5):
    return build_offline_graph(
        predictor.stored, predictor.engine.hyperparameters, predictor.codec, batch, decode, 'in_graph'
    )


def assert_same_person(found, expected, offline):
    bound = offline.relative_bound * max(1.0, np.abs(expected).max())
    assert found.shape == expected.shape and np.abs(found - expected).max() <= bound


@pytest.mark.parametrize('decode', [False, True])
def test_a_frozen_graph_has_it_as_its_last_output(predictor, crops, expected, decode):
    offline = offline_of(predictor, decode)
    assert offline.outputs == (('joints', 'scores', 'person') if decode else ('heatmaps', 'person'))
    assert offline.output_shapes[-1] == (5,) and offline.is_decoded == decode
    assert_same_person(run_graph(offline, crops)[-1], expected[1], offline)


def test_folded_batch_norms_do_not_change_it(person_run, predictor, crops, expected):
    with Predictor(person_run, device='cpu') as folded:
        logits, person = run_in_passes(folded.engine.run, crops, folded.engine.pass_sizes(1))
        np.testing.assert_allclose(folded.last_logits(crops), logits, rtol=1e-4, atol=1e-5)
    assert_same_person(person, expected[1], offline_of(predictor))


@pytest.mark.parametrize('decode', [False, True])
@pytest.mark.parametrize('error', [0.0, 0.9, 1.1, np.nan])
def test_the_gate_allows_rounding_and_nothing_more(predictor, decode, error):
    shown = crops_of_rendered_people(predictor, 2)
    logits, person = run_in_passes(predictor.engine.run, shown.images, predictor.engine.pass_sizes(1))
    offline = offline_of(predictor, decode, batch=2)
    poses = predictor.codec.decode(predictor.codec.maps_of_logits(logits))
    outputs = [array.astype(np.float32) for array in poses] if decode else [logits]
    bound = offline.relative_bound * max(1.0, np.abs(person).max())
    model = SimpleNamespace(run=lambda images: [*outputs, (person + error * bound).astype(np.float32)])
    result = compare(predictor, offline, model, shown)
    assert result.passed == (error < 1) and result.record['person']['bound'] == pytest.approx(bound)
    assert 'person logits' in '\n'.join(result.lines)


@pytest.fixture(scope='module')
def exported(person_run, tmp_path_factory):
    """Return a function of the options of export that gives the path of the ONNX file."""
    for package in ('tf2onnx', 'onnx', 'onnxruntime'):
        pytest.importorskip(package, reason='the extra `onnx` is not installed')

    def export(*options):
        folder = str(tmp_path_factory.mktemp('onnx'))
        arguments = ['--output', folder, '--format', 'onnx', '--persons', '2', '--device', 'cpu']
        assert main(['export', '--checkpoint', person_run] + arguments + list(options)) == 0
        return os.path.join(folder, 'hourglass.onnx')

    return export


@pytest.fixture(scope='module', params=['2', '0'])
def heatmap_model(exported, request):
    return exported('--batch', request.param)


@pytest.mark.parametrize('library', ['onnxruntime', 'opencv'])
def test_an_onnx_model_gives_it_by_every_library(heatmap_model, predictor, crops, expected, library):
    with open(f'{heatmap_model}.json') as stream:
        record = json.load(stream)
    assert record['outputs'][1]['name'] == 'person' and record['outputs'][1]['shape'] in ([2], [None])
    assert record['inference']['gives_person'] and record['gate']['person']['largest_difference'] >= 0
    engine = OnnxEngine(open_exported(heatmap_model), library)
    assert engine.gives_person and not engine.gives_joints
    logits, person = run_in_passes(engine.run, crops, engine.pass_sizes(1))
    assert person.dtype == np.float32
    assert_same_person(person, expected[1], offline_of(predictor))
    assert np.abs(logits - expected[0]).max() <= offline_of(predictor).relative_bound * np.abs(expected[0]).max()


def test_a_model_that_gives_joints_gives_it_too_and_predicts_as_before(exported, predictor, crops, expected):
    path = exported('--decode')
    engine = OnnxEngine(open_exported(path))
    assert engine.gives_person and engine.gives_joints
    joints, scores, person = run_in_passes(engine.run, crops, engine.pass_sizes(1))
    assert joints.shape == (5, 16, 2) and scores.shape == (5, 16)
    assert_same_person(person, expected[1], offline_of(predictor))
    with Predictor(path) as opened:
        pose = opened.predict(crops[0], (0, 0, SIZE, SIZE))
        assert pose.joints_img.shape == (16, 2) and pose.scores.shape == (16,)


def test_evaluation_gives_the_same_for_a_checkpoint_and_its_export(
    person_run, heatmap_model, synthetic_people, tmp_path, capsys
):
    images, found = os.path.join(os.path.dirname(synthetic_people), 'images'), []
    for number, checkpoint in enumerate((person_run, heatmap_model)):
        folder = str(tmp_path / str(number))
        arguments = ['--annotations', synthetic_people, '--images', images, '--output', folder, '--flip-test', 'off']
        assert main(['evaluate', '--checkpoint', checkpoint] + arguments) == 0
        assert 'person output: accuracy' in capsys.readouterr().out
        with open(os.path.join(folder, 'metrics.json')) as stream:
            found.append(json.load(stream)['person'])
    assert found[0]['positives'] == found[1]['positives'] > 0 and found[0]['negatives'] == found[1]['negatives'] > 0
    # A crop whose logit is near 0, or a pair of almost equal ones, may change sides.
    assert found[0]['auc'] == pytest.approx(found[1]['auc'], abs=2.0)


def test_a_checkpoint_without_it_gives_what_it_gave(command_line_run, crops):
    with Predictor(command_line_run.folder, device='cpu') as opened:
        assert not opened.inference.gives_person and not opened.engine.gives_person
        size = opened.inference.input_size
        assert len(run_in_passes(opened.engine.run, crops[:, :size, :size], opened.engine.pass_sizes(1))) == 1


def test_a_checkpoint_with_it_opens_as_a_network_without_it(person_run, predictor, crops, expected):
    stored = open_network(person_run)
    from dataclasses import replace

    plain = replace(stored.hyperparameters, person=False)
    with Predictor(person_run, device='cpu', hyperparameters=plain, folds_batch_norms=False) as opened:
        assert not opened.engine.gives_person
        np.testing.assert_allclose(opened.last_logits(crops), expected[0], rtol=1e-5, atol=1e-6)
