"""Attention maps and the attention network: against NumPy, in what depends on what, and in the original's names."""

from dataclasses import replace

import numpy as np
import pytest
from test_hourglass_model import randomise, session_of

from hourglass_pose import HourglassModel
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.newell_attention.attention import attended_logits, attention_maps, multi_resolution_attention
from hourglass_pose.graph.newell_attention.network import hourglass_residual_unit
from hourglass_pose.graph.tower import Tower
from hourglass_pose.representations.mse import graph as mse
from hourglass_pose.runtime.native import NativeRuntime, bfloat16_obstacle
from hourglass_pose.tf_compat import tf
from reference_attention import AttentionNetwork

SMALL = make_hyperparameters(
    arch='newell_attention',
    num_stacks=3,
    num_features=8,
    num_poolings=3,
    num_joints=3,
    input_size=32,
    stem_features=(2, 4),
    attention_kernel=5,
)
SMALLEST = replace(SMALL, num_stacks=2, num_poolings=1, input_size=16)


def value_and_reference(build, rng, hyperparameters=SMALL):
    """Return the value of build(tower) in evaluation and scope 'at', and the NumPy network of its random variables."""
    with tf.Graph().as_default() as graph:
        with tf.variable_scope('at'):
            result = build(Tower(is_training=False))
        with session_of(graph, initialise=False) as session:
            weights = randomise(session, tf.global_variables(), rng)
            return session.run(result), AttentionNetwork(hyperparameters, weights)


@pytest.mark.parametrize('kernel, steps', [(1, 1), (1, 3), (5, 1), (5, 3)])
def test_attention_maps_are_mean_field_steps_between_0_and_1(rng, kernel, steps):
    hyperparameters = replace(SMALL, attention_kernel=kernel, attention_iterations=steps)
    x = rng.normal(size=(2, 6, 10, 4)).astype(np.float32)
    y, network = value_and_reference(
        lambda tower: attention_maps(tower, tf.constant(x), hyperparameters, 2), rng, hyperparameters
    )
    expected = np.concatenate([network.attention(x, 'at/attention_iter', index) for index in (0, 1)], axis=-1)
    assert y.shape == (2, 6, 10, 2) and 0 <= y.min() and y.max() <= 1 and y.std() > 0.1
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_maps_of_all_resolutions_are_brought_to_full_size_and_added(rng):
    x, middle, coarse = [rng.normal(size=(2, 12 // step, 8 // step, 4)).astype(np.float32) for step in (1, 2, 4)]
    y, network = value_and_reference(
        lambda tower: multi_resolution_attention(
            tower, tf.constant(x), SMALL, [tf.constant(coarse), tf.constant(middle)]
        ),
        rng,
    )
    assert y.shape == (2, 12, 8, 1) and 0 <= y.min() and y.max() <= 3
    np.testing.assert_allclose(y, network.multi_resolution(x, [coarse, middle], 'at'), atol=1e-5)
    one, network = value_and_reference(lambda tower: multi_resolution_attention(tower, tf.constant(x), SMALL, []), rng)
    np.testing.assert_allclose(one, network.attention(x, 'at/attention_iter'), atol=1e-5)


@pytest.mark.parametrize('num_maps', [1, 3])
def test_logits_of_a_joint_come_from_features_weighted_by_its_map(rng, num_maps):
    x = rng.normal(size=(2, 6, 10, 4)).astype(np.float32)
    y, network = value_and_reference(lambda tower: attended_logits(tower, tf.constant(x), SMALL, num_maps), rng)
    np.testing.assert_allclose(y, network.logits(x, num_maps == 3, 'at'), atol=1e-5)


@pytest.mark.parametrize('tiny', [False, True])
def test_hourglass_residual_unit_adds_a_bottleneck_and_a_pooled_branch(rng, tiny):
    x = rng.normal(size=(2, 6, 10, 8)).astype(np.float32)
    hyperparameters = replace(SMALL, tiny=tiny, stem_features=None)
    y, network = value_and_reference(
        lambda tower: hourglass_residual_unit(tower, tf.constant(x), hyperparameters), rng, hyperparameters
    )
    expected = network.hourglass_residual_unit(x, 'at/residual_pool')
    np.testing.assert_allclose(y, expected, atol=1e-5 * np.abs(expected).max())
    assert network.used == set(network.weights)


@pytest.mark.slow
@pytest.mark.parametrize(
    'hyperparameters, is_training',
    [
        (replace(SMALL, num_stacks=1), False),
        (replace(SMALLEST, num_stacks=3, input_mean=(0.2, 0.5, 0.6)), False),
        (replace(SMALLEST, num_stacks=1, num_modules=3, tiny=True, stem_features=(2, 4)), False),
        (replace(SMALL, num_stacks=1, num_poolings=2), True),
    ],
    ids=['poolings', 'stacks', 'modules', 'training'],
)
def test_whole_network_agrees_with_numpy(rng, hyperparameters, is_training):
    images = rng.uniform(size=(3, hyperparameters.input_size, hyperparameters.input_size, 3)).astype(np.float32)
    with tf.Graph().as_default() as graph:
        model = HourglassModel(hyperparameters)
        logits = model.build(tf.constant(images), is_training)
        with session_of(graph, initialise=False) as session:
            weights = randomise(session, model.variables(), rng)
            y = session.run(logits)
    network = AttentionNetwork(hyperparameters, weights, is_training)
    expected = network.forward(images)
    assert network.used == set(weights), 'a variable that the network does not need'
    # The coarsest maps have 12 values a channel, whose small variances enlarge rounding in training.
    np.testing.assert_allclose(y, expected, atol=(1e-3 if is_training else 1e-4) * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize('stacks, first', [(1, 0), (2, 1), (3, 1), (5, 2)])
def test_maps_of_parts_begin_in_the_middle_of_the_stacks(stacks, first):
    with tf.Graph().as_default():
        model = HourglassModel(replace(SMALLEST, num_stacks=stacks))
        model.build(tf.zeros([1, 16, 16, 3]), False)
        maps = [
            sum(
                variable.shape.as_list()[2]
                for variable in model.variables()
                if variable.op.name.startswith(f'model/stack_{index}/') and 'shared_weights' in variable.op.name
            )
            for index in range(stacks)
        ]
    # One map of the whole body in every stack, then a refined one or those of the three joints.
    assert maps == [1 + (3 if index >= first else 1) for index in range(stacks)]


@pytest.mark.slow
def test_every_trained_variable_changes_the_output():
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(1)
        # Modules of few channels can be silent by chance.
        model = HourglassModel(replace(SMALL, num_stacks=2, num_poolings=2, num_features=16, stem_features=(16, 16)))
        logits = model.build(tf.random.stateless_uniform([2, 32, 32, 3], [1, 2]), True)
        trained = tf.trainable_variables()
        gradients = tf.gradients(tf.reduce_sum(tf.square(logits[:, -1])), trained, unconnected_gradients='zero')
        with session_of(graph) as session:
            sizes = [np.abs(gradient).max() for gradient in session.run(gradients)]
    # Batch normalisation removes what the biases before it add; there is none after the attention's.
    idle = [variable.op.name for variable, size in zip(trained, sizes) if not size > 1e-6]
    assert [name for name in idle if not name.endswith('/biases') or '/attention/' in name] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    'features, changes',
    [
        (8, {'num_stacks': 1, 'num_joints': 1, 'tiny': True}),
        (12, {'num_stacks': 1, 'num_poolings': 2}),
        (20, {'num_stacks': 1, 'num_poolings': 4, 'input_size': 64, 'drop_rate': 0.5}),
    ],
    ids=str,
)
def test_any_number_of_features_stacks_and_poolings_can_be_built(features, changes):
    hyperparameters = replace(
        SMALLEST,
        **dict(
            {'num_features': features, 'stem_features': (features // 4, features // 2), 'input_size': 32}, **changes
        ),
    )
    dropped = []

    def dropout(x, rate, layer):
        dropped.append((rate, layer))
        return x

    with tf.Graph().as_default():
        images = tf.placeholder(tf.uint8, [2, hyperparameters.input_size, hyperparameters.input_size, 3])
        logits = HourglassModel(hyperparameters).build(images, True, dropout)
    cells = hyperparameters.input_size // 4
    assert logits.shape.as_list() == [2, hyperparameters.num_stacks, cells, cells, hyperparameters.num_joints]
    assert dropped == ([(0.5, 0)] if hyperparameters.drop_rate else [])


def test_maps_start_undecided():
    """A sigmoid that starts at 0 or 1 learns nothing."""
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(1)
        features = tf.nn.relu(tf.random.stateless_normal([4, 16, 16, 256], [3, 4]))
        maps = attention_maps(Tower(False), features, replace(SMALL, attention_kernel=11), 16)
        with session_of(graph) as session:
            y = session.run(maps)
    # Evidence has variance 2 / (9 * 256) * 9 * 256 * E[relu(x)^2] = 1; half of the cells are well inside.
    assert np.mean((y > 0.1) & (y < 0.9)) > 0.5


def step(hyperparameters, precision, rng):
    """Return (loss, global norm of the gradient, types of the tensors computed with) of a training step."""
    images = rng.randint(0, 256, (4, hyperparameters.input_size, hyperparameters.input_size, 3)).astype(np.uint8)
    cells = hyperparameters.heatmap_size
    targets = rng.uniform(size=(4, cells, cells, hyperparameters.num_joints)).astype(np.float32)
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(1)
        image_feed = tf.placeholder(tf.uint8, images.shape)
        logits = HourglassModel(hyperparameters).build(image_feed, True)
        loss = mse.loss(logits, tf.constant(targets), tf.ones([4, hyperparameters.num_joints]))
        norm = tf.global_norm(tf.gradients(loss, tf.trainable_variables()))
        runtime = NativeRuntime('cpu', precision, intra_threads=1)
        with tf.Session(graph=graph, config=runtime.session_config()) as session:
            session.run(tf.global_variables_initializer())
            report = tf.RunMetadata()
            values = session.run(
                [loss, norm],
                {image_feed: images},
                run_metadata=report,
                options=tf.RunOptions(output_partition_graphs=True),
            )
    types = {node.attr['T'].type for part in report.partition_graphs for node in part.node if 'Conv2D' in node.op}
    return values + [types]


def test_mixed_precision_computes_convolutions_in_bfloat16_and_stays_near_float32(rng):
    if bfloat16_obstacle():
        pytest.skip(bfloat16_obstacle())
    state = rng.get_state()
    results = []
    for precision in ('float32', 'mixed'):
        rng.set_state(state)
        results.append(step(replace(SMALLEST, num_stacks=1), precision, rng))
    (exact, exact_norm, exact_types), (mixed, mixed_norm, mixed_types) = results
    assert exact_types == {tf.float32.as_datatype_enum} and tf.bfloat16.as_datatype_enum in mixed_types
    # bfloat16 keeps 8 bits; some ten layers follow each other. Gradients go through batch norms of a few cells, which
    # amplify rounding without a bound.
    assert mixed == pytest.approx(exact, rel=0.1) and np.isfinite([exact_norm, mixed_norm]).all()


class OriginalNames:
    """Writes down the variables of the original code's attention network of two stacks and one pooling, layer by layer.

    Eight modules are divided among the stacks, so four follow each other at each position.
    """

    def __init__(self, joints):
        self.names, self.norms = [], 0
        self.conv('preprocessing/conv')
        self.norm()
        for number, widens in enumerate((False, False, True, False, False, True)):
            self.residual(numbered('preprocessing/residual_block', number), widens)
        for stack in (0, 1):
            self.hourglass(f'stacks/houglass_{stack + 1}/mcam_hg')
            for layer in (5 * stack, 5 * stack + 1):
                self.conv(numbered('stacks/conv', layer))
                self.norm()
            self.map(f'{numbered("stacks/attention_part", stack)}/attention_iter')
            if stack == 0:
                for layer in (2, 3, 4):
                    self.conv(f'stacks/conv_{layer}')
                self.norm()
        for joint in range(joints):
            self.map(numbered('stacks/attention_part_2/attention_iter', joint))
            self.conv(numbered('stacks/attention_part_2/conv', joint))

    def conv(self, scope):
        self.names.append(f'{scope}/weights')

    def norm(self):
        self.names += [
            f'{numbered("BatchNorm", self.norms)}/{part}' for part in ('beta', 'moving_mean', 'moving_variance')
        ]
        self.norms += 1

    def residual(self, scope, widens=False):
        for layer in (1, 2, 3):
            self.norm()
            self.conv(f'{scope}/conv_block/norm_{layer}/conv')
        if widens:
            self.conv(f'{scope}/skip_layer/conv')

    def hourglass(self, scope):
        self.residual(f'{scope}/residual_block')
        self.residual(f'{scope}/residual_block_1')
        for module in (1, 2, 3):
            unit = numbered(f'{scope}/residual_pool', module - 1)
            self.residual(unit)
            for layer in (0, 1):
                self.norm()
                self.conv(numbered(f'{unit}/pool_layer/conv', layer))
            self.residual(f'{scope}/residual_block_{module + 1}')
        self.residual(f'{scope}/residual_block_5')
        self.residual(f'{scope}/residual_block_6')

    def map(self, scope):
        self.conv(f'{scope}/conv')
        self.names.append(f'{scope}/shared_weights')


def numbered(name, number):
    return f'{name}_{number}' if number else name


def test_original_network_keeps_the_names_and_their_order():
    hyperparameters = make_hyperparameters(
        arch='modelzoo', attention=True, num_stacks=2, num_poolings=1, num_joints=3, input_size=16
    )
    with tf.Graph().as_default():
        model = HourglassModel(hyperparameters)
        model.build(tf.zeros([1, 16, 16, 3]), False)
        assert [variable.op.name for variable in model.variables()] == OriginalNames(3).names
