"""State dicts of PyTorch hourglasses in our graph: the same maps as their own modules; one line for what misfits."""

import functools
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest

from hourglass_pose.checkpoints.pytorch import weights as foreign_weights
from hourglass_pose.checkpoints.pytorch.state_dict import unwrap
from hourglass_pose.checkpoints.pytorch.weights import convert
from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.tf_compat import tf
from pytorch_hourglasses import Bearpaw, Princeton

SIZE = 64
UNUSED_SKIP = 'pre.4.skip_layer.conv.weight'


@pytest.fixture(autouse=True, scope='module')
def one_graph_a_network():
    """Build the graph that variables are read from once for each network, not for each of the many conversions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foreign_weights, 'shapes_of', functools.lru_cache(None)(foreign_weights.shapes_of))
        yield


def images(count=1, size=SIZE):
    return np.random.RandomState(3).uniform(0, 1, (count, size, size, 3))


def state_of(module):
    """Return the module's state dict, filled by a pass through it."""
    module.forward(images())
    return dict(module.state)


@pytest.fixture(scope='module')
def bearpaw():
    return state_of(Bearpaw(2))


@pytest.fixture(scope='module')
def princeton():
    return state_of(Princeton(2))


def maps_of_graph(network, pictures):
    """Return the output of our graph with the converted weights, at SIZE pixels."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = HourglassModel(replace(network.hyperparameters, input_size=SIZE))
        maps = model.build(tf.constant(pictures, tf.float32), is_training=False)
        assert {variable.op.name for variable in model.variables()} == set(network.variables)
        session.run(
            [variable.initializer for variable in model.variables()],
            {variable.initializer.inputs[1]: network.variables[variable.op.name] for variable in model.variables()},
        )
        return session.run(maps)


@pytest.mark.slow
@pytest.mark.parametrize(
    'option, module, hyperparameters',
    [
        (
            'bearpaw',
            Bearpaw(1, 1, first=2, planes=4, joints=5, depth=1),
            dict(num_stacks=1, num_features=8, num_poolings=1, num_joints=5, stem_features=(2, 4, 8)),
        ),
        (
            'bearpaw',
            Bearpaw(2, 2, first=4, planes=4, joints=3, depth=2),
            dict(num_stacks=2, num_features=8, num_poolings=2, num_modules=2, num_joints=3, stem_features=(4, 8, 16)),
        ),
        (
            'bearpaw',
            Bearpaw(3, 1, first=4, planes=8, joints=16, depth=3),
            dict(num_stacks=3, num_features=16, num_poolings=3, num_joints=16, stem_features=(4, 8, 16)),
        ),
        (
            'princeton',
            Princeton(1, (4, 8, 8), 8, joints=3, depth=1),
            dict(num_stacks=1, num_features=8, num_poolings=1, num_joints=3, stem_features=(4, 8, 8)),
        ),
        (
            'princeton',
            Princeton(2, (4, 6, 10), 12, joints=16, depth=4),
            dict(num_stacks=2, num_features=12, num_poolings=4, num_joints=16, stem_features=(4, 6, 10)),
        ),
    ],
)
def test_our_graph_with_converted_weights_gives_the_maps_of_the_pytorch_modules(option, module, hyperparameters):
    pictures = images()
    expected = module.forward(pictures)
    network = convert(module.state, option)
    assert network.hyperparameters == make_hyperparameters(
        input_mean=tuple(map(float, module.input_mean)), **hyperparameters
    )
    assert np.abs(expected).max() > 0.2
    np.testing.assert_allclose(maps_of_graph(network, pictures), expected, atol=1e-4, rtol=0)


def test_every_weight_that_counts_is_taken_and_the_others_are_named(bearpaw, princeton):
    network = convert(bearpaw, 'bearpaw')
    assert network.unused == network.unknown == ()
    assert len(network.variables) == sum(not name.endswith('num_batches_tracked') for name in bearpaw)
    network = convert(princeton, 'princeton')
    assert network.unknown == () and UNUSED_SKIP in network.unused
    assert all('.skip_layer.' in name for name in network.unused)
    assert len(network.variables) + len(network.unused) == sum(
        not name.endswith('num_batches_tracked') for name in princeton
    )
    # Of the skip connections only that of pre.1 changes the width, from 4 to 8.
    assert [name for name in princeton if '.skip_layer.' in name and name not in network.unused] == [
        'pre.1.skip_layer.conv.weight',
        'pre.1.skip_layer.conv.bias',
    ]
    matched, left_out = network.lines()
    assert matched.startswith(f'matched: all {len(network.variables)} variables')
    assert left_out.startswith(f'left out: {len(network.unused)} weights of skip connections')


def test_weights_that_no_part_of_the_network_has_are_left_out_by_name(bearpaw):
    network = convert(dict(bearpaw, **{'score.9.bias': np.zeros(3), 'extra.weight': np.zeros((2, 2))}), 'bearpaw')
    assert network.unknown == ('extra.weight', 'score.9.bias')
    assert 'left out: 2 weights that belong to no part of the network (extra.weight, score.9.bias)' in network.lines()


def test_doubles_and_halves_become_float32(bearpaw):
    for dtype in (np.float64, np.float16):
        network = convert({name: array.astype(dtype) for name, array in bearpaw.items()}, 'bearpaw')
        assert {array.dtype for array in network.variables.values()} == {np.dtype(np.float32)}


def refusal(state, option):
    with pytest.raises(CheckpointError) as caught:
        convert(state, option)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_the_other_code_base_is_recognised(bearpaw, princeton):
    assert 'import them by --from princeton' in refusal(princeton, 'bearpaw')
    assert 'import them by --from bearpaw' in refusal(bearpaw, 'princeton')
    message = refusal({'fc.weight': np.zeros((10, 5)), 'fc.bias': np.zeros(10)}, 'bearpaw')
    assert (
        'of no network that can be imported' in message
        and 'score.0.weight' in message
        and 'outs.0.conv.weight' in message
    )
    assert '2 others, such as fc.bias, fc.weight' in message
    assert 'of no network that can be imported' in refusal({}, 'princeton')


@pytest.mark.parametrize(
    'option, name',
    [
        ('bearpaw', 'hg.1.hg.0.3.0.bn2.running_var'),
        ('bearpaw', 'score_.0.bias'),
        ('bearpaw', 'conv1.bias'),
        ('princeton', 'hgs.0.0.low2.low2.conv3.conv.weight'),
        ('princeton', 'merge_preds.0.conv.conv.weight'),
    ],
)
def test_a_missing_or_reshaped_weight_is_named(bearpaw, princeton, option, name):
    whole = {'bearpaw': bearpaw, 'princeton': princeton}[option]
    message = refusal({key: array for key, array in whole.items() if key != name}, option)
    assert f'1 weights are missing ({name})' in message and '2 stacks of 8 features and 3 joints' in message
    array = whole[name]
    message = refusal(dict(whole, **{name: np.zeros((array.shape[0] + 1,) + array.shape[1:])}), option)
    assert '1 have another shape' in message and name in message


def test_many_missing_weights_are_counted(bearpaw):
    cut = {name: array for name, array in bearpaw.items() if not name.startswith(('hg.1.', 'res.1.'))}
    message = refusal(cut, 'bearpaw')
    assert 'weights are missing (the first: hg.1.hg.1.0.0.bn1.weight, ' in message
    # A residual module has 18 weights: 3 kernels, 3 biases and 12 of its normalisations. The hourglass has 7.
    assert f'{8 * 18} weights are missing' in message


@pytest.mark.parametrize('name', ['conv1.weight', 'layer1.0.conv3.weight', 'layer2.0.conv3.weight'])
def test_weights_that_the_widths_are_read_from_are_named_when_they_are_not_there(bearpaw, name):
    assert name in refusal({key: array for key, array in bearpaw.items() if key != name}, 'bearpaw')
    assert name in refusal(dict(bearpaw, **{name: np.zeros(4)}), 'bearpaw')


def test_weights_without_hourglasses_make_no_network(bearpaw):
    message = refusal({name: array for name, array in bearpaw.items() if not name.startswith('hg.')}, 'bearpaw')
    assert 'num_poolings' in message


@pytest.mark.parametrize(
    'wrap',
    [
        lambda state: state,
        OrderedDict,
        lambda state: {'state_dict': state, 'epoch': 3, 'optimizer': {'state': {}}},
        lambda state: {'model': {f'module.{name}': array for name, array in state.items()}},
        lambda state: {'state_dict': {f'module.{name}': array for name, array in state.items()}, 'best_acc': 0.9},
        lambda state: {'state_dict': {f'model.module.{name}': array for name, array in state.items()}},
        lambda state: {f'module.model.{name}': array for name, array in state.items()},
    ],
)
def test_wrappers_and_their_prefixes_are_taken_off(bearpaw, wrap):
    assert unwrap(wrap(bearpaw)) == bearpaw


@pytest.mark.parametrize(
    'contents, part',
    [
        (np.zeros(3), 'a ndarray and no state dict'),
        ([1, 2], 'a list'),
        ({}, 'it is empty'),
        ({'epoch': 3, 'lr': 0.1}, 'not a tensor: epoch, lr'),
        ({3: np.zeros(2)}, 'not a tensor: 3'),
        ({'state_dict': {'a': None}}, 'not a tensor: a'),
        ({'a.weight': np.zeros(2), 'module.a.weight': np.zeros(2)}, 'two sets of weights'),
    ],
)
def test_other_contents_than_a_state_dict_are_refused(contents, part):
    with pytest.raises(CheckpointError) as caught:
        unwrap(contents)
    assert part in str(caught.value) and '\n' not in str(caught.value)
