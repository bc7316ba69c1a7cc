"""The stacked hourglass with multi-context attention.

Chu et al. 2017, "Multi-Context Attention for Human Pose Estimation" (arXiv 1702.07432), and the code that the authors
released, https://github.com/bearpaw/pose-attention. Stem, hourglass, linear layers and what is fed back follow that
code; the attention maps of several resolutions, and the second map in the stacks that look at the whole body, are the
paper's.
"""

from typing import List, Optional

from hourglass_pose.graph.hyperparameters import NetworkOutputs
from hourglass_pose.graph.layers import add_upsampled, max_pool
from hourglass_pose.graph.newell.hourglass import bottleneck, residual, skip
from hourglass_pose.graph.newell_attention.attention import attended_logits, multi_resolution_attention
from hourglass_pose.graph.newell_attention.hyperparameters import NewellAttentionHyperparameters
from hourglass_pose.graph.person_head import person_logits
from hourglass_pose.graph.tower import Dropout, Tower
from hourglass_pose.tf_compat import tf


def build(
    settings: NewellAttentionHyperparameters, images: 'tf.Tensor', is_training: bool, dropout: Optional[Dropout]
) -> NetworkOutputs:
    """Return the outputs of the network for normalised images."""
    tower = Tower(is_training, dropout)
    heatmaps = []
    with tower.scope('model'):
        x = _stem(tower, images, settings)
        for index in range(settings.num_stacks):
            is_last = index + 1 == settings.num_stacks
            # The last stack's maps are not fed back, so they can use more features.
            width = settings.num_features * (2 if is_last else 1)
            num_maps = settings.num_joints if is_last or index >= settings.part_attention_from else 1
            with tower.scope(f'stack_{index}'):
                with tower.scope('hourglass'):
                    pyramid = attention_hourglass(tower, x, settings, settings.depth)
                first = tower.conv_batch_norm_relu(pyramid[-1], width)
                y = tower.drop(tower.conv_batch_norm_relu(first, width), settings.drop_rate)
                with tower.scope('attention'):
                    # The paper's hierarchy: an attention map of the whole body, then a refined one or those of parts.
                    y = y * multi_resolution_attention(tower, y, settings, pyramid[:-1])
                    heatmaps.append(attended_logits(tower, y, settings, num_maps))
                if not is_last:
                    back = tower.conv_into_trunk(heatmaps[-1], settings.num_features)
                    x = x + back + tower.conv_batch_norm_relu(first, settings.num_features)
        person = person_logits(tower, y) if settings.person else None
    return NetworkOutputs(heatmaps, person)


def _stem(tower: Tower, x: 'tf.Tensor', settings: NewellAttentionHyperparameters) -> 'tf.Tensor':
    """Bring the image to a quarter of its size, with the first convolution at full size."""
    first, second, third = settings.stem_features
    with tower.scope('stem'):
        x = tower.batch_norm_relu(tower.conv(x, first, 7))
        x = max_pool(_residual(tower, x, settings, first))
        x = _residual(tower, x, settings, first)
        x = max_pool(_residual(tower, x, settings, second))
        for width in (second, third, settings.num_features):
            x = _residual(tower, x, settings, width)
        return x


def attention_hourglass(
    tower: Tower, x: 'tf.Tensor', settings: NewellAttentionHyperparameters, depth: int
) -> List['tf.Tensor']:
    """Return the features of an hourglass at each resolution on its way up, from the coarsest on.

    The branches around the poolings are hourglass residual units (section 4). How many of them, and that each branch
    begins with a residual module, follows the released code.
    """
    with tower.scope('mcam_hg'):
        up, low = x, max_pool(x)
        for index in range(settings.num_modules):
            if depth > 1:
                up = _repeated_units(tower, up, settings, depth - 1)
            elif index == 0:
                up = _residual(tower, up, settings)
            else:
                up = hourglass_residual_unit(tower, up, settings)
            low = _residual(tower, low, settings)
        pyramid = attention_hourglass(tower, low, settings, depth - 1) if depth > 1 else []
        low = pyramid[-1] if pyramid else _residual(tower, low, settings)
        return pyramid + [add_upsampled(up, _residual(tower, low, settings))]


def _repeated_units(tower: Tower, x: 'tf.Tensor', settings: NewellAttentionHyperparameters, count: int) -> 'tf.Tensor':
    """Return x after a residual module and count - 1 hourglass residual units."""
    with tower.scope('rep_residual'):
        x = _residual(tower, x, settings)
        for _ in range(count - 1):
            x = hourglass_residual_unit(tower, x, settings)
        return x


def hourglass_residual_unit(tower: Tower, x: 'tf.Tensor', settings: NewellAttentionHyperparameters) -> 'tf.Tensor':
    """Return x + F(x) + P(x) (eq. 4): F is a residual module's bottleneck, P pools, convolves twice and upsamples.

    The pooled branch sees further at the same depth. It repeats cells to upsample, as in the released code.
    """
    filters = settings.num_features
    with tower.scope('residual_pool'):
        y = bottleneck(tower, x, filters, settings.bottleneck_divisor)
        identity = skip(tower, x, filters)
        with tower.scope('pool_layer'):
            pooled = tower.conv(max_pool(tower.batch_norm_relu(x)), filters, 3)
            pooled = tower.conv_into_trunk(tower.batch_norm_relu(pooled), filters, 3)
        return add_upsampled(y + identity, pooled)


def _residual(
    tower: Tower, x: 'tf.Tensor', settings: NewellAttentionHyperparameters, filters: Optional[int] = None
) -> 'tf.Tensor':
    return residual(tower, x, filters or settings.num_features, settings.bottleneck_divisor, 'residual_block')
