"""The loss of the person output: cross-entropy of its logits with the labels of the crops."""

from hourglass_pose.tf_compat import tf


def person_loss(logits: 'tf.Tensor', labels: 'tf.Tensor') -> 'tf.Tensor':
    """Return the scalar mean cross-entropy of logits (N,), weighted. labels: (N, 2), target in {0, 1} and weight.

    Without any weight it is 0.
    """
    targets, weights = labels[:, 0], labels[:, 1]
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    return tf.reduce_sum(losses * weights) / tf.maximum(tf.reduce_sum(weights), 1.0)
