"""The layers of attention: maps of one resolution, of all of them, and the logits of weighted features.

Chu et al. 2017, section 5, and the code that the authors released, https://github.com/bearpaw/pose-attention. That
code leaves out the maps of other resolutions (its issue 6 says so); they follow the paper. What both have follows the
code: sizes of kernels, steps and biases.
"""

from typing import Sequence

from hourglass_pose.graph.layers import add_upsampled, biases, kernel
from hourglass_pose.graph.mean_field import mean_field
from hourglass_pose.graph.newell_attention.hyperparameters import NewellAttentionHyperparameters
from hourglass_pose.graph.tower import Tower
from hourglass_pose.tf_compat import tf


def attention_maps(
    tower: Tower, x: 'tf.Tensor', settings: NewellAttentionHyperparameters, count: int = 1
) -> 'tf.Tensor':
    """Return `count` attention maps (N, H, W, count) in [0, 1] of features (N, H, W, C)."""
    with tower.scope('attention_iter'):
        with tower.scope('conv'):
            weights, offsets = kernel(3, int(x.shape[-1]), count, mode='fan_in'), biases(count)
        shared = kernel(settings.attention_kernel, count, 1, name='shared_weights')
        shared_offsets = biases(count, name='shared_biases')
        evidence = tf.nn.bias_add(tf.nn.conv2d(x, weights, [1, 1, 1, 1], 'SAME'), offsets)
        return mean_field(evidence, shared, settings.attention_iterations, shared_offsets)


def multi_resolution_attention(
    tower: Tower, x: 'tf.Tensor', settings: NewellAttentionHyperparameters, coarser: Sequence['tf.Tensor']
) -> 'tf.Tensor':
    """Return an attention map (N, H, W, 1) of features x and of coarser ones, the sum of the maps of all.

    coarser: features of other layers from the coarsest on, each of half the size of the next, the last of half the
    size of x. Each map is in [0, 1], brought to full size by repeating its cells, and has its own variables; the
    sum is the paper's. Normalising and rectifying the coarser features first, as the released code does with those of
    its one map, is a choice made here: they are sums of many layers, whose sigmoids would start at 0 or 1.
    """
    total = None
    for features in coarser:
        maps = attention_maps(tower, tower.batch_norm_relu(features), settings)
        total = maps if total is None else add_upsampled(maps, total)
    maps = attention_maps(tower, x, settings)
    return maps if total is None else add_upsampled(maps, total)


def attended_logits(
    tower: Tower, x: 'tf.Tensor', settings: NewellAttentionHyperparameters, num_maps: int
) -> 'tf.Tensor':
    """Return logits (N, H, W, J) from features weighted by one attention map, or for each joint by its own.

    num_maps: 1, the refined map of the whole body, which only the paper has, or J, the part attention of both.
    A 1x1 convolution of weighted features is the map times their convolution, so that nothing wide need be weighted.
    """
    maps = attention_maps(tower, x, settings, num_maps)
    with tower.scope('heatmaps'):
        heads = kernel(1, int(x.shape[-1]), settings.num_joints, mode='fan_in')
        offsets = biases(settings.num_joints)
        return tf.nn.bias_add(maps * tf.nn.conv2d(x, heads, [1, 1, 1, 1], 'SAME'), offsets)
