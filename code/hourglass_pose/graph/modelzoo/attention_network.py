"""The attention network of the original code, which differs from the published one in attention and dropout."""

from typing import List

from hourglass_pose.graph.layers import add_upsampled, kernel, max_pool
from hourglass_pose.graph.mean_field import mean_field
from hourglass_pose.graph.modelzoo.hyperparameters import ATTENTION_DROP_RATE
from hourglass_pose.graph.modelzoo.layers import ModelzooTower
from hourglass_pose.tf_compat import tf


def attention_network(tower: ModelzooTower, images: 'tf.Tensor') -> List['tf.Tensor']:
    """Return the logits (N, H, W, J) of all stacks for images in [0, 1]."""
    settings = tower.settings
    heatmaps = []
    x = _stem(tower, images)
    # One scope for all stacks: their layers are counted together.
    with tower.scope('stacks'):
        for index in range(settings.num_stacks):
            is_last = index + 1 == settings.num_stacks
            width = settings.num_features * (2 if is_last else 1)
            with tower.scope(f'houglass_{index + 1}'):
                y = attention_hourglass(tower, x, settings.depth)
            y = tower.conv_batch_norm_relu(tower.conv_batch_norm_relu(y, width), width)
            heatmaps.append(_logits(tower, y, is_last or index >= settings.part_attention_from))
            if not is_last:
                back = tower.conv(heatmaps[-1], settings.num_features)
                x = x + back + tower.conv_batch_norm_relu(back, settings.num_features)
    return heatmaps


def _stem(tower: ModelzooTower, x: 'tf.Tensor') -> 'tf.Tensor':
    """Bring the image to a quarter of its size, with the first convolution at full size."""
    first, second, third = tower.settings.stem_features
    with tower.scope('preprocessing'):
        x = tower.batch_norm_relu(tower.conv(x, first, 7))
        x = tower.residual(max_pool(tower.residual(x, first)), first)
        x = max_pool(tower.residual(x, second))
        for width in (second, third, tower.settings.num_features):
            x = tower.residual(x, width)
        return x


def _logits(tower: ModelzooTower, y: 'tf.Tensor', looks_at_parts: bool) -> 'tf.Tensor':
    """Return the logits of a stack from features weighted by one attention map, and then by one for each joint."""
    if looks_at_parts:
        y = tower.drop(y, ATTENTION_DROP_RATE)
    with tower.scope('attention_part'):
        weights, shared = _map_variables(tower, int(y.shape[-1]))
        y = y * _attention_maps(tower, y, weights, shared)
    if not looks_at_parts:
        return tower.conv(y, tower.settings.num_joints)
    with tower.scope('attention_part'):
        return _part_attention(tower, y)


def _part_attention(tower: ModelzooTower, x: 'tf.Tensor') -> 'tf.Tensor':
    """Return logits (N, H, W, J), each from features weighted by an attention map of its joint.

    The code computes joint by joint; here the kernels of all joints are put together to two convolutions.
    """
    weights, shared, heads = [], [], []
    for _ in range(tower.settings.num_joints):
        of_joint, shared_of_joint = _map_variables(tower, int(x.shape[-1]))
        with tower.scope('conv'):
            heads.append(kernel(1, int(x.shape[-1]), 1, mode='fan_in'))
        weights.append(of_joint)
        shared.append(shared_of_joint)
    maps = _attention_maps(tower, x, tf.concat(weights, axis=3), tf.concat(shared, axis=2))
    return maps * tf.nn.conv2d(x, tf.concat(heads, axis=3), [1, 1, 1, 1], 'SAME')


def _map_variables(tower: ModelzooTower, channels: int) -> List['tf.Tensor']:
    """Return the kernel of one attention map's evidence, and its kernel over the map."""
    with tower.scope('attention_iter'):
        with tower.scope('conv'):
            weights = kernel(3, channels, 1, mode='fan_in')
        return [weights, kernel(tower.settings.attention_kernel, 1, 1, name='shared_weights')]


def _attention_maps(tower: ModelzooTower, x: 'tf.Tensor', weights: 'tf.Tensor', shared: 'tf.Tensor') -> 'tf.Tensor':
    evidence = tf.nn.conv2d(x, weights, [1, 1, 1, 1], 'SAME')
    return mean_field(evidence, shared, tower.settings.attention_iterations)


def attention_hourglass(tower: ModelzooTower, x: 'tf.Tensor', depth: int) -> 'tf.Tensor':
    """Return the output of an hourglass with several modules in a row on each branch."""
    filters = tower.settings.num_features
    with tower.scope('mcam_hg'):
        up, low = x, max_pool(x)
        for index in range(tower.settings.attention_modules):
            if depth > 1:
                up = _repeated_units(tower, up, depth - 1)
            else:
                up = tower.residual(up, filters) if index == 0 else _pooled_residual(tower, up)
            low = tower.residual(low, filters)
        low = attention_hourglass(tower, low, depth - 1) if depth > 1 else tower.residual(low, filters)
        return add_upsampled(up, tower.residual(low, filters))


def _repeated_units(tower: ModelzooTower, x: 'tf.Tensor', count: int) -> 'tf.Tensor':
    """Return x after a residual module and count - 1 with a pooled branch."""
    with tower.scope('rep_residual'):
        x = tower.residual(x, tower.settings.num_features)
        for _ in range(count - 1):
            x = _pooled_residual(tower, x)
        return x


def _pooled_residual(tower: ModelzooTower, x: 'tf.Tensor') -> 'tf.Tensor':
    """Return the sum of a residual module's branches and a third one that pools, convolves twice and upsamples."""
    filters = tower.settings.num_features
    with tower.scope('residual_pool'):
        y = tower.conv_block(x, filters)
        identity = tower.skip(x, filters)
        with tower.scope('pool_layer'):
            pooled = tower.conv(max_pool(tower.batch_norm_relu(x)), filters, 3)
            pooled = tower.conv(tower.batch_norm_relu(pooled), filters, 3)
        return add_upsampled(y + identity, pooled)
