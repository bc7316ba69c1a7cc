"""What the network architectures can and cannot be, for the configuration and the graph alike."""

ARCHS = ('newell', 'modelzoo')
"""'newell': the networks as published. 'modelzoo': those of the original TensorFlow 1 code, oddities included."""

STRIDE = 4
"""Input pixels per heatmap cell, for every network."""

MODELZOO_ATTENTION_FEATURES = 256


def hourglass_depth(arch, num_poolings, attention):
    """Return how many times an hourglass halves its maps; without attention the original code's makes one more."""
    return num_poolings + (1 if arch == 'modelzoo' and not attention else 0)


def input_step(arch, num_poolings, attention):
    """Return the number of pixels that the input side is a multiple of."""
    return STRIDE * 2 ** hourglass_depth(arch, num_poolings, attention)


def modelzoo_stem(num_features, attention):
    """Return the channels of the original code's stem, as in NetworkTraits.stem_features."""
    return (64, 128, 128 if attention else num_features // 2)


def modelzoo_attention_modules(num_stacks, num_poolings):
    """Return how many residual modules follow each other at each place of the original's attention hourglasses."""
    return (16 if num_poolings == 3 else 8) // num_stacks


def modelzoo_limits(num_stacks, num_features, num_poolings, num_modules, attention):
    """Yield (trait, what it would have to be and why, what it is) for what the original's graph cannot be."""
    if attention and num_features != MODELZOO_ATTENTION_FEATURES:
        yield (
            'num_features',
            '%d, which the stem of the original attention network ends with' % MODELZOO_ATTENTION_FEATURES,
            num_features,
        )
    if attention and not modelzoo_attention_modules(num_stacks, num_poolings):
        yield (
            'num_stacks',
            'at most %d: the original attention network divides so many modules among its stacks'
            % modelzoo_attention_modules(1, num_poolings),
            num_stacks,
        )
    if not attention and num_stacks == 1:
        yield (
            'num_stacks',
            '2 or more: for 1 the original graph builds two stacks and supervises the second as the first',
            num_stacks,
        )
    if num_modules != 1:
        yield 'num_modules', '1, the original graph has no other', num_modules
