"""TrainGraph: averaged weights, clipping, masks, seeds and skipped steps, against NumPy on a network of one layer."""

from dataclasses import replace

import numpy as np
import pytest

from hourglass_pose.checkpoints.variables import VariableSaver
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.representations.table import REPRESENTATIONS, make_codec
from hourglass_pose.runtime.native import NativeRuntime
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.train_graph import TrainGraph
from named_weights import weights_of
from reference_network import EPSILON
from trained_graph import CONSTANT_RATE, CPU, ROWS, Trained, batch_of


class PlainDescent(NativeRuntime):
    """Replaces the optimizer by x <- x - gradient, so that the change of the variables is the applied gradient."""

    def wrap_optimizer(self, optimizer):
        return tf.train.GradientDescentOptimizer(1.0)


def with_weights(batch, weights):
    return replace(batch, joint_weights=np.array(weights, np.float32) * np.ones((ROWS, 3), np.float32))


HUGE = 1e38 * np.array([[1], [-1], [1], [-1]])
"""Weights whose sum is zero, so that the loss is finite and a scaled gradient is not."""


def evaluated(values, images):
    """Return the logits of the network of one layer with these variables, in NumPy."""
    x = images[:, ::4, ::4] / 255.0 - 0.5
    y = x.dot(values['model/conv/weights'][0, 0]) + values['model/conv/biases']
    y = (y - values['model/batch_norm/moving_mean']) / np.sqrt(values['model/batch_norm/moving_variance'] + EPSILON)
    return (y * values['model/batch_norm/gamma'] + values['model/batch_norm/beta'])[:, None]


@pytest.mark.parametrize('decay', [0.0, 0.15, 0.9])
def test_evaluation_uses_the_average_of_the_recursion(rng, decay):
    images = rng.randint(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    with Trained(ema_decay=decay) as trained:
        averages = None
        for step in range(1, 6):
            trained.step(batch_of(rng))
            values = trained.values()
            d = min(decay, (step - 1.0) / (step + 8.0))
            averages = values if step == 1 else {name: d * averages[name] + (1 - d) * values[name] for name in values}
            logits = trained.session.run(trained.train.valid_logits, {trained.train.valid_images: images})
            np.testing.assert_allclose(logits, evaluated(averages, images), rtol=1e-3, atol=1e-4)
        if decay:
            found = trained.values('ExponentialMovingAverage')
            assert set(found) == set(values)
            for name in found:
                np.testing.assert_allclose(found[name], averages[name], rtol=1e-4, atol=1e-6)
        # The average of this many steps is far from the last weights, so that the check can tell them apart.
        assert decay < 0.5 or not np.allclose(logits, evaluated(values, images), rtol=1e-3, atol=1e-4)


def trainable(values):
    return np.concatenate([value.ravel() for name, value in sorted(values.items()) if 'moving' not in name])


@pytest.mark.parametrize('clip_norm', [0.0, 0.01, 1e6])
def test_clipping_bounds_the_applied_gradient_and_keeps_its_direction(rng, clip_norm):
    batch, applied = batch_of(rng), []
    for limit in (0.0, clip_norm):
        with Trained(PlainDescent('cpu', 'float32', 1), clip_norm=limit) as trained:
            before = trainable(trained.values())
            _, norm = trained.step(batch)
            applied.append(before - trainable(trained.values()))
    free, clipped = applied
    assert norm > 0.05 and np.linalg.norm(free) == pytest.approx(norm, rel=1e-3)
    np.testing.assert_allclose(clipped, free * (min(1.0, clip_norm / norm) if clip_norm else 1.0), rtol=1e-3, atol=1e-6)


def test_masked_rows_have_no_gradient(rng):
    masked = batch_of(rng, mask=(1, 0, 1, 0))
    other = batch_of(rng, mask=(1, 0, 1, 0))
    # The same images, other labels in the masked rows.
    joints = np.where(masked.mask[:, None, None] > 0, masked.joints_crop, other.joints_crop)
    changed = replace(masked, joints_crop=joints)
    results = []
    for batch in (masked, changed):
        with Trained() as trained:
            loss, norm = trained.step(batch)
            results.append((loss, norm, trainable(trained.values())))
    assert results[0][:2] == results[1][:2]
    assert np.array_equal(results[0][2], results[1][2])


def test_loss_of_a_masked_batch_is_that_of_its_other_rows(rng):
    batch = batch_of(rng, mask=(1, 0, 1, 0))
    with Trained(loss='mse') as trained:
        logits = trained.session.run(trained.train.logits, trained.feed(batch))[:, 0]
        loss, _ = trained.step(batch)
        targets = trained.codec.target(batch.joints_crop, batch.labelled)
    assert loss == pytest.approx(np.square(logits - targets)[[0, 2]].mean(), rel=1e-5)


def test_same_seed_same_start_and_other_seed_other_start():
    starts = []
    for seed in (3, 3, 4):
        with Trained(seed=seed) as trained:
            starts.append(trained.values()['model/conv/weights'])
    assert np.array_equal(starts[0], starts[1])
    assert not np.array_equal(starts[0], starts[2])


def test_dropout_changes_with_step_and_rank_and_not_otherwise(rng):
    second_rank = NativeRuntime('cpu', 'float32', intra_threads=1)
    second_rank.rank, second_rank.world_size = 1, 2
    batch, seen = batch_of(rng), []
    for runtime in (CPU, CPU, second_rank):
        with Trained(runtime, drop_rate=0.5, seed=7) as trained:
            logits = [trained.session.run(trained.train.logits, trained.feed(batch)) for _ in range(2)]
            assert np.array_equal(*logits)
            trained.session.run(trained.train.global_step.assign_add(1))
            seen.append((logits[0], trained.session.run(trained.train.logits, trained.feed(batch))))
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0][0], seen[0][1])
    assert not np.array_equal(seen[0][0], seen[2][0])


@pytest.mark.parametrize('optimizer', ['adam', 'adamw', 'rmsprop'])
def test_overflowing_step_changes_nothing_but_the_count_of_skipped_steps(rng, optimizer):
    runtime = NativeRuntime('gpu', 'mixed')  # without a GPU its graph runs on the CPU, in float32
    assert runtime.skips_overflow
    weight_decay = 0.1 if optimizer == 'adamw' else 0.0
    with Trained(runtime, optimizer=optimizer, weight_decay=weight_decay, loss='sigmoid', ema_decay=0.5) as trained:
        batch = batch_of(rng)
        huge = with_weights(batch, HUGE)
        trained.step(batch)
        before = trained.everything()
        loss, norm = trained.step(huge)
        assert np.isfinite(loss) and not np.isfinite(norm)
        after = trained.everything()
        # The moving statistics and the averages of the weights among them: neither takes the batch in.
        changed = {name for name in before if not np.array_equal(before[name], after[name])}
        assert 'skipped_steps' in changed and after['skipped_steps'] == 1 and after['global_step'] == 1
        assert all('scale' in name or 'good_steps' in name or name == 'skipped_steps' for name in changed)
        loss, norm = trained.step(batch)
        assert np.isfinite([loss, norm]).all()
        last = trained.everything()
        assert (last['global_step'], last['skipped_steps']) == (2, 1)
        assert not np.array_equal(last['model/conv/weights'], after['model/conv/weights'])
        assert not np.array_equal(last['model/batch_norm/moving_mean'], after['model/batch_norm/moving_mean'])


def test_values_that_are_not_finite_never_reach_statistics_or_averages(rng):
    with Trained(NativeRuntime('gpu', 'mixed'), loss='mse', ema_decay=0.5) as trained:
        batch = batch_of(rng)
        trained.step(batch)
        for value in (np.nan, np.inf, -np.inf):
            trained.step(with_weights(batch, value))
        values = trained.everything()
        assert (values['global_step'], values['skipped_steps']) == (1, 3)
        assert [name for name, value in values.items() if not np.isfinite(value).all()] == []


@pytest.mark.parametrize('optimizer', ['adam', 'adamw', 'rmsprop'])
def test_variables_have_the_same_names_with_and_without_loss_scaling(optimizer):
    names = []
    for runtime in (CPU, NativeRuntime('gpu', 'mixed')):
        with Trained(runtime, optimizer=optimizer, ema_decay=0.5) as trained:
            names.append({name for name in trained.everything() if 'scale' not in name and 'good_steps' not in name})
    assert names[0] == names[1]


def run_of(trained, batches):
    """Train on batches in runs of the runtime; return [(finished, loss_sum)] of the runs."""
    graph = trained.train
    # Where the graph is another one, the seed alone gives other weights.
    shapes = graph.storage.shapes
    with trained.graph.as_default():
        saver = VariableSaver('net', shapes)
    saver.set(trained.session, {name: weights_of(name, shape) for name, shape in shapes.items()})
    graph.input.start(trained.session, iter(batches))
    found = []
    for _ in range(len(batches) // trained.runtime.steps_per_run):
        _, finished, loss_sum = trained.runtime.run(
            trained.session, [graph.train_op, graph.finished, graph.loss_sum], graph.input.next_feed()
        )
        found.append((int(finished), float(loss_sum)))
    return found


def test_biases_before_a_batch_norm_move_its_mean_and_nothing_else(rng):
    batch, found = batch_of(rng), []
    bias = np.array([0.5, -2.0, 1.0], np.float32)
    for added in (np.zeros(3, np.float32), bias):
        with Trained(seed=1) as trained:
            with trained.graph.as_default():
                VariableSaver('net', {}).set(trained.session, {'model/conv/biases': added})
            trained.step(batch)
            found.append(trained.values())
    first, second = found
    np.testing.assert_allclose(
        second['model/batch_norm/moving_mean'] - first['model/batch_norm/moving_mean'], 0.1 * bias, rtol=1e-5
    )
    assert np.array_equal(second['model/conv/biases'], bias)
    for name in set(first) - {'model/conv/biases', 'model/batch_norm/moving_mean'}:
        np.testing.assert_allclose(second[name], first[name], rtol=1e-6, err_msg=name)


def test_runs_of_several_steps_on_read_batches_are_those_of_single_steps_on_fed_ones(rng):
    batches = [batch_of(rng, mask=(1, 1, 1, number % 2)) for number in range(6)]
    outcomes, values = {}, []
    for steps in (1, 3):
        with Trained(NativeRuntime('cpu', 'float32', 1, steps_per_run=steps), ema_decay=0.5, drop_rate=0.3) as trained:
            outcomes[steps] = run_of(trained, batches)
            values.append(trained.everything())
    assert [finished for finished, _ in outcomes[1]] == [1, 2, 3, 4, 5, 6]
    assert [finished for finished, _ in outcomes[3]] == [3, 6]
    losses = np.array([loss for _, loss in outcomes[1]]).reshape(2, 3)
    np.testing.assert_allclose([loss for _, loss in outcomes[3]], losses.sum(axis=1), rtol=1e-6)
    assert set(values[0]) == set(values[1])
    assert [name for name in values[0] if not np.array_equal(values[0][name], values[1][name])] == []


def test_sum_of_the_losses_leaves_skipped_steps_out(rng):
    batches = [batch_of(rng) for _ in range(4)]
    batches[1] = with_weights(batches[1], HUGE)
    sums = {}
    for steps in (1, 4):
        with Trained(NativeRuntime('gpu', 'mixed', steps_per_run=steps), loss='sigmoid') as trained:
            sums[steps] = run_of(trained, batches)
    assert [finished for finished, _ in sums[1]] == [1, 1, 2, 3] and sums[1][1][1] == 0
    ((finished, total),) = sums[4]
    assert finished == 3 and total == pytest.approx(sum(loss for _, loss in sums[1]), rel=1e-5)


def ancestors(fetches):
    """Return the operations that a run of fetches executes."""
    waiting, found = [getattr(fetch, 'op', fetch) for fetch in fetches], set()
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += list(operation.control_inputs) + [tensor.op for tensor in operation.inputs]
    return found


@pytest.mark.parametrize(
    'steps_per_run, loss',
    [(1, loss) for loss in REPRESENTATIONS]
    + [pytest.param(2, loss, marks=[pytest.mark.slow] * (loss != 'softmax')) for loss in REPRESENTATIONS],
)
def test_graphs_of_training_and_evaluation_hold_nothing_that_a_device_cannot_do(steps_per_run, loss):
    runtime = NativeRuntime('cpu', 'float32', 1, steps_per_run=steps_per_run)
    with tf.Graph().as_default():
        hyperparameters = make_hyperparameters(
            num_stacks=2, num_features=8, num_poolings=1, input_size=64, stem_features=(4, 8, 8)
        )
        codec = make_codec(16, loss=loss)
        graph = TrainGraph(
            HourglassModel(hyperparameters), codec, runtime, CONSTANT_RATE, ROWS, 2, ema_decay=0.9, clip_norm=1.0
        )
        outcome = [graph.train_op, graph.loss, graph.finished, graph.skipped, graph.loss_sum, graph.gradient_norm]
        for fetches in (outcome, [graph.valid_logits], [graph.initialisation]):
            for operation in ancestors(fetches):
                kind = operation.type
                assert not any(
                    word in kind
                    for word in ('PyFunc', 'Decode', 'Encode', 'Summary', 'String', 'Print', 'File', 'Parse', 'OneShot')
                ), operation.name
                # A gradient of broadcasting is folded away, for the shapes are static; what batch normalisation hands
                # to its own gradient is no tensor of the network.
                if kind not in ('BroadcastGradientArgs', 'Iterator', 'IteratorV2'):
                    for tensor in operation.outputs[: 3 if 'FusedBatchNorm' in kind else None]:
                        of_gradient = any(source.op.type == 'BroadcastGradientArgs' for source in operation.inputs)
                        assert of_gradient or tensor.shape.is_fully_defined(), tensor.name
                        assert tensor.dtype.base_dtype != tf.string, tensor.name


def test_joints_without_a_label_teach_an_empty_map_where_they_have_a_weight(rng):
    batch = batch_of(rng)
    batch.labelled[:, 1] = False
    losses = []
    for joints in (batch.joints_crop, rng.uniform(0, 7, (ROWS, 3, 2)), np.full((ROWS, 3, 2), np.nan)):
        joints = np.where(batch.labelled[..., None], batch.joints_crop, joints)
        with Trained(loss='mse') as trained:
            logits = trained.session.run(trained.train.logits, trained.feed(batch))[:, 0]
            losses.append(trained.step(replace(batch, joints_crop=joints))[0])
    assert losses[0] == losses[1] == losses[2]
    targets = trained.codec.target(batch.joints_crop, batch.labelled)
    assert not targets[..., 1].any()
    assert losses[0] == pytest.approx(np.square(logits - targets).mean(), rel=1e-5)


@pytest.mark.parametrize('count', [1, 2, 5])
def test_any_number_of_crops_is_predicted_in_blocks(rng, count):
    images = rng.randint(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    with Trained() as trained:
        expected = evaluated(trained.values(), images)[:, 0]
        found = trained.train.predict_logits(trained.session, images)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
