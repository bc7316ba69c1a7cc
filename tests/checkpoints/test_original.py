"""Checkpoints of the original TensorFlow 1 code are found, recognised, and used without a manifest."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from hourglass_pose import HourglassModel, Predictor
from hourglass_pose.checkpoints.opening import open_checkpoint
from hourglass_pose.checkpoints.original import recognise
from hourglass_pose.checkpoints.paths import find_original
from hourglass_pose.checkpoints.variables import network_values
from hourglass_pose.cli import main
from hourglass_pose.errors import CheckpointError
from hourglass_pose.experiment import starting
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.tf_compat import tf
from named_weights import weights_of
from original_checkpoint import write_original
from reference_modelzoo import ModelzooNetwork

STANDARD = make_hyperparameters(arch='modelzoo', num_stacks=2, num_features=8, num_poolings=1)
ATTENTION = replace(STANDARD, attention=True, num_features=256, num_stacks=8)


@pytest.fixture(scope='module')
def original(tmp_path_factory):
    """Return the prefix of a checkpoint of a small network. Not to be written to."""
    return write_original(str(tmp_path_factory.mktemp('original')), STANDARD, with_loss_scale=True)


@pytest.fixture
def settings(synthetic_people, tmp_path):
    """Return the arguments that let a network train for a step on rendered people."""
    values = [
        f'DataSetHG.training_txt_file={synthetic_people}',
        f'DataSetHG.img_directory={os.path.join(os.path.dirname(synthetic_people), "images")}',
        'Network.nLow=1',
        'Network.img_size=32',
        'Train.nEpochs=1',
        'Train.epoch_size=1',
        'Train.batch_size=2',
        'Train.workers=0',
        'Device.device=cpu',
        'Device.precision=float32',
        f'Saver.saver_directory={tmp_path / "run"}',
    ]
    return [word for value in values for word in ('--set', value)]


def shapes_of(hyperparameters):
    with tf.Graph().as_default():
        model = HourglassModel(hyperparameters)
        model.build(tf.zeros([1, hyperparameters.input_size, hyperparameters.input_size, 3]), False)
        return {variable.op.name: variable.shape.as_list() for variable in model.variables()}


@pytest.mark.parametrize(
    'hyperparameters',
    [
        STANDARD,
        replace(STANDARD, num_stacks=3, num_poolings=4, num_joints=5),
        pytest.param(replace(STANDARD, num_stacks=4, modif=True), marks=pytest.mark.slow),
        replace(STANDARD, tiny=True, num_poolings=3),
        pytest.param(replace(STANDARD, tiny=True, modif=True, num_joints=8), marks=pytest.mark.slow),
        replace(ATTENTION, num_stacks=4, num_poolings=2, num_joints=3),
        replace(ATTENTION, num_stacks=1, tiny=True, num_joints=2),
    ],
)
def test_network_is_recognised_by_the_names_and_shapes_of_its_variables(hyperparameters):
    assert recognise(shapes_of(hyperparameters)) == hyperparameters


def test_variables_of_another_network_are_refused_with_what_they_are_not():
    for shapes in (
        {},
        {'resnet/conv1/kernel': [7, 7, 3, 64]},
        shapes_of(make_hyperparameters(num_features=8, num_stacks=1)),
    ):
        with pytest.raises(CheckpointError, match='neither the variable model/preprocessing/conv_256_to_128/weights'):
            recognise(shapes)
    without_heads = {name: shape for name, shape in shapes_of(STANDARD).items() if '/out/' not in name}
    with pytest.raises(CheckpointError, match='but no model/stacks/stage_0/out/weights'):
        recognise(without_heads)
    one_stack = {name: shape for name, shape in shapes_of(STANDARD).items() if 'stage_1' not in name}
    with pytest.raises(CheckpointError, match='num_stacks: expected 2 or more'):
        recognise(one_stack)


def test_checkpoint_is_found_by_prefix_by_file_and_by_folder(tmp_path):
    folder = str(tmp_path)
    for name in ('hg_5', 'hg_30'):
        for ending in ('.index', '.data-00000-of-00001', '.meta'):
            (tmp_path / (name + ending)).write_bytes(b'')
    os.utime(str(tmp_path / 'hg_30.index'), (1, 1))
    wanted = os.path.join(folder, 'hg_30')
    for path in ('hg_30', 'hg_30.index', 'hg_30.data-00000-of-00001', 'hg_30.meta'):
        assert find_original(os.path.join(folder, path)) == wanted
    assert find_original(folder) == os.path.join(folder, 'hg_5'), 'the one that was written last'
    (tmp_path / 'checkpoint').write_text('model_checkpoint_path: "/where/it/was/hg_30"\n')
    assert find_original(folder) == wanted
    (tmp_path / 'checkpoint').write_text('model_checkpoint_path: "gone"\n')
    assert find_original(folder) == os.path.join(folder, 'hg_5')
    assert find_original(str(tmp_path / 'none')) is None
    os.mkdir(str(tmp_path / 'empty'))
    assert find_original(str(tmp_path / 'empty')) is None


@pytest.mark.slow
@pytest.mark.parametrize('modif', [False, True])
def test_predictor_gives_the_original_outputs_from_the_prefix_alone(tmp_path, rng, modif):
    hyperparameters = replace(STANDARD, modif=modif)
    prefix = write_original(str(tmp_path), hyperparameters)
    crops = rng.uniform(size=(1, 256, 256, 3)).astype(np.float32)
    logits = ModelzooNetwork(
        hyperparameters, {name: weights_of(name, shape) for name, shape in shapes_of(hyperparameters).items()}
    ).forward(crops)
    with Predictor(prefix, device='cpu', batch_size=1) as predictor:
        maps = predictor.heatmaps(crops)
        assert predictor.stored.step == 7
    expected = 1 / (1 + np.exp(-logits)) if modif else logits
    # Float32 through a hundred layers, the idle ones not counted.
    np.testing.assert_allclose(maps, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
def test_predict_and_evaluate_take_the_prefix_and_what_it_cannot_show(original, synthetic_people, tmp_path, capsys):
    images = os.path.join(os.path.dirname(synthetic_people), 'images')
    photo = os.path.join(images, '000001.jpg')
    common = ['--checkpoint', original, '--device', 'cpu', '--output', str(tmp_path / 'out')]
    assert main(['predict', photo, '--whole-image'] + common) == 0
    with open(str(tmp_path / 'out' / '000001.pose.json')) as stream:
        record = json.load(stream)
    assert record['step'] == 7 and record['flip_test'] is True and len(record['persons'][0]['joints']) == 16
    evaluate = ['evaluate', '--annotations', synthetic_people, '--images', images] + common
    assert main(evaluate + ['--set', 'Network.img_size=64', '--set', 'Validation.decoding=argmax']) == 0
    with open(str(tmp_path / 'out' / 'metrics.json')) as stream:
        metrics = json.load(stream)
    assert list(metrics['baselines']) == ['centre']
    assert metrics['protocol']['decoding'] == 'argmax' and metrics['protocol']['step'] == 7
    capsys.readouterr()
    assert main(evaluate + ['--split', 'valid']) == 2
    assert 'does not record its training persons' in capsys.readouterr().err


def test_setting_that_contradicts_the_variables_is_refused(original, tmp_path, capsys):
    predict = ['predict', '--checkpoint', original, '--device', 'cpu', '--output', str(tmp_path), str(tmp_path)]
    (tmp_path / 'photo.png').write_bytes(b'')
    for value, message in [
        ('nStack=4', 'nStack: 2 / 4'),
        ('tiny=True', 'tiny: False / True'),
        ('outputDim=14', 'outputDim'),
        ("arch='newell'", "arch: 'modelzoo' / 'newell'"),
    ]:
        assert main(predict + ['--set', f'Network.{value}']) == 2
        error = capsys.readouterr().err
        assert error.startswith('error: ') and error.count('\n') == 1 and message in error


def test_settings_are_refused_for_a_checkpoint_that_carries_its_own(command_line_run, tmp_path, capsys):
    assert (
        main(
            [
                'predict',
                '--checkpoint',
                command_line_run.folder,
                '--set',
                'Network.modif=True',
                '--output',
                str(tmp_path),
                command_line_run.images,
            ]
        )
        == 2
    )
    assert 'carries its own settings' in capsys.readouterr().err


ORIGINAL_CONFIG = """[DataSetHG]
training_txt_file: 'dataset.txt'
img_directory: 'images'
img_size: 256
hm_size: 64
num_joints: 16
remove_joints: None
joint_list = ['r_anckle', 'r_knee', 'r_hip', 'l_hip', 'l_knee', 'l_anckle', 'pelvis', 'thorax',
    'neck', 'head', 'r_wrist', 'r_elbow', 'r_shoulder', 'l_shoulder', 'l_elbow', 'l_wrist']
[Network]
name: 'hg_refined_200'
nFeats: 8
nStacks: 4
nModules: 1
tiny: False
nLow: 1
dropout_rate: 0.2
mcam: False
[Train]
batch_size: 4
nEpochs: 200
epoch_size: 1000
learning_rate: 0.00025
learning_rate_decay: 0.96
decay_step: 2000
weighted_loss: False
[Validation]
valid_iteration: 10
[Saver]
log_dir_train: 'logs/'
log_dir_test: 'logs/'
saver_step: 500
saver_directory: ''
"""


@pytest.mark.slow
def test_training_continues_with_weights_and_slots_under_the_original_config(original, settings, tmp_path, capsys):
    config = tmp_path / 'config.cfg'
    config.write_text(ORIGINAL_CONFIG)
    assert settings[-1].startswith('Saver.saver_directory=')
    in_the_folder_of_its_config = settings[:-2]
    # A rate of almost nothing: what the run writes is what it read.
    assert (
        main(
            ['resume', original, '--config', str(config), '--quiet', '--set', 'Train.lear_rate=1e-30']
            + in_the_folder_of_its_config
        )
        == 0
    )
    shown = capsys.readouterr().out
    assert 'sets nStack to 4; the checkpoint has 2, which is used' in shown
    slots = 2 * len([name for name in shapes_of(STANDARD) if name.endswith(('weights', 'beta'))])
    assert f'matched: {len(shapes_of(STANDARD))} variables of the network, {slots} others\n' in shown
    assert 'starts fresh: the count of steps (global_step, skipped_steps)\n' in shown
    assert 'left out: a loss scale (loss_scale)\n' in shown
    assert 'left out: a count of steps (steps/global_step)' in shown
    reader = tf.train.NewCheckpointReader(str(tmp_path / 'latest' / 'hg_refined_200'))
    for name, shape in shapes_of(STANDARD).items():
        if not name.endswith(('moving_mean', 'moving_variance')):
            np.testing.assert_array_equal(reader.get_tensor(name), weights_of(name, shape))
    assert reader.get_tensor('global_step') == 1
    # RMSProp's mean squares after a step are 0.99 of what they were and squares of gradients, none negative.
    assert np.all(reader.get_tensor('BatchNorm_1/beta/RMSProp') >= 2 * 0.99 * (1 - 1e-6))
    with open(str(tmp_path / 'latest' / 'manifest.json')) as stream:
        manifest = json.load(stream)
    assert manifest['config']['Train']['loss'] == 'sigmoid' and manifest['config']['Train']['optimizer'] == 'rmsprop'
    assert manifest['hyperparameters']['drop_rate'] == 0.2 and manifest['started_from'] == original
    # The run keeps its own settings where it is, and the user keeps those that were there.
    assert (tmp_path / 'config.given.cfg').read_text() == ORIGINAL_CONFIG
    assert f'is now {tmp_path / "config.given.cfg"}' in shown
    assert 'lear_rate: 1e-30' in config.read_text()


@pytest.mark.slow
def test_another_optimizer_starts_fresh_and_is_reported(original, settings, tmp_path, capsys):
    config = tmp_path / 'config.cfg'
    config.write_text('')
    assert (
        main(
            [
                'resume',
                original,
                '--config',
                str(config),
                '--quiet',
                '--set',
                'Train.optimizer=adam',
                '--set',
                'Train.ema_decay=0.9',
            ]
            + settings
        )
        == 0
    )
    shown = capsys.readouterr().out
    assert "starts fresh: the optimizer's state (" in shown and "left out: an optimizer's state (" in shown
    assert 'starts fresh: moving averages of the weights (' in shown


@pytest.mark.slow
def test_load_looks_in_saver_directory_and_then_beside_itself(original, settings, tmp_path, monkeypatch, capsys):
    beside = tmp_path / 'beside'
    beside.mkdir()
    monkeypatch.setattr(starting, 'PROGRAM_FOLDER', str(beside))
    config = tmp_path / 'config.cfg'
    config.write_text('')
    load = ['resume', '--config', str(config), '--quiet'] + settings
    assert main(load) == 2
    assert f'{tmp_path / "run"} and {beside}: there is no checkpoint' in capsys.readouterr().err
    for name in os.listdir(os.path.dirname(original)):
        shutil.copy(os.path.join(os.path.dirname(original), name), str(beside))
    assert main(load) == 0
    assert f'continuing the training of {beside}' in capsys.readouterr().out
    assert main(load) == 0, 'now the run in saver_directory is the one that goes on'
    assert f'resuming from {tmp_path / "run"}' in capsys.readouterr().out


def test_damaged_values_are_one_line(original, tmp_path):
    prefix = str(tmp_path / 'hg_7')
    shutil.copy(f'{original}.index', f'{prefix}.index')
    with open(f'{original}.data-00000-of-00001', 'rb') as stream:
        content = bytearray(stream.read())
    with open(f'{prefix}.data-00000-of-00001', 'wb') as stream:
        stream.write(bytes(255 - byte for byte in content))
    with pytest.raises(CheckpointError, match='cannot read the checkpoint') as caught:
        network_values(replace(open_checkpoint(original), prefix=prefix), sorted(shapes_of(STANDARD)))
    assert '\n' not in str(caught.value)
    with pytest.raises(CheckpointError, match='cannot read the checkpoint'):
        Predictor(prefix)
