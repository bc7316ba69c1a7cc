"""import-weights with PyTorch: files as torch.save writes them, and those that would run code."""

import io
import os
import pickle

import numpy as np
import pytest

from hourglass_pose import Predictor
from hourglass_pose.checkpoints.pytorch.state_dict import read_state_dict
from hourglass_pose.cli import main
from pytorch_hourglasses import Bearpaw, Princeton

torch = pytest.importorskip('torch')

MODULES = {'bearpaw': Bearpaw(1, 1, 2, 4, 16, 1), 'princeton': Princeton(1, (2, 4, 4), 8, 16, 1)}


def crops():
    return np.random.RandomState(8).randint(0, 256, (1, 256, 256, 3)).astype(np.uint8)


@pytest.fixture(scope='module')
def expected():
    """Return {option: maps} of the modules, whose state dicts are filled by it."""
    return {option: module.forward(crops() / 255.0) for option, module in MODULES.items()}


def tensors(option, prefix=''):
    return {prefix + name: torch.from_numpy(array) for name, array in MODULES[option].state.items()}


def bare(option):
    return tensors(option)


def of_a_training_program(option):
    network = torch.nn.Linear(2, 2)
    prefix = {'bearpaw': 'module.', 'princeton': 'model.module.'}[option]
    return {
        'epoch': 3,
        'arch': 'hg',
        'best_acc': torch.tensor(0.9),
        'state_dict': tensors(option, prefix),
        'optimizer': torch.optim.RMSprop(network.parameters(), lr=1e-4).state_dict(),
    }


def of_parameters_in_double(option):
    return {
        name: torch.nn.Parameter(tensor.double()) if tensor.is_floating_point() else tensor
        for name, tensor in tensors(option).items()
    }


def run_import(path, option, folder):
    return main(['import-weights', str(path), '--from', option, '--output', str(folder)])


@pytest.mark.parametrize(
    'option, contents, zipped',
    [
        ('bearpaw', bare, True),
        pytest.param('princeton', of_a_training_program, True, marks=pytest.mark.slow),
        ('bearpaw', of_a_training_program, False),
        ('princeton', of_parameters_in_double, True),
    ],
)
def test_files_of_torch_save_become_runs_that_compute_the_same(expected, tmp_path, option, contents, zipped):
    path, run = tmp_path / 'weights.pth.tar', tmp_path / 'run'
    torch.save(contents(option), str(path), _use_new_zipfile_serialization=zipped)
    assert run_import(path, option, run) == 0
    with Predictor(str(run), device='cpu', batch_size=1) as predictor:
        np.testing.assert_allclose(predictor.heatmaps(crops()), expected[option], atol=1e-4, rtol=0)


class RunsCode:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def refusal(path, folder, capsys):
    capsys.readouterr()
    assert run_import(path, 'bearpaw', folder) == 2
    message = capsys.readouterr().err
    assert message.startswith(f'error: {path}: ') and message.count('\n') == 1 and 'Traceback' not in message
    assert not os.path.exists(str(folder))
    return message


@pytest.mark.parametrize(
    'save',
    [
        torch.save,
        lambda contents, path: torch.save(contents, path, _use_new_zipfile_serialization=False),
        lambda contents, path: open(path, 'wb').write(pickle.dumps(contents, 2)),
    ],
)
def test_a_file_that_would_run_code_is_refused_and_does_not(tmp_path, capsys, save):
    path, trap = str(tmp_path / 'weights.pth'), str(tmp_path / 'trap')
    save({'state_dict': {'conv1.weight': RunsCode(trap)}}, path)
    message = refusal(path, tmp_path / 'run', capsys)
    assert 'refused' in message and 'mkdir' in message
    assert not os.path.exists(trap)


@pytest.mark.parametrize('number', [np.float32(0.5), np.float64(88.1), np.int64(7)])
def test_single_numpy_numbers_beside_the_weights_are_let_through(tmp_path, number):
    path = str(tmp_path / 'weights.pth')
    torch.save({'best_acc': number, 'state_dict': {'module.a': torch.arange(3.0)}}, path)
    state = read_state_dict(path)
    assert list(state) == ['a'] and state['a'].tolist() == [0, 1, 2]


def test_a_whole_network_is_refused_with_what_to_save_instead(tmp_path, capsys):
    path = str(tmp_path / 'network.pth')
    torch.save(torch.nn.Linear(2, 2), path)
    message = refusal(path, tmp_path / 'run', capsys)
    assert 'refused' in message and 'state_dict()' in message


def test_a_file_that_is_not_from_pytorch_is_described(tmp_path, capsys):
    run = tmp_path / 'run'
    assert 'No such file' in refusal(str(tmp_path / 'none.pth'), run, capsys)
    assert 'cannot be read' in refusal(str(tmp_path), run, capsys)
    buffer = io.BytesIO()
    torch.save({'a': torch.zeros(1000)}, buffer)
    for name, content in (
        ('text', b'hello\nthere\n'),
        ('empty', b''),
        ('cut', buffer.getvalue()[:900]),
        ('picture', b'\x89PNG\r\n\x1a\n' + bytes(100)),
    ):
        (tmp_path / name).write_bytes(content)
        assert 'damaged or no file of torch.save' in refusal(str(tmp_path / name), run, capsys)
    torch.save([torch.zeros(3)], str(tmp_path / 'list'))
    assert 'a list and no state dict' in refusal(str(tmp_path / 'list'), run, capsys)
