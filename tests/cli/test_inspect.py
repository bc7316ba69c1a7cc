"""inspect describes a checkpoint, and a file that is no checkpoint."""

import json
import os
import shutil

import pytest

from hourglass_pose.checkpoints.paths import describe
from hourglass_pose.cli import main
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.tf_compat import TF_VERSION, tf
from original_checkpoint import write_original


def inspect(capsys, path, *arguments):
    capsys.readouterr()
    assert main(['inspect', path] + list(arguments)) == 0
    return capsys.readouterr().out


def test_our_checkpoint_is_described_with_network_training_data_and_versions(command_line_run, capsys):
    record = json.loads(inspect(capsys, os.path.join(command_line_run.folder, 'latest'), '--json'))
    with open(os.path.join(command_line_run.folder, 'latest', 'manifest.json')) as stream:
        manifest = json.load(stream)
    assert record['checkpoint'] == os.path.realpath(os.path.join(command_line_run.folder, 'latest'))
    assert 'newell, 2 stacks of 8 features, 16 joints, input 32' in record['network']
    assert 'nLow: 1' in record['hyperparameters'] and 'tiny: False' in record['hyperparameters']
    assert record['training'] == 'step 4, epoch 2 of 2, moving averages of the weights; seed 0'
    pckh = manifest['progress']['metrics']['pckh@0.5']['mean']
    assert f'pckh@0.5 {pckh:.2f} (validation, mean)' in record['metrics']
    best = manifest['progress']['best_score']
    assert record['metrics'][-1] == f'pckh@0.5 {best:.4g} (the best so far, which decides)'
    assert record['data'][0] == f'{command_line_run.annotations}, images in {command_line_run.images}'
    assert f'tensorflow {TF_VERSION}' in record['versions']
    assert record['variables'][0].startswith('matched: ')
    assert any(line.startswith('left out: moving averages of the weights') for line in record['variables'])
    text = inspect(capsys, command_line_run.folder)
    for name, value in record.items():
        for line in value if isinstance(value, list) else [value]:
            assert line in text and name in text


@pytest.mark.slow
def test_description_of_an_original_checkpoint_lists_what_is_known_and_unknown(tmp_path, capsys):
    prefix = write_original(
        str(tmp_path), make_hyperparameters(arch='modelzoo', num_stacks=3, num_features=8, num_poolings=1, num_joints=5)
    )
    record = json.loads(inspect(capsys, prefix, '--json'))
    assert 'modelzoo, 3 stacks of 8 features, 5 joints' in record['network']
    assert '7 steps' in record['training'] and 'no manifest' in record['training']
    assert any('steps/global_step' in line for line in record['variables'])
    assert record['prediction'].startswith('loss sigmoid, sigma 1.27') and 'flip test off' in record['prediction']


def test_damaged_checkpoint_is_refused(command_line_run, tmp_path, capsys):
    run = shutil.copytree(command_line_run.folder, str(tmp_path / 'run'), symlinks=True)
    folder = os.path.realpath(os.path.join(run, 'latest'))
    index = next(name for name in os.listdir(folder) if name.endswith('.index'))
    with open(os.path.join(folder, index), 'ab') as stream:
        stream.write(b'x')
    assert main(['inspect', folder]) == 2
    assert f'{index}: damaged' in capsys.readouterr().err


def test_checkpoint_of_another_program_is_named_by_its_variables(tmp_path, capsys):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable('resnet/conv1/kernel', [3])
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(tmp_path / 'model'), write_meta_graph=False)
    assert main(['inspect', prefix]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    assert 'neither ours nor that of the original' in error and 'such as resnet/conv1/kernel' in error


def test_damaged_index_is_one_line(tmp_path, capsys):
    (tmp_path / 'hg.index').write_bytes(b'not an index')
    assert main(['inspect', str(tmp_path / 'hg')]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'TensorFlow cannot read the checkpoint' in error


@pytest.mark.parametrize(
    'name, content, what',
    [
        ('hg.h5', b'\x89HDF\r\n', 'HDF5'),
        ('gt.mat', b'MATLAB 5.0 MAT-file', 'MATLAB'),
        ('a.png', b'\x89PNG\r\n', 'PNG picture'),
        ('a.jpg', b'\xff\xd8\xff\xe0', 'JPEG picture'),
        ('hg.pkl', b'\x80\x04...', 'may run code'),
        ('a.npy', b'\x93NUMPY', 'NumPy array'),
        ('empty', b'', 'an empty file'),
        ('a.tgz', b'\x1f\x8b\x08', 'gzip'),
        ('frozen.pb', b'\x0a\x01', 'frozen graph'),
        ('hg.zip', b'PK\x03\x04', 'zip archive'),
        ('hg.onnx', b'\x08', 'ONNX'),
        ('hg.om', b'IMOD', 'offline model'),
        ('hg.tflite', b'\x1c', 'Lite'),
        ('hg.meta', b'\x0a', 'whose .index file is not next to it'),
        ('checkpoint', b'model_checkpoint_path: "hg_5"\n', 'give the folder'),
        ('hg.data-00000-of-00001', b'\x00\x00', 'whose .index file is not next to it'),
        ('notes', b'Hello\n', 'text file'),
    ],
)
def test_file_that_is_no_checkpoint_is_described(tmp_path, capsys, name, content, what):
    (tmp_path / name).write_bytes(content)
    assert main(['inspect', str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and what in error and str(tmp_path / name) in error


def test_folder_that_is_no_checkpoint_is_described(tmp_path):
    assert describe(str(tmp_path)) == 'an empty folder'
    for name in 'abcd':
        (tmp_path / name).write_bytes(b'')
    assert describe(str(tmp_path)) == 'a folder with a, b, c, 1 more'
    (tmp_path / 'saved_model.pb').write_bytes(b'')
    assert 'SavedModel' in describe(str(tmp_path))
    assert describe(str(tmp_path / 'nothing')) == ''
    (tmp_path / 'binary').write_bytes(b'\x00\x01')
    assert describe(str(tmp_path / 'binary')) == ''
