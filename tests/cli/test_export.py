"""The command export: each format gives a model that runs and a JSON about it, and a failure leaves nothing."""

import json
import os
import stat
from types import SimpleNamespace

import numpy as np
import pytest
from golden.make_golden import network_session

from hourglass_pose.cli import main
from hourglass_pose.export import offline_models
from hourglass_pose.export.exporting import ExportSettings, compile_om
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.representations.table import make_codec
from hourglass_pose.tf_compat import tf

SIZE, CELLS, JOINTS = 32, 8, 16


@pytest.fixture(scope='module')
def crops():
    return np.random.RandomState(7).randint(0, 256, (2, SIZE, SIZE, 3)).astype(np.uint8)


@pytest.fixture(scope='module')
def expected(command_line_run, crops):
    """Return the last stack's heatmaps by the checkpoint."""
    with Predictor(command_line_run.folder, device='cpu') as predictor:
        assert predictor.stored.manifest['averaged_weights']
        return predictor.heatmaps(crops)[:, -1]


def export(run, folder, *options):
    return main(
        ['export', '--checkpoint', run.folder, '--output', str(folder), '--device', 'cpu', '--persons', '3']
        + list(options)
    )


def record_of(folder, name):
    with open(os.path.join(str(folder), f'{name}.json')) as stream:
        return json.load(stream)


def assert_same(found, expected):
    # What the gate allows is of this size for networks of this depth.
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.slow
def test_a_frozen_graph_runs_without_any_code_of_ours(command_line_run, tmpdir, capsys, crops, expected):
    assert export(command_line_run, tmpdir, '--format', 'frozen', '--batch', '2', '--benchmark') == 0
    assert sorted(os.listdir(str(tmpdir))) == ['hourglass.pb', 'hourglass.pb.json']
    record = record_of(tmpdir, 'hourglass.pb')
    graph_def = tf.GraphDef.FromString(tmpdir.join('hourglass.pb').read_binary())
    with tf.Graph().as_default(), network_session() as session:
        tf.import_graph_def(graph_def, name='')
        found = session.run(f'{record["outputs"][0]["name"]}:0', {f'{record["input"]["name"]}:0': crops})
    assert_same(found, expected)
    assert record['input']['shape'] == [2, SIZE, SIZE, 3] and record['input']['dtype'] == 'uint8'
    assert record['outputs'][0]['shape'] == [2, CELLS, CELLS, JOINTS] and 'softmax' in record['outputs'][0]['meaning']
    assert record['averaged_weights'] is True and record['step'] == 4 and len(record['inference']['joints']) == JOINTS
    assert record['inference']['input_size'] == SIZE and record['gate']['passed'] is True
    printed = capsys.readouterr().out
    assert '3 rendered people' in printed and 'PCKh@0.5' in printed and 'bound' in printed
    rates = record['gate']['images_per_second']
    assert f'ratio {rates["offline"] / rates["checkpoint"]:.2f}' in printed


@pytest.mark.slow
def test_a_saved_model_runs_by_its_signature_and_replaces_an_older_one(
    command_line_run, tmpdir, crops, expected, capsys
):
    options = [
        '--format',
        'saved_model',
        '--annotations',
        command_line_run.annotations,
        '--images',
        command_line_run.images,
    ]
    tmpdir.mkdir('saved_model').join('photo.jpg').write('not ours')
    assert export(command_line_run, tmpdir, *options) == 2
    assert 'not a SavedModel' in capsys.readouterr().err and tmpdir.join('saved_model', 'photo.jpg').check()
    tmpdir.join('saved_model', 'photo.jpg').move(tmpdir.join('saved_model', 'saved_model.pb'))
    assert export(command_line_run, tmpdir, *options) == 0
    assert sorted(os.listdir(str(tmpdir))) == ['saved_model', 'saved_model.json']
    assert '3 annotated persons' in capsys.readouterr().out
    with tf.Graph().as_default(), network_session() as session:
        meta = tf.saved_model.load(session, ['serve'], str(tmpdir.join('saved_model')))
        signature = meta.signature_def['serving_default']
        found = session.run(signature.outputs['heatmaps'].name, {signature.inputs['image'].name: crops[:1]})
    assert_same(found, expected[:1])


def test_onnx_gives_joints_of_what_aipp_makes(command_line_run, tmpdir, crops, expected):
    onnx = pytest.importorskip('onnx', reason='the extra `onnx` is not installed')
    runtime = pytest.importorskip('onnxruntime', reason='the extra `onnx` is not installed')
    pytest.importorskip('tf2onnx', reason='the extra `onnx` is not installed')
    assert export(command_line_run, tmpdir, '--format', 'onnx', '--decode', '--normalise', 'aipp', '--opset', '11') == 0
    assert sorted(os.listdir(str(tmpdir))) == ['aipp.cfg', 'hourglass.onnx', 'hourglass.onnx.json']
    path = str(tmpdir.join('hourglass.onnx'))
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert {entry.domain: entry.version for entry in model.opset_import}[''] == 11
    session = runtime.InferenceSession(path, providers=['CPUExecutionProvider'])
    codec = make_codec(CELLS, 4, 2.0, 'softmax', 'dark')
    for crop, maps in zip(crops, expected):
        # The mean of the run is a half.
        joints, scores = session.run(['joints', 'scores'], {'image': np.float32(crop[None] / 255.0 - 0.5)})
        assert joints.shape == (1, JOINTS, 2)
        # The score is a value of the map, which differs by as much as the logits do.
        assert np.abs(scores[0] - codec.decode(codec.maps_of_logits(maps))[1]).max() < 1e-3


def test_without_the_libraries_of_onnx_one_line_names_what_to_install(command_line_run, tmpdir, capsys, monkeypatch):
    monkeypatch.setattr(offline_models, 'importlib', SimpleNamespace(import_module=lambda _: __import__('no_such')))
    assert export(command_line_run, tmpdir, '--format', 'onnx') == 2
    assert 'pip install .[onnx]' in capsys.readouterr().err and os.listdir(str(tmpdir)) == []


def test_om_is_made_by_atc_where_there_is_one(command_line_run, tmpdir, capsys, monkeypatch):
    programs, output = tmpdir.mkdir('bin'), tmpdir.join('om')
    atc = programs.join('atc')
    atc.write('#!/bin/sh\necho "$@" > called\necho model > hourglass.om\n')
    atc.chmod(0o755)
    monkeypatch.setenv('PATH', str(programs) + os.pathsep + os.environ['PATH'])
    options = ['--format', 'om', '--decode', '--decoding', 'quarter', '--normalise', 'aipp', '--soc-version', 'Soc1']
    assert export(command_line_run, output, *options) == 0
    assert sorted(os.listdir(str(output))) == [
        'aipp.cfg',
        'atc.sh',
        'called',
        'hourglass.om',
        'hourglass.pb',
        'hourglass.pb.json',
    ]
    printed = capsys.readouterr().out
    assert 'hourglass.om, made by atc' in printed and 'not the .om itself' in printed
    words = output.join('called').read().split()
    assert words[:2] == ['--model=hourglass.pb', '--framework=3']
    assert '--soc_version=Soc1' in words and '--insert_op_conf=aipp.cfg' in words
    assert output.join('atc.sh').read().count('--soc_version=Soc1') == 1
    assert os.stat(str(output.join('atc.sh'))).st_mode & stat.S_IXUSR
    record = record_of(output, 'hourglass.pb')
    assert (
        record['format'] == 'om'
        and record['inference']['decoding'] == 'quarter'
        and record['input']['dtype'] == 'float32'
    )
    assert [entry['name'] for entry in record['outputs']] == ['joints', 'scores']


def test_om_is_left_to_a_script_where_there_is_no_atc(tmpdir, capsys, monkeypatch):
    monkeypatch.setenv('PATH', str(tmpdir))
    settings = ExportSettings('om', soc_version='Soc1', precision_mode='force_fp16')
    offline = SimpleNamespace(input_shape=(1, 8, 8, 3), input_type='uint8', outputs=('heatmaps',))
    compile_om(settings, offline, str(tmpdir))
    printed = capsys.readouterr().out
    assert 'atc is not on the PATH' in printed and str(tmpdir.join('atc.sh')) in printed


def test_a_model_that_differs_is_removed_and_the_exit_code_is_1(command_line_run, tmpdir, capsys, monkeypatch):
    right = offline_models.FrozenModel.run
    monkeypatch.setattr(
        offline_models.FrozenModel, 'run', lambda self, images: [1.01 * output for output in right(self, images)]
    )
    with pytest.raises(SystemExit) as caught:
        export(command_line_run, tmpdir, '--format', 'frozen')
    # Python prints the message and exits with 1.
    assert 'differs from its checkpoint' in str(caught.value.code) and os.listdir(str(tmpdir)) == []
    assert 'largest difference' in capsys.readouterr().out


@pytest.mark.parametrize(
    'options, message',
    [
        (['--batch', '-1'], "--batch: expected an integer >= 0, found '-1'"),
        (['--batch', '0', '--format', 'om'], '--batch 0: an .om takes a fixed number of crops'),
        (['--persons', '-1'], "--persons: expected an integer >= 1, found '-1'"),
        (['--images', 'folder'], 'expected both'),
    ],
)
def test_impossible_options_are_refused_in_one_line(tmpdir, capsys, options, message):
    try:
        code = main(['export', '--checkpoint', 'none', '--output', str(tmpdir), '--format', 'frozen'] + options)
    except SystemExit as end:
        code = end.code
    assert code == 2 and message in capsys.readouterr().err
