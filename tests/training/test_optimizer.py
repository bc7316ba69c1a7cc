"""Optimizers against NumPy and learning rates against closed forms."""

import numpy as np
import pytest

from graph_values import graph_values
from hourglass_pose.graph.storage import Declared, Storage
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.optimizer import ScheduleSettings, learning_rate, make_optimizer

RATE, WEIGHT_DECAY = 0.01, 0.3


def train(kind, gradients, start, rate=RATE, weight_decay=0.0, joins=False):
    """Return the values of variables after each step. gradients: for each step, an array a variable."""
    with tf.Graph().as_default(), tf.Session() as session:
        names = [f'v{index}' for index in range(len(start))]
        declared = [
            Declared(name, array.shape, lambda shape, *_, array=array, **__: tf.constant(array), True)
            for name, array in zip(names, start)
        ]
        groups = Storage(declared, joins).weights
        feeds = {name: tf.placeholder(tf.float32, array.shape) for name, array in zip(names, start)}
        pairs = [(group.joined(feeds), group.variable) for group in groups]
        step = make_optimizer(kind, rate, weight_decay, groups).apply_gradients(pairs)
        session.run(tf.global_variables_initializer())
        history = []
        for values in gradients:
            session.run(step, dict(zip(feeds.values(), values)))
            found = graph_values(session)
            history.append([found[name] for name in names])
        return history


def adam_reference(gradients, start, rate=RATE, weight_decay=0.0):
    """Kingma and Ba 2015, algorithm 1 with the epsilon of its section 2; the decay of Loshchilov and Hutter 2019."""
    x, m, v, history = start.astype(np.float64), 0.0, 0.0, []
    for t, gradient in enumerate(gradients, 1):
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        x = x - rate * weight_decay * x - rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)
        history.append(x)
    return history


@pytest.fixture
def problem(rng):
    start = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 3, 2, 4), (4,))]
    return start, [[rng.normal(size=array.shape).astype(np.float32) for array in start] for _ in range(3)]


def test_adam_steps_equal_numpy(problem):
    start, gradients = problem
    for index in (0, 1):
        expected = adam_reference([step[index] for step in gradients], start[index])
        for found, wanted in zip(train('adam', gradients, start), expected):
            np.testing.assert_allclose(found[index], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('joins', [False, True])
def test_adamw_steps_equal_numpy_and_leave_biases_undecayed(problem, joins):
    start, gradients = problem
    history = train('adamw', gradients, start, weight_decay=WEIGHT_DECAY, joins=joins)
    for index, decay in ((0, WEIGHT_DECAY), (1, 0.0)):
        expected = adam_reference([step[index] for step in gradients], start[index], weight_decay=decay)
        for found, wanted in zip(history, expected):
            np.testing.assert_allclose(found[index], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('joins', [False, True])
def test_adamw_without_gradient_shrinks_kernels_alone(problem, joins):
    start, gradients = problem
    none = [[0 * array for array in start]]
    kernel, bias = train('adamw', none, start, weight_decay=WEIGHT_DECAY, joins=joins)[0]
    np.testing.assert_allclose(kernel, start[0] * (1 - RATE * WEIGHT_DECAY), rtol=1e-6)
    assert np.array_equal(bias, start[1])


def test_rmsprop_steps_equal_numpy(problem):
    start, gradients = problem
    history = train('rmsprop', gradients, start)
    for index in (0, 1):
        # Tieleman and Hinton 2012; TensorFlow starts the mean square at one and adds epsilon inside the root.
        x, mean_square = start[index].astype(np.float64), 1.0
        for found, gradient in zip(history, [step[index] for step in gradients]):
            mean_square = 0.99 * mean_square + 0.01 * gradient**2
            x = x - RATE * gradient / np.sqrt(mean_square + 1e-8)
            np.testing.assert_allclose(found[index], x, rtol=1e-5, atol=1e-6)


def test_unknown_optimizer_is_refused():
    with tf.Graph().as_default(), pytest.raises(ValueError, match="adam, adamw or rmsprop, found 'sgd'"):
        make_optimizer('sgd', 0.1)


def rates(settings, steps):
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.placeholder(tf.int64, [])
        rate = learning_rate(settings, step)
        return [float(session.run(rate, {step: value})) for value in steps]


def test_exponential_rate_falls_in_stairs():
    settings = ScheduleSettings(1000, 0.1, 'exponential', decay=0.5, decay_persons=10)
    assert rates(settings, [0, 9, 10, 19, 20, 45]) == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025, 0.1 / 16], rel=1e-6)


def test_multistep_rate_falls_at_each_share_of_the_run():
    settings = ScheduleSettings(200, 0.1, 'multistep', decay=0.2, milestones=(0.6, 0.85))
    assert rates(settings, [0, 119, 120, 169, 170, 199]) == pytest.approx(
        [0.1, 0.1, 0.02, 0.02, 0.004, 0.004], rel=1e-6
    )
    assert rates(ScheduleSettings(200, 0.1, 'multistep', milestones=()), [0, 199]) == pytest.approx([0.1, 0.1])


def test_cosine_rate_ends_at_zero_and_stays_there():
    expected = [0.1 * (1 + np.cos(np.pi * step / 100.0)) / 2 for step in (0, 25, 50, 99)]
    assert rates(ScheduleSettings(100, 0.1, 'cosine'), [0, 25, 50, 99]) == pytest.approx(expected, rel=1e-3)
    assert rates(ScheduleSettings(100, 0.1, 'cosine'), [100, 500]) == pytest.approx([0, 0], abs=1e-8)


def test_warm_up_rises_linearly_to_the_schedule_and_never_rests_at_zero():
    settings = ScheduleSettings(1000, 0.1, 'exponential', decay=1.0, decay_persons=10, warmup_persons=4)
    assert rates(settings, [0, 1, 2, 3, 4, 100]) == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1], rel=1e-6)


@pytest.mark.parametrize('schedule', ['exponential', 'multistep', 'cosine'])
def test_rate_depends_on_persons_and_not_on_batches(schedule):
    shared = dict(schedule=schedule, decay=0.5, decay_persons=48, warmup_persons=32)
    whole = rates(ScheduleSettings(960, 0.1, persons_per_step=16, **shared), [0, 1, 9, 10, 30, 36, 59])
    # Ten steps of 16 persons, then steps of 8: after 160 + 8 * (step - 10) persons.
    changed = rates(
        ScheduleSettings(960, 0.1, persons_per_step=8, persons_offset=160 - 80, **shared), [10, 50, 62, 108]
    )
    assert changed == [whole[index] for index in (3, 4, 5, 6)]


def test_unknown_schedule_is_refused():
    with tf.Graph().as_default(), pytest.raises(ValueError, match="found 'linear'"):
        learning_rate(ScheduleSettings(10, schedule='linear'), tf.constant(0))
