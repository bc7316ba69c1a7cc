"""Losses against NumPy in double precision, and what masks, stacks and extreme logits do to them."""

import numpy as np
import pytest

from hourglass_pose.representations.table import REPRESENTATIONS, graph_half, make_codec
from hourglass_pose.tf_compat import tf

BATCH, STACKS, SIZE, JOINTS = 2, 3, 8, 4
WEIGHTS = np.array([[1, 0, 1, 1], [0, 0, 1, 0]], np.float32)
LOSSES = sorted(REPRESENTATIONS)


def codec_of(kind):
    return make_codec(SIZE, sigma=8.0, loss=kind)  # one cell


def joints_of(rng):
    return rng.uniform(0, 4 * SIZE - 1, (BATCH, JOINTS, 2))


def map_loss(kind, logits, target):
    """Loss of one map (H, W), from the formula's plain form."""
    x, t = logits.astype(np.float64), np.asarray(target, np.float64)
    if kind == 'mse':
        return np.mean((x - t) ** 2)
    if kind == 'sigmoid':
        p = 1 / (1 + np.exp(-x))
        return np.mean(-t * np.log(p) - (1 - t) * np.log(1 - p))
    p = np.exp(x) / np.exp(x).sum()
    if kind == 'softmax':
        return -np.sum(t / t.sum() * np.log(p))
    ys, xs = np.mgrid[:SIZE, :SIZE]
    return abs((p * xs).sum() - t[0]) + abs((p * ys).sum() - t[1])


def target_of(kind, targets, n, j):
    """Target of one joint, from those of a batch."""
    return targets[n, j] if kind == 'integral' else targets[n, :, :, j]


def loss_and_gradient(logits, joints, weights, kind):
    codec, half = codec_of(kind), graph_half(codec_of(kind))
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant(logits, tf.float32)
        loss = half.loss(x, half.target(tf.constant(joints, tf.float32), codec), tf.constant(weights, tf.float32))
        assert loss.shape.as_list() == []
        return session.run([loss, tf.gradients(loss, x)[0]])


@pytest.mark.parametrize('kind', LOSSES)
def test_loss_is_the_mean_over_labelled_joints_summed_over_stacks(rng, kind):
    logits, joints = rng.normal(size=(BATCH, STACKS, SIZE, SIZE, JOINTS)), joints_of(rng)
    targets = codec_of(kind).target(joints, np.ones((BATCH, JOINTS)))
    expected = (
        sum(
            WEIGHTS[n, j] * map_loss(kind, logits[n, s, :, :, j], target_of(kind, targets, n, j))
            for n in range(BATCH)
            for s in range(STACKS)
            for j in range(JOINTS)
        )
        / WEIGHTS.sum()
    )
    loss, gradient = loss_and_gradient(logits, joints, WEIGHTS, kind)
    assert loss == pytest.approx(expected, rel=1e-5)
    # Central difference of the float64 reference for some logits.
    for index in [(0, 0, 3, 4, 0), (0, 2, 7, 7, 3), (1, 1, 0, 5, 2)]:
        n, s, y, x, j = index
        moved = []
        for step in (1e-4, -1e-4):
            changed = logits[n, s, :, :, j].copy()
            changed[y, x] += step
            moved.append(map_loss(kind, changed, target_of(kind, targets, n, j)) / WEIGHTS.sum())
        assert gradient[index] == pytest.approx((moved[0] - moved[1]) / 2e-4, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize('kind', LOSSES)
def test_masked_joints_have_no_influence_and_exactly_no_gradient(rng, kind):
    logits, joints = rng.normal(size=(BATCH, STACKS, SIZE, SIZE, JOINTS)), joints_of(rng)
    loss, gradient = loss_and_gradient(logits, joints, WEIGHTS, kind)
    masked = np.broadcast_to(WEIGHTS[:, None, None, None] == 0, logits.shape)
    assert not gradient[masked].any()
    assert (np.abs(gradient[~masked]) > 0).mean() > 0.9
    wrong = np.where(masked, 100 * rng.normal(size=logits.shape), logits)
    outside = np.where(WEIGHTS[..., None] == 0, -4.0, joints)
    assert loss_and_gradient(wrong, outside, WEIGHTS, kind)[0] == loss


@pytest.mark.parametrize('kind', LOSSES)
def test_batch_without_labels_costs_nothing(rng, kind):
    logits = rng.normal(size=(BATCH, STACKS, SIZE, SIZE, JOINTS))
    loss, gradient = loss_and_gradient(logits, np.full((BATCH, JOINTS, 2), -4.0), 0 * WEIGHTS, kind)
    assert loss == 0 and not gradient.any()


def test_softmax_loss_is_never_below_the_entropy_of_the_target_and_reaches_it(rng):
    joints, weights = joints_of(rng), np.ones((BATCH, JOINTS))
    targets = codec_of('softmax').target(joints, weights)
    p = targets.astype(np.float64) / targets.sum(axis=(1, 2), keepdims=True)
    entropy = STACKS * np.mean(-(p * np.log(p)).sum(axis=(1, 2)))
    best = np.repeat(np.log(targets)[:, None] + 5, STACKS, axis=1)
    loss, gradient = loss_and_gradient(best, joints, weights, 'softmax')
    assert loss == pytest.approx(entropy, rel=1e-5)
    np.testing.assert_allclose(gradient, 0, atol=1e-6)
    for _ in range(3):
        other = best + rng.normal(scale=0.3, size=best.shape)
        assert loss_and_gradient(other, joints, weights, 'softmax')[0] > entropy


@pytest.mark.parametrize('kind', LOSSES)
def test_a_joint_without_a_position_is_taught_as_an_empty_map(rng, kind):
    if not codec_of(kind).learns_maps:
        return
    weights = np.ones((BATCH, JOINTS))
    nowhere = np.full((BATCH, JOINTS, 2), -4.0)
    empty = {'mse': 0.0, 'sigmoid': -30.0, 'softmax': 5.0}[kind]
    loss, gradient = loss_and_gradient(np.full((BATCH, STACKS, SIZE, SIZE, JOINTS), empty), nowhere, weights, kind)
    assert loss == pytest.approx(STACKS * np.log(64) if kind == 'softmax' else 0, rel=1e-5, abs=1e-9)
    np.testing.assert_allclose(gradient, 0, atol=1e-6)
    _, gradient = loss_and_gradient(rng.normal(size=gradient.shape), nowhere, weights, kind)
    assert (np.abs(gradient) > 1e-6).mean() > 0.9


@pytest.mark.parametrize('kind', LOSSES)
@pytest.mark.parametrize('height', [1e4, -1e4])
def test_extreme_logits_give_finite_losses_and_gradients(rng, kind, height):
    joints, weights = joints_of(rng), np.ones((BATCH, JOINTS))
    targets = codec_of(kind).target(joints, weights)
    logits = np.zeros((BATCH, STACKS, SIZE, SIZE, JOINTS))
    logits[:, :, 3, 4] = height
    loss, gradient = loss_and_gradient(logits, joints, weights, kind)
    assert np.isfinite(loss) and np.isfinite(gradient).all()
    if kind == 'integral':
        # All of the mass is in that cell, or all but in it: then the mean is the map's centre but for 1/63 of it.
        mean = np.array([4, 3]) if height > 0 else (np.full(2, 3.5) * 64 - [4, 3]) / 63
        assert loss == pytest.approx(STACKS * np.abs(targets - mean).sum(axis=-1).mean(), rel=1e-5)
        return
    # One cell of 64 is wrong by the height, in each of the stacks.
    share = {
        'mse': [(height - t) ** 2 / 64 for t in targets[:, 3, 4].ravel()],
        'sigmoid': [(max(height, 0) - height * t) / 64 for t in targets[:, 3, 4].ravel()],
        'softmax': [max(height, 0) - height * t for t in (targets[:, 3, 4] / targets.sum(axis=(1, 2))).ravel()],
    }[kind]
    # The other cells add at most log(64), or one in a mean.
    assert loss == pytest.approx(STACKS * np.mean(share), rel=1e-5, abs=STACKS * np.log(64))
