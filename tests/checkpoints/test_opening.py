"""Every kind of path is recognised without TensorFlow, and opened as its kind."""

import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from conftest import CODE

from hourglass_pose.checkpoints.opening import open_checkpoint
from hourglass_pose.checkpoints.paths import ONNX, ORIGINAL, OURS, PYTORCH, identify
from hourglass_pose.checkpoints.pytorch import network as pytorch_network
from hourglass_pose.checkpoints.variables import constants_of, reader_of
from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.skeleton import MPII_JOINTS
from hourglass_pose.tf_compat import tf
from pytorch_hourglasses import Bearpaw


def zip_with(path, name):
    with zipfile.ZipFile(str(path), 'w') as archive:
        archive.writestr(name, b'...')
    return str(path)


@pytest.mark.parametrize('path', ['', 'latest', 'best', 'step-00000004', 'latest/hourglass', 'latest/manifest.json'])
def test_paths_of_a_run_mean_its_checkpoints(command_line_run, path):
    if path.endswith('.json'):
        with pytest.raises(CheckpointError, match='a text file'):
            identify(os.path.join(command_line_run.folder, path))
        return
    found = identify(os.path.join(command_line_run.folder, path))
    assert found.kind == OURS
    assert os.path.basename(found.path) in ('step-00000002', 'step-00000004')
    assert path == 'best' or found.path.endswith('step-00000004')


def test_files_of_other_programs_are_recognised(tmp_path):
    for name in ('hg_7.index', 'hg_7.data-00000-of-00001', 'a.onnx'):
        (tmp_path / name).write_bytes(b'\x08')
    (tmp_path / 'old.pth.tar').write_bytes(b'\x80\x02...')
    for path, kind in (
        (tmp_path / 'hg_7', ORIGINAL),
        (tmp_path, ORIGINAL),
        (tmp_path / 'a.onnx', ONNX),
        (zip_with(tmp_path / 'new.pt', 'archive/data.pkl'), PYTORCH),
        (tmp_path / 'old.pth.tar', PYTORCH),
    ):
        assert identify(str(path)).kind == kind
    with pytest.raises(CheckpointError, match='a zip archive; unpack it first'):
        identify(zip_with(tmp_path / 'photos.zip', 'photo.jpg'))
    with pytest.raises(CheckpointError, match='ONNX model.*exported from'):
        open_checkpoint(str(tmp_path / 'a.onnx'))


def test_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=f'{tmp_path}/none: there is no such checkpoint'):
        identify(str(tmp_path / 'none'))


def test_weights_of_pytorch_open_as_a_network_with_its_settings(monkeypatch, tmp_path):
    module = Bearpaw(1, 1, 2, 4, 16, 1)
    expected = module.forward(np.zeros((1, 256, 256, 3)))
    monkeypatch.setattr(pytorch_network, 'read_state_dict', lambda path: dict(module.state))
    stored = open_checkpoint(zip_with(tmp_path / 'hg.pth', 'hg/data.pkl'))
    assert stored.prefix is None and stored.manifest is None
    assert stored.source['code_base'] == 'bearpaw' and stored.source['file'] == 'hg.pth'
    assert stored.inference.joints == MPII_JOINTS and stored.inference.crop_corners == 'bearpaw'
    assert len(reader_of(stored).get_variable_to_shape_map()) == len(stored.variables)
    with tf.Graph().as_default(), tf.Session() as session:
        model = HourglassModel(stored.hyperparameters)
        output = model.build(tf.zeros([1, 256, 256, 3]), False, getter=constants_of(stored))
        np.testing.assert_allclose(session.run(output), expected, atol=1e-4, rtol=0)


def test_a_checkpoint_of_ours_opens_without_tensorflow(command_line_run):
    program = (
        'import sys\n'
        'from hourglass_pose.checkpoints.opening import open_checkpoint\n'
        'print(open_checkpoint(sys.argv[1]).step, "tensorflow" in sys.modules)'
    )
    done = subprocess.run(
        [sys.executable, '-c', program, command_line_run.folder],
        env=dict(os.environ, PYTHONPATH=CODE),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ['4', 'False']


def test_manifest_without_what_a_network_needs_is_one_line(command_line_run, tmp_path):
    from hourglass_pose.checkpoints.manifest import read_manifest, rewrite_manifest

    folder = shutil.copytree(os.path.join(command_line_run.folder, 'latest'), str(tmp_path / 'copy'))
    manifest = read_manifest(folder)
    files = manifest.pop('files')
    for damaged in (
        {name: value for name, value in manifest.items() if name != 'inference'},
        dict(manifest, hyperparameters=dict(manifest['hyperparameters'], num_stacks=0)),
        dict(manifest, hyperparameters=dict(manifest['hyperparameters'], unknown=1)),
        dict(manifest, hyperparameters=None),
        dict(manifest, hyperparameters=[1]),
    ):
        rewrite_manifest(folder, damaged, files)
        with pytest.raises(CheckpointError, match='lacks what a network needs'):
            open_checkpoint(folder)
