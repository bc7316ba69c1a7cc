"""The stacked hourglass with multi-context attention of Chu et al. 2017, and as the original TensorFlow 1 code has it.

The paper is "Multi-Context Attention for Human Pose Estimation" (arXiv 1702.07432), the code that its authors released
https://github.com/bearpaw/pose-attention. Stem, hourglass, linear layers and what is fed back follow that code; the
attention maps of several resolutions, and the second map in the stacks that look at the whole body, are the paper's.
"""

from contextlib import contextmanager

from hourglass_pose.graph.attention import attended_logits, multi_resolution_attention
from hourglass_pose.graph.hourglass import conv_block, residual, skip
from hourglass_pose.graph.layers import add_upsampled, max_pool

MODELZOO_DROP_RATE = 0.1


def attention_network(tower, x):
    """Return the list of logits (N, H, W, J) of all stacks for normalised images."""
    if not tower.traits.is_modelzoo:
        with tower.scope('model'):
            return _stacks(tower, _stem(tower, x))
    x = _stem(tower, x)
    with tower.scope('stacks'):
        return _stacks(tower, x)


def _stem(tower, x):
    """Bring the image to a quarter of its size, with the first convolution at full size."""
    first, second, third = tower.traits.stem_features
    with tower.scope('stem'):
        x = tower.batch_norm_relu(tower.conv(x, first, 7))
        x = max_pool(residual(tower, x, first, 'residual_block'))
        x = residual(tower, x, first, 'residual_block')
        x = max_pool(residual(tower, x, second, 'residual_block'))
        x = residual(tower, x, second, 'residual_block')
        x = residual(tower, x, third, 'residual_block')
        return residual(tower, x, tower.traits.num_features, 'residual_block')


def _stacks(tower, x):
    traits = tower.traits
    maps = []
    for index in range(traits.num_stacks):
        is_last = index + 1 == traits.num_stacks
        # The last stack's maps are not fed back, so they may be drawn from more features.
        width = traits.num_features * (2 if is_last else 1)
        with _scope_of_stack(tower, index):
            with tower.scope('houglass_%d' % (index + 1) if traits.is_modelzoo else 'hourglass'):
                pyramid = attention_hourglass(tower, x, traits.depth)
            first = tower.conv_batch_norm_relu(pyramid[-1], width)
            y = tower.conv_batch_norm_relu(first, width)
            logits = _logits(tower, y, pyramid[:-1], is_last or index >= traits.part_attention_from)
            maps.append(logits)
            if not is_last:
                back = tower.conv(logits, traits.num_features)
                features = tower.conv_batch_norm_relu(back if traits.is_modelzoo else first, traits.num_features)
                x = x + back + features
    return maps


@contextmanager
def _scope_of_stack(tower, index):
    if tower.traits.is_modelzoo:
        # The original code counts the layers of all stacks together.
        yield
    else:
        with tower.scope('stack_%d' % index):
            yield


def _logits(tower, y, coarser, looks_at_parts):
    """Return the logits of a stack from its features y and the coarser ones of its hourglass.

    The features are weighed by an attention map of the whole body, and what remains by a refined one, or, in the
    stacks that look at parts, by one for each joint: the hierarchy of the paper. The original TensorFlow 1 code knows
    one resolution and does not refine, like the released one, and drops features in places of its own.
    """
    traits = tower.traits
    if not traits.is_modelzoo:
        y = tower.drop(y, traits.drop_rate)
        with tower.scope('attention'):
            y = y * multi_resolution_attention(tower, y, coarser)
            return attended_logits(tower, y, traits.num_joints if looks_at_parts else 1)
    if looks_at_parts:
        y = tower.drop(y, MODELZOO_DROP_RATE)
    with tower.scope('attention'):
        y = y * multi_resolution_attention(tower, y, ())
    if not looks_at_parts:
        return tower.conv(y, traits.num_joints)
    with tower.scope('attention'):
        return attended_logits(tower, y, traits.num_joints)


def attention_hourglass(tower, x, depth):
    """Return what an hourglass makes of x at each resolution on its way up, from the coarsest on; the last is its end.

    The branches around the poolings are hourglass residual units (section 4). How many of them, and that each branch
    begins with a residual module, follows the released code.
    """
    filters = tower.traits.num_features
    with tower.scope('mcam_hg'):
        up, low = x, max_pool(x)
        for index in range(tower.traits.attention_modules):
            if depth > 1:
                up = _repeated_units(tower, up, depth - 1)
            elif index == 0:
                up = residual(tower, up, filters, 'residual_block')
            else:
                up = hourglass_residual_unit(tower, up, filters)
            low = residual(tower, low, filters, 'residual_block')
        pyramid = attention_hourglass(tower, low, depth - 1) if depth > 1 else []
        low = pyramid[-1] if pyramid else residual(tower, low, filters, 'residual_block')
        return pyramid + [add_upsampled(up, residual(tower, low, filters, 'residual_block'))]


def _repeated_units(tower, x, count):
    """A residual module and count - 1 hourglass residual units."""
    filters = tower.traits.num_features
    with tower.scope('rep_residual'):
        x = residual(tower, x, filters, 'residual_block')
        for _ in range(count - 1):
            x = hourglass_residual_unit(tower, x, filters)
        return x


def hourglass_residual_unit(tower, x, filters):
    """Return x + F(x) + P(x) (eq. 4): F is a residual module's bottleneck, P pools, convolves twice and upsamples.

    The pooled branch sees further at the same depth. It repeats cells to upsample, as in the released code.
    """
    with tower.scope('residual_pool'):
        y, identity = conv_block(tower, x, filters), skip(tower, x, filters)
        with tower.scope('pool_layer'):
            pooled = tower.conv(max_pool(tower.batch_norm_relu(x)), filters, 3)
            pooled = tower.conv(tower.batch_norm_relu(pooled), filters, 3)
        return add_upsampled(y + identity, pooled)
