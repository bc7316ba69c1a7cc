"""Losses on heatmaps: each masked by joint, averaged over labelled joints and summed over stacks."""

from hourglass_pose.tf_compat import tf

LOSSES = ('softmax', 'mse', 'sigmoid')

_TINY = 1e-12


def heatmap_loss(logits, targets, joint_weights, kind):
    """Return the scalar loss of all stacks against one set of target heatmaps.

    logits: float32 (N, S, H, W, J), raw outputs of the network; targets: (N, H, W, J) with peaks of 1;
    joint_weights: (N, J), 0 where a joint is not to be learnt: its maps then have no influence at all.
    kind: 'mse', mean over cells of the squared error of logit and target;
    'sigmoid', mean over cells of the cross-entropy of sigmoid(logit) and target;
    'softmax', cross-entropy of the softmax over the cells of a map and the target divided by its sum.
    A map's loss is averaged over the labelled joints of the batch, and summed over stacks.
    """
    per_map = _LOSS_OF_MAPS[kind](logits, tf.expand_dims(targets, 1))
    weights = tf.expand_dims(joint_weights, 1)
    return tf.reduce_sum(per_map * weights) / tf.maximum(tf.reduce_sum(joint_weights), 1.0)


def _mean_squared_error(logits, targets):
    return tf.reduce_mean(tf.square(logits - targets), axis=[2, 3])


def _sigmoid_cross_entropy(logits, targets):
    # max(x, 0) - x t + log(1 + exp(-|x|)): the form without overflow.
    losses = tf.nn.relu(logits) - logits * targets + tf.log1p(tf.exp(-tf.abs(logits)))
    return tf.reduce_mean(losses, axis=[2, 3])


def _softmax_cross_entropy(logits, targets):
    probabilities = targets / (tf.reduce_sum(targets, axis=[2, 3], keepdims=True) + _TINY)
    log_sum = tf.reduce_logsumexp(logits, axis=[2, 3])
    # sum p (lse - x) with sum p = 1, or 0 for an empty map.
    return tf.reduce_sum(probabilities, axis=[2, 3]) * log_sum - tf.reduce_sum(probabilities * logits, axis=[2, 3])


_LOSS_OF_MAPS = {'mse': _mean_squared_error, 'sigmoid': _sigmoid_cross_entropy, 'softmax': _softmax_cross_entropy}
