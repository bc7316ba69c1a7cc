"""Attention maps: how much each cell of a feature map matters, agreed upon with its neighbours.

Chu et al. 2017, "Multi-Context Attention for Human Pose Estimation" (arXiv 1702.07432), section 5, and the code that
the authors released, https://github.com/bearpaw/pose-attention. That code leaves the maps of other resolutions out (its
issue 6 says so); they follow the paper, and what both have follows the code: sizes of kernels, steps and biases.
"""

from hourglass_pose.graph.layers import add_upsampled, biases, kernel
from hourglass_pose.tf_compat import tf


def attention_maps(tower, x, count=1):
    """Return `count` attention maps (N, H, W, count) in [0, 1] of features (N, H, W, C)."""
    channels = int(x.shape[-1])
    with tower.scope('attention_iter'):
        return _mean_field(tower, x, _variables(tower, channels, count))


def multi_resolution_attention(tower, x, coarser):
    """Return an attention map (N, H, W, 1) of features x and of coarser ones, the sum of the maps of all.

    coarser: features of other layers from the coarsest on, each of half the size of the next, the last of half the
    size of x. Each map is in [0, 1], brought to full size by repeating its cells, and has variables of its own; the
    sum is the paper's. That coarser features are normalised and rectified first, as those are that the released code
    draws its one map from, is a choice made here: they are sums of many layers, whose sigmoids would start at 0 or 1.
    """
    total = None
    for features in coarser:
        maps = attention_maps(tower, tower.batch_norm_relu(features))
        total = maps if total is None else add_upsampled(maps, total)
    maps = attention_maps(tower, x)
    return maps if total is None else add_upsampled(maps, total)


def attended_logits(tower, x, num_maps):
    """Return logits (N, H, W, J) from features weighed by one attention map, or for each joint by its own.

    num_maps: 1, the refined map of the whole body, which the paper has and the released code has not, or J, the part
    attention of both.
    A 1x1 convolution of weighed features is the map times their convolution, so that nothing wide need be weighed.
    """
    joints, channels = tower.traits.num_joints, int(x.shape[-1])
    if tower.traits.is_modelzoo:
        variables, heads = _variables_joint_by_joint(tower, channels)
        return _mean_field(tower, x, variables) * _conv(x, heads)
    maps = attention_maps(tower, x, num_maps)
    with tower.scope('heatmaps'):
        heads, offsets = kernel(1, channels, joints, mode='fan_in'), biases(joints)
        return tf.nn.bias_add(maps * _conv(x, heads), offsets)


def _variables(tower, channels, count):
    """Return (kernel of the evidence, its biases, kernel over the maps, its biases) of `count` maps.

    The kernels of the original TensorFlow 1 code have no biases, their places are None.
    """
    has_bias = not tower.traits.is_modelzoo
    with tower.scope('conv'):
        weights = kernel(3, channels, count, mode='fan_in')
        offsets = biases(count) if has_bias else None
    shared = kernel(tower.traits.attention_kernel, count, 1, name='shared_weights')
    return weights, offsets, shared, biases(count, name='shared_biases') if has_bias else None


def _variables_joint_by_joint(tower, channels):
    """Return the variables of an attention map for each joint, and the 1x1 kernels of the joints' features.

    The original TensorFlow 1 code keeps those of each joint apart; here they are put together to two convolutions.
    """
    weights, shared, heads = [], [], []
    for _ in range(tower.traits.num_joints):
        with tower.scope('attention_iter'):
            weight, _, over_map, _ = _variables(tower, channels, 1)
        with tower.scope('conv'):
            heads.append(kernel(1, channels, 1, mode='fan_in'))
        weights.append(weight)
        shared.append(over_map)
    return (tf.concat(weights, axis=3), None, tf.concat(shared, axis=2), None), tf.concat(heads, axis=3)


def _mean_field(tower, x, variables):
    """Return attention maps (N, H, W, M) in [0, 1] of features x by mean-field steps of a conditional random field.

    The evidence U of a cell is a convolution of the features around it; k is the kernel over the maps, one for each.
    Q_1 = sigmoid(k * U + U) and Q_t = sigmoid(k * Q_{t-1} + U), with the first step of the released code.
    """
    weights, offsets, shared, shared_offsets = variables
    evidence = _conv(x, weights, offsets)
    constant = evidence if shared_offsets is None else tf.nn.bias_add(evidence, shared_offsets)
    # On one map both do the same; on CPUs the gradient of the depthwise convolution can take four times as long.
    over_maps = tf.nn.conv2d if int(shared.shape[2]) == 1 else tf.nn.depthwise_conv2d
    q = evidence
    for _ in range(tower.traits.attention_iterations):
        q = tf.sigmoid(over_maps(q, shared, [1, 1, 1, 1], 'SAME') + constant)
    return q


def _conv(x, weights, offsets=None):
    y = tf.nn.conv2d(x, weights, [1, 1, 1, 1], 'SAME')
    return y if offsets is None else tf.nn.bias_add(y, offsets)
