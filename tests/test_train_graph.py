"""TrainGraph: averaged weights, clipping, masks, seeds and skipped steps, against NumPy on a network of one layer."""

from types import SimpleNamespace

import numpy as np
import pytest
from one_layer_model import OneLayerModel
from reference_network import EPSILON

from hourglass_pose.data.generator import Batch
from hourglass_pose.runtime.native import NativeRuntime
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.optimizer import ScheduleSettings
from hourglass_pose.training.train_graph import TrainGraph

ROWS = 4
CPU = NativeRuntime('cpu', 'float32', intra_threads=1)
CONSTANT_RATE = ScheduleSettings(100, 0.05, 'exponential', decay=1.0)


class PlainDescent(NativeRuntime):
    """Replaces the optimizer by x <- x - gradient, so that the change of the variables is the applied gradient."""

    def wrap_optimizer(self, optimizer):
        return tf.train.GradientDescentOptimizer(1.0)


class Trained:
    """A TrainGraph in a session. Use as a context."""

    def __init__(self, runtime=CPU, drop_rate=0.0, **options):
        self.graph = tf.Graph()
        with self.graph.as_default():
            model = OneLayerModel()
            model.traits = SimpleNamespace(**dict(vars(model.traits), drop_rate=drop_rate))
            self.train = TrainGraph(model, runtime, CONSTANT_RATE, ROWS, 2, **options)
            self.session = tf.Session(config=runtime.session_config())
            self.session.run(self.train.initialisation)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.session.close()

    def step(self, batch):
        fetches = [self.train.train_op, self.train.loss, self.train.gradient_norm]
        return self.session.run(fetches, self.train.feed(batch))[1:]

    def values(self, ending=''):
        """Return {name: value} of the network's variables, or of those with another ending of the name."""
        with self.graph.as_default():
            variables = [v for v in tf.global_variables('model/') if v.op.name.split('/')[-1] in (
                ('weights', 'biases', 'gamma', 'beta', 'moving_mean', 'moving_variance') if not ending else (ending,))]
        return dict(zip([v.op.name[:len(v.op.name) - len(ending)].rstrip('/') for v in variables],
                        self.session.run(variables)))


def batch_of(rng, mask=(1, 1, 1, 1)):
    return Batch(
        rng.randint(0, 256, (ROWS, 8, 8, 3)).astype(np.uint8), rng.uniform(size=(ROWS, 2, 2, 3)).astype(np.float32),
        np.ones((ROWS, 3), np.float32), np.array(mask, np.float32), np.arange(ROWS), None, None)


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
            averages = values if step == 1 else {
                name: d * averages[name] + (1 - d) * values[name] for name in values}
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


def test_masked_rows_teach_nothing(rng):
    masked = batch_of(rng, mask=(1, 0, 1, 0))
    other = batch_of(rng, mask=(1, 0, 1, 0))
    # The same pictures, other labels in the masked rows.
    heatmaps = np.where(masked.mask[:, None, None, None] > 0, masked.heatmaps, other.heatmaps)
    changed = Batch(masked.images, heatmaps, *[getattr(masked, name) for name in (
        'joint_weights', 'mask', 'indices', 'joints_crop', 'affines_crop_from_img')])
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
        logits = trained.session.run(trained.train.logits, trained.train.feed(batch))[:, 0]
        loss, _ = trained.step(batch)
    assert loss == pytest.approx(np.square(logits - batch.heatmaps)[[0, 2]].mean(), rel=1e-5)


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
            logits = [trained.session.run(trained.train.logits, trained.train.feed(batch)) for _ in range(2)]
            assert np.array_equal(*logits)
            trained.session.run(trained.train.global_step.assign_add(1))
            seen.append((logits[0], trained.session.run(trained.train.logits, trained.train.feed(batch))))
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0][0], seen[0][1])
    assert not np.array_equal(seen[0][0], seen[2][0])


@pytest.mark.parametrize('optimizer', ['adam', 'adamw', 'rmsprop'])
def test_step_that_overflows_is_left_out_but_counted_by_dynamic_loss_scaling(rng, optimizer):
    runtime = NativeRuntime('gpu', 'mixed')  # without a GPU its graph runs on the CPU, in float32
    assert runtime.skips_overflow
    weight_decay = 0.1 if optimizer == 'adamw' else 0.0
    with Trained(runtime, optimizer=optimizer, weight_decay=weight_decay, loss='sigmoid') as trained:
        start = trainable(trained.values())
        batch = batch_of(rng)
        huge = Batch(batch.images, np.full_like(batch.heatmaps, 1e36), *[getattr(batch, name) for name in (
            'joint_weights', 'mask', 'indices', 'joints_crop', 'affines_crop_from_img')])
        loss, norm = trained.step(huge)
        assert np.isfinite(loss) and not np.isfinite(norm)
        assert np.array_equal(trainable(trained.values()), start)
        assert trained.session.run(trained.train.global_step) == 1
        loss, norm = trained.step(batch)
        assert np.isfinite([loss, norm]).all()
        assert not np.array_equal(trainable(trained.values()), start)
        assert trained.session.run(trained.train.global_step) == 2
