"""import-weights without PyTorch: its result is a run that computes the same as the imported network."""

import hashlib
import json
import os
import sys

import numpy as np
import pytest

from hourglass_pose import Predictor
from hourglass_pose.checkpoints.description import describe_training
from hourglass_pose.checkpoints.pytorch import network as pytorch_network
from hourglass_pose.cli import main
from hourglass_pose.config.config import load_config
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.graph.architectures import hyperparameters_from_dict
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.skeleton import MPII_JOINTS
from pytorch_hourglasses import Bearpaw, Princeton

CONTENT = b'stands for a file of PyTorch'
DATA = [
    '--set',
    'Train.batch_size=2',
    '--set',
    'Train.nEpochs=1',
    '--set',
    'Train.epoch_size=1',
    '--set',
    'Train.workers=0',
    '--set',
    'Validation.valid_iteration=1',
    '--set',
    'Device.device=cpu',
]


def crops():
    return np.random.RandomState(8).randint(0, 256, (1, 256, 256, 3)).astype(np.uint8)


def write_file(folder):
    (folder / 'weights.pth').write_bytes(CONTENT)
    return str(folder / 'weights.pth')


def import_weights(monkeypatch, module, option, folder):
    """Run the command on a module's state dict, as if PyTorch had read it; return (exit code, the module's maps)."""
    maps = module.forward(crops() / 255.0)
    monkeypatch.setattr(pytorch_network, 'read_state_dict', lambda path: dict(module.state))
    return main(['import-weights', write_file(folder), '--from', option, '--output', str(folder / 'run')]), maps


def manifest_of(run, checkpoint='latest'):
    with open(os.path.join(run, checkpoint, 'manifest.json')) as stream:
        return json.load(stream)


@pytest.mark.slow
@pytest.mark.parametrize(
    'option, module, mean, optimizer, rate',
    [
        ('bearpaw', Bearpaw(1, 2, first=2, planes=4, joints=16, depth=1), [0.4404, 0.444, 0.4327], 'rmsprop', 2.5e-4),
        ('princeton', Princeton(2, (2, 4, 6), 8, joints=16, depth=1), [0, 0, 0], 'adam', 2e-4),
    ],
)
def test_an_imported_run_computes_crops_and_decodes_as_its_code_did(
    monkeypatch, tmp_path, capsys, option, module, mean, optimizer, rate
):
    code, expected = import_weights(monkeypatch, module, option, tmp_path)
    output, run = capsys.readouterr().out, str(tmp_path / 'run')
    assert code == 0 and sorted(os.listdir(run)) == ['config.cfg', 'latest', 'step-00000000']
    with Predictor(run, device='cpu', batch_size=1) as predictor:
        np.testing.assert_allclose(predictor.heatmaps(crops()), expected, atol=1e-4, rtol=0)
        assert predictor.skeleton.joints == MPII_JOINTS and predictor.mean_pose_crop is None
        assert (predictor.codec.loss, predictor.codec.decoding, predictor.flip_test) == ('mse', 'quarter', True)
        # One cell of 64.
        assert predictor.codec.sigma_hm == 1.0 and predictor.codec.heatmap_size == 64
        assert predictor.rule == CropRule(256, 0.32, crop_rule='centre_scale', corners=option)
    manifest = manifest_of(run)
    assert manifest['source'] == {
        'file': 'weights.pth',
        'sha256': hashlib.sha256(CONTENT).hexdigest(),
        'code_base': option,
        'left_out': manifest['source']['left_out'],
    }
    assert all('.skip_layer.' in name for name in manifest['source']['left_out'])
    assert manifest['hyperparameters']['input_mean'] == mean and manifest['global_step'] == 0
    config = load_config(os.path.join(run, 'config.cfg'))
    assert Experiment(config).hyperparameters() == hyperparameters_from_dict(manifest['hyperparameters'])
    assert json.loads(json.dumps(config.as_dict())) == manifest['config']
    assert (config.Train.loss, config.Train.sigma) == ('mse', 1.0)
    assert (config.Train.optimizer, config.Train.lear_rate) == (optimizer, rate)
    for part in ('read: ', manifest['source']['sha256'], 'FLOPs', 'matched: all ', 'licence: ', 'next: ', run):
        assert part in output
    assert {'bearpaw': 'GPL', 'princeton': 'BSD'}[option] in output


@pytest.fixture
def run(monkeypatch, tmp_path):
    assert import_weights(monkeypatch, Bearpaw(1, 1, 2, 4, 16, 1), 'bearpaw', tmp_path)[0] == 0
    return str(tmp_path / 'run')


@pytest.mark.slow
def test_an_imported_run_is_evaluated_and_trained_on(run, synthetic_people, tmp_path):
    images = os.path.join(os.path.dirname(synthetic_people), 'images')
    output = str(tmp_path / 'out')
    assert (
        main(
            [
                'evaluate',
                '--checkpoint',
                run,
                '--annotations',
                synthetic_people,
                '--images',
                images,
                '--device',
                'cpu',
                '--batch-size',
                '8',
                '--output',
                output,
                '--crop-rule',
                'box',
            ]
        )
        == 0
    )
    with open(os.path.join(output, 'metrics.json')) as stream:
        metrics = json.load(stream)
    assert list(metrics['baselines']) == ['centre'] and metrics['protocol']['decoding'] == 'quarter'
    assert metrics['protocol']['crop_rule'] == 'box' and metrics['protocol']['box_margin'] == 0.32
    assert (
        main(
            [
                'resume',
                run,
                '--set',
                f'DataSetHG.training_txt_file={synthetic_people}',
                '--set',
                f'DataSetHG.img_directory={images}',
                '--set',
                'DataSetHG.crop_rule=box',
            ]
            + DATA
        )
        == 0
    )
    imported, manifest = manifest_of(run, 'step-00000000'), manifest_of(run)
    assert manifest['global_step'] == 1 and manifest['source'] == imported['source']
    assert manifest['started_from'] == imported['started_from'] == str(tmp_path / 'weights.pth')
    described = {step: dict(describe_training(manifest_of(run, step))) for step in ('step-00000000', 'step-00000001')}
    for record in described.values():
        assert imported['source']['sha256'] in record['imported from'] and 'of bearpaw' in record['imported from']
    assert described['step-00000000']['data'] == 'not known, the weights were imported'
    assert synthetic_people in described['step-00000001']['data'][0]
    assert sorted(name for name in os.listdir(run) if name.startswith('step-')) == ['step-00000000', 'step-00000001']


def test_an_earlier_run_is_not_written_over(run, monkeypatch, tmp_path, capsys):
    before = manifest_of(run)
    assert import_weights(monkeypatch, Princeton(1, (2, 4, 4), 8, 16, 1), 'princeton', tmp_path)[0] == 2
    message = capsys.readouterr().err
    assert 'holds an earlier run' in message and '--output' in message and message.count('\n') == 1
    assert manifest_of(run) == before


def test_settings_that_lie_in_the_folder_are_not_written_over(monkeypatch, tmp_path, capsys):
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'config.cfg').write_text('mine')
    monkeypatch.setattr(pytorch_network, 'read_state_dict', lambda path: pytest.fail('nothing need be read'))
    assert main(['import-weights', write_file(tmp_path), '--from', 'bearpaw', '--output', str(tmp_path / 'run')]) == 2
    message = capsys.readouterr().err
    assert 'holds a config.cfg' in message and '--output' in message and message.count('\n') == 1
    assert (tmp_path / 'run' / 'config.cfg').read_text() == 'mine'


def test_joints_without_names_are_numbered_and_not_flipped(monkeypatch, tmp_path, capsys):
    assert import_weights(monkeypatch, Bearpaw(1, 1, 2, 4, 17, 1), 'bearpaw', tmp_path)[0] == 0
    assert 'joint_list' in capsys.readouterr().out
    record = manifest_of(str(tmp_path / 'run'))['inference']
    assert record['joints'] == [f'joint_{index}' for index in range(17)] and record['flip_test'] is False


def test_a_wrong_file_is_named_in_one_line_and_leaves_nothing(monkeypatch, tmp_path, capsys):
    assert import_weights(monkeypatch, Bearpaw(1, 1, 2, 4, 16, 1), 'princeton', tmp_path)[0] == 2
    message = capsys.readouterr().err
    assert message.startswith(f'error: {tmp_path / "weights.pth"}: ') and '--from bearpaw' in message
    assert message.count('\n') == 1 and os.listdir(str(tmp_path)) == ['weights.pth']
    # Residual modules of 6 features cannot be built.
    assert import_weights(monkeypatch, Princeton(1, (2, 4, 4), 6, 16, 1), 'princeton', tmp_path)[0] == 2
    assert 'num_features' in capsys.readouterr().err and os.listdir(str(tmp_path)) == ['weights.pth']


def test_without_pytorch_the_message_says_how_to_install_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, 'torch', None)
    arguments = ['import-weights', write_file(tmp_path), '--from', 'bearpaw', '--output', str(tmp_path / 'run')]
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert 'pip install .[torch]' in message and message.count('\n') == 1
