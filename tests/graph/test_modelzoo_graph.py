"""Arch 'modelzoo' is the graph of the original TensorFlow 1 code: its numbers, names, dropout, slots and limits."""

import numpy as np
import pytest

from hourglass_pose import HourglassModel
from hourglass_pose.config.config import load_config
from hourglass_pose.errors import ConfigError
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.modelzoo.hyperparameters import ModelzooHyperparameters
from hourglass_pose.runtime.native import NativeRuntime
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.optimizer import make_optimizer
from named_weights import set_weights
from reference_modelzoo import ModelzooNetwork

CPU = NativeRuntime('cpu', 'float32', intra_threads=1)
CONFIG = CPU.session_config()
# A graph that runs once is not worth being optimised.
CONFIG.graph_options.rewrite_options.disable_meta_optimizer = True


def hyperparameters_of(**values):
    return make_hyperparameters(
        **dict(
            dict(arch='modelzoo', num_stacks=2, num_features=8, num_poolings=1, num_joints=3, input_size=32), **values
        )
    )


def attention_hyperparameters(**values):
    return hyperparameters_of(attention=True, num_features=256, **values)


def outputs(hyperparameters, images, is_training=False, dropout=None):
    """Return what the graph gives for images: (output, logits, {name: weights} in the order of creation)."""
    with tf.Graph().as_default():
        model = HourglassModel(hyperparameters)
        logits = model.build_logits(tf.constant(images), is_training, dropout)
        output = model.build(tf.constant(images), is_training, dropout)
        with tf.Session(config=CONFIG) as session:
            weights = set_weights(session, model.variables())
            output, logits = session.run([output, logits])
    return output, logits, weights


def no_dropout(x, rate, layer):
    raise AssertionError('dropout is not wanted')


def agree(rng, hyperparameters, is_training=False, dropout=no_dropout, tolerance=1e-4):
    """Check graph against NumPy and return (output, logits, the NumPy network)."""
    images = rng.uniform(size=(2, hyperparameters.input_size, hyperparameters.input_size, 3)).astype(np.float32)
    output, logits, weights = outputs(hyperparameters, images, is_training, dropout)
    network = ModelzooNetwork(hyperparameters, weights, is_training, dropout)
    expected = network.forward(images)
    assert network.names == list(weights), 'other variables, or made in another order'
    for stack in range(hyperparameters.num_stacks):
        found, wanted = logits[:, stack], expected[:, stack]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())
        assert wanted.std(axis=(0, 1, 2)).max() > 0.05 * np.abs(wanted).max(), 'too flat to tell mistakes'
    return output, logits, network


@pytest.mark.slow
@pytest.mark.parametrize(
    'values',
    [
        {'num_stacks': 3, 'num_poolings': 2, 'drop_rate': 0.5},
        {'num_stacks': 4, 'num_features': 12},
        {'num_poolings': 3, 'input_size': 64, 'num_joints': 5},
    ],
    ids=str,
)
def test_standard_network_agrees_with_numpy_and_leaves_idle_what_the_original_does(rng, values):
    hyperparameters = hyperparameters_of(**values)
    output, logits, network = agree(rng, hyperparameters)
    assert np.array_equal(output, logits)
    # Every stack takes the features that the first one feeds back; the last one makes none.
    assert network.idle == {
        f'model/stacks/stage_{index}/ll/weights' for index in range(1, hyperparameters.num_stacks - 1)
    }


@pytest.mark.parametrize('values', [{'num_stacks': 3, 'num_poolings': 2}, {'num_features': 12}], ids=str)
def test_tiny_network_agrees_with_numpy_and_needs_every_variable(rng, values):
    output, logits, network = agree(rng, hyperparameters_of(tiny=True, **values))
    assert np.array_equal(output, logits) and not network.idle


@pytest.mark.parametrize('values', [{'num_stacks': 3}, {'tiny': True}], ids=str)
def test_modif_network_agrees_with_numpy_and_gives_out_the_sigmoid_of_its_logits(rng, values):
    output, logits, _ = agree(rng, hyperparameters_of(modif=True, **values))
    np.testing.assert_allclose(output, 1 / (1 + np.exp(-logits.astype(np.float64))), rtol=1e-5)


def test_attention_network_agrees_with_numpy_and_gives_out_its_logits(rng):
    # Two modules at each position: the second ones have a pooled branch at the innermost.
    output, logits, network = agree(rng, attention_hyperparameters(num_stacks=3, num_poolings=2, drop_rate=0.5))
    assert np.array_equal(output, logits) and not network.idle


def test_attention_hourglass_of_three_levels_agrees_with_numpy(rng, monkeypatch):
    # Sixteen modules at each position are too many for a test; one already has all kinds of units.
    monkeypatch.setattr(ModelzooHyperparameters, 'attention_modules', 1)
    monkeypatch.setattr(ModelzooNetwork, 'modules', 1)
    agree(rng, attention_hyperparameters(num_stacks=1, num_poolings=3))


@pytest.mark.slow
@pytest.mark.parametrize(
    'hyperparameters, rates',
    [
        (hyperparameters_of(num_stacks=3, drop_rate=0.25), [0.25] * 3),
        (hyperparameters_of(tiny=True, drop_rate=0.5), [0.5] * 2),
        (attention_hyperparameters(num_stacks=5, drop_rate=0.5, tiny=True, modif=True), [0.1] * 2),
    ],
    ids=['standard', 'tiny', 'attention'],
)
def test_training_normalises_by_the_batch_and_drops_where_the_original_does(rng, hyperparameters, rates):
    asked = []

    def drop(x, rate, layer):
        """Zero features by their number, of NumPy and TensorFlow maps alike; batch normalisation cannot undo it."""
        asked.append((rate, layer))
        return x * np.array([(channel + layer) % 4 != 0 for channel in range(int(x.shape[3]))], np.float32)

    # A batch of two leaves 8 values a channel in the coarsest maps, whose small variances enlarge rounding.
    agree(rng, hyperparameters, True, drop, tolerance=1e-3)
    # Of two towers in the graph and of NumPy.
    assert asked == 3 * list(zip(rates, range(len(rates))))


def test_attention_network_divides_its_modules_among_the_stacks():
    for num_poolings, modules in ((1, 8), (2, 8), (3, 16), (4, 8)):
        for num_stacks in range(1, modules + 1):
            hyperparameters = attention_hyperparameters(num_stacks=num_stacks, num_poolings=num_poolings, input_size=64)
            assert hyperparameters.attention_modules == modules // num_stacks


def test_no_dropout_without_a_rate():
    with tf.Graph().as_default():
        HourglassModel(hyperparameters_of(tiny=True)).build(tf.zeros([1, 32, 32, 3]), True, no_dropout)


def test_attention_drops_without_a_rate_and_says_so_where_it_cannot():
    with tf.Graph().as_default(), pytest.raises(ValueError, match='dropout: expected a function'):
        HourglassModel(attention_hyperparameters(drop_rate=0.0)).build(tf.zeros([1, 32, 32, 3]), True)


def residual_names(scope, norms, tiny, has_skip):
    """Return the names of a residual module in the order of creation. norms: iterator over the batch norms' names."""
    convs = ['conv_block/conv'] if tiny else [f'conv_block/norm_{index}/conv' for index in (1, 2, 3)]
    names = [name for conv in convs for name in next(norms) + [f'{scope}/{conv}/weights']]
    return names + ([f'{scope}/skip_layer/conv/weights'] if has_skip else [])


def two_stack_names(num_poolings, tiny):
    """Return the names of a standard or tiny network of two stacks in the order of creation."""
    norms = (
        [f'{name}/{part}' for part in ('beta', 'moving_mean', 'moving_variance')]
        for name in ['BatchNorm'] + [f'BatchNorm_{index}' for index in range(1, 1000)]
    )
    stem = 'model/preprocessing/'
    names = [f'{stem}conv_256_to_128/weights'] + next(norms)
    for name in ('r1', 'r3') if tiny else ('r1', 'r2', 'r3'):
        names += residual_names(stem + name, norms, tiny, True)
    for stack, linear in (('model/stacks/stage_0/', 'll' if tiny else 'conv'), ('model/stacks/stage_1/', 'conv')):
        # Down: two modules a level, the innermost with a third; up: one a level, from the inside.
        levels = [f'{stack}hourglass{"/low_2" * depth}' for depth in range(num_poolings + 1)]
        modules = [level + name for level in levels for name in ('/up_1', '/low_1')] + [f'{levels[-1]}/low_2']
        for module in modules + [f'{level}/low_3' for level in reversed(levels)]:
            names += residual_names(module, norms, tiny, False)
        names += [f'{stack}{linear}/weights'] + next(norms)
        if stack.endswith('0/'):
            names += [] if tiny else [f'{stack}ll/weights']
            names += [f'{stack}out/weights', f'{stack}out_/weights']
        else:
            names += [f'{stack}out/weights']
    return names


@pytest.mark.parametrize('num_poolings, tiny', [(2, False), (1, True)])
def test_names_in_the_order_of_creation(num_poolings, tiny):
    with tf.Graph().as_default():
        model = HourglassModel(hyperparameters_of(num_poolings=num_poolings, tiny=tiny))
        model.build(tf.zeros([1, 32, 32, 3]), False)
        names = two_stack_names(num_poolings, tiny)
        assert [variable.op.name for variable in model.variables()] == names
        # A tower for evaluation beside that for training shares all of them.
        model.build(tf.zeros([1, 32, 32, 3]), True)
        assert [variable.op.name for variable in tf.global_variables()] == names


@pytest.mark.slow
@pytest.mark.parametrize(
    'hyperparameters, idle',
    [
        (hyperparameters_of(num_stacks=3), {'model/stacks/stage_1/ll/weights'}),
        (hyperparameters_of(num_stacks=3, tiny=True), set()),
    ],
    ids=['standard', 'tiny'],
)
def test_variables_that_are_not_idle_are_trained_and_have_rmsprop_slots_of_the_original_names(hyperparameters, idle):
    with tf.Graph().as_default():
        model = HourglassModel(hyperparameters)
        loss = tf.reduce_sum(tf.square(model.build_logits(tf.zeros([1, 32, 32, 3]), True)))
        gradients = make_optimizer('rmsprop', 0.1).compute_gradients(loss, tf.trainable_variables())
        make_optimizer('rmsprop', 0.1).apply_gradients(gradients)
        assert {variable.op.name for gradient, variable in gradients if gradient is None} == idle
        network = [variable.op.name for variable in model.variables()]
        slots = [variable.op.name for variable in tf.global_variables()][len(network) :]
    trained = [name for name in network if 'moving' not in name and name not in idle]
    # The mean square and the momentum of each.
    assert slots == [name + slot for name in trained for slot in ('/RMSProp', '/RMSProp_1')]


REFUSED = [
    # name, key, value, other values, message
    ('num_stacks', 'nStack', 1, {}, 'expected 2 or more: for 1 the original graph builds two stacks'),
    ('num_features', 'nFeat', 128, {'attention': True}, 'expected 256, which the stem of the original attention'),
    ('num_stacks', 'nStack', 9, {'attention': True}, 'expected at most 8: the original attention network divides'),
    ('num_stacks', 'nStack', 17, {'attention': True, 'nLow': 3}, 'expected at most 16: the original attention'),
]
NAMES = {'nLow': 'num_poolings', 'attention': 'attention'}


@pytest.mark.parametrize('name, key, value, others, reason', REFUSED)
def test_what_the_original_cannot_be_is_refused_with_the_reason(tmp_path, name, key, value, others, reason):
    hyperparameters = dict({NAMES[other]: given for other, given in others.items()}, **{name: value})
    with pytest.raises(ValueError) as caught:
        make_hyperparameters(arch='modelzoo', **hyperparameters)
    assert str(caught.value).startswith(f'{name}: {reason}')
    assert str(caught.value).endswith(f'found {value}')
    (tmp_path / 'config.cfg').write_text(
        '[Network]\n'
        + ''.join('{}: {!r}\n'.format(*pair) for pair in dict(others, arch='modelzoo', **{key: value}).items())
    )
    with pytest.raises(ConfigError) as caught:
        load_config(str(tmp_path / 'config.cfg'))
    message = str(caught.value)
    assert message.startswith(f'{tmp_path / "config.cfg"} [Network] {key}: {reason}')
    assert message.endswith(f'found {value}') and '\n' not in message


def test_input_side_is_a_multiple_of_one_pooling_more_without_attention(tmp_path):
    for size, attention, step in ((64, True, 32), (96, True, 32), (64, False, 64)):
        overrides = [
            'Network.arch=modelzoo',
            'Network.nLow=3',
            f'Network.img_size={size}',
            f'Network.attention={attention}',
        ]
        (tmp_path / 'config.cfg').write_text('')
        assert load_config(str(tmp_path / 'config.cfg'), overrides).Network.img_size == size
        assert (
            make_hyperparameters(arch='modelzoo', num_poolings=3, input_size=size, attention=attention).input_size
            == size
        )
        for wrong in (size + step // 2, size + 4):
            with pytest.raises(
                ConfigError,
                match=r'Network.img_size: expected a multiple of %d \* 2\^nLow = %d, for '
                'instance .*, found %d' % (step // 8, step, wrong),
            ):
                load_config(str(tmp_path / 'config.cfg'), overrides + [f'Network.img_size={wrong}'])
            with pytest.raises(
                ValueError,
                match=r'input_size: expected a multiple of %d \* 2\^num_poolings = %d, for instance .*, found %d'
                % (step // 8, step, wrong),
            ):
                make_hyperparameters(arch='modelzoo', num_poolings=3, input_size=wrong, attention=attention)


def test_what_the_original_has_fixed_is_its_own():
    standard = hyperparameters_of()
    assert standard.stem_features == (64, 128, 4) and standard.input_mean == (0, 0, 0)
    for name in ('stem_features', 'attention_kernel', 'input_mean', 'num_modules'):
        with pytest.raises(ValueError, match=f"{name}: expected no such hyperparameter with arch 'modelzoo'"):
            make_hyperparameters(arch='modelzoo', **{name: 1})
