"""NetworkTraits: the frozen record that selects one network among all that the builder can build."""

from dataclasses import asdict, dataclass
from typing import Tuple

from hourglass_pose.graph.architectures import (
    ARCHS,
    STRIDE,
    hourglass_depth,
    input_step,
    modelzoo_attention_modules,
    modelzoo_limits,
    modelzoo_stem,
)


@dataclass(frozen=True)
class NetworkTraits:
    """What the graph builder needs to know, and what a checkpoint must agree with.

    arch: 'newell', the networks as published, or 'modelzoo', those of the original TensorFlow 1 code.
    num_stacks: hourglasses in a row, each with its own heatmaps.
    num_features: channels inside the hourglasses.
    num_poolings: poolings of one hourglass; in arch 'modelzoo' without attention it makes one more, see `depth`.
    num_modules: residual modules at each place of an hourglass.
    num_joints: heatmaps of one stack.
    input_size: side of the square input in pixels, a multiple of 4 * 2**depth.
    stem_features: channels after the first convolution, after the first and after the second residual module; two
    numbers stand for three of which the last two are equal. Arch 'modelzoo' has its own.
    tiny: lighter residual modules: a bottleneck of a quarter instead of half the width, or, in arch 'modelzoo', a
    single 3x3 convolution.
    attention: the network with multi-context attention (Chu et al. 2017).
    attention_kernel, attention_iterations: side of the kernel that smooths an attention map, and how often it does.
    modif: a ReLU after each sum, and heatmaps between 0 and 1; arch 'modelzoo' only.
    drop_rate: share of features dropped in training after each hourglass.
    input_mean: red, green and blue of [0, 1] that are subtracted from the image.
    """

    arch: str = 'newell'
    num_stacks: int = 2
    num_features: int = 256
    num_poolings: int = 4
    num_modules: int = 1
    num_joints: int = 16
    input_size: int = 256
    stem_features: Tuple[int, ...] = (64, 128, 128)
    tiny: bool = False
    attention: bool = False
    attention_kernel: int = 11
    attention_iterations: int = 3
    modif: bool = False
    drop_rate: float = 0.0
    input_mean: Tuple[float, ...] = (0.5, 0.5, 0.5)

    def __post_init__(self):
        stem = tuple(self.stem_features)
        self._set('stem_features', stem + stem[1:] if len(stem) == 2 else stem)
        self._set('input_mean', tuple(self.input_mean))
        if self.arch == 'modelzoo':
            self._set('stem_features', modelzoo_stem(self.num_features, self.attention))
            self._set('input_mean', (0.0, 0.0, 0.0))
            self._set('attention_kernel', 1)
            self._set('attention_iterations', 3)
        for wrong in self._mistakes():
            raise ValueError(wrong)

    def _set(self, name, value):
        object.__setattr__(self, name, value)

    def _mistakes(self):
        if self.arch not in ARCHS:
            yield f'arch: expected {" or ".join(map(repr, ARCHS))}, found {self.arch!r}'
        for name in (
            'num_stacks',
            'num_features',
            'num_poolings',
            'num_modules',
            'num_joints',
            'attention_kernel',
            'attention_iterations',
        ):
            if getattr(self, name) < 1:
                yield f'{name}: expected an integer >= 1, found {getattr(self, name)!r}'
        step = input_step(self.arch, self.num_poolings, self.attention)
        if self.input_size < step or self.input_size % step:
            yield (
                'input_size: expected a multiple of %d for %d poolings, found %d' % (step, self.depth, self.input_size)
            )
        if len(self.stem_features) != 3 or len(self.input_mean) != 3:
            yield 'stem_features and input_mean: expected three numbers each'
        divisor = self.bottleneck_divisor
        # The first convolution is no residual module; where one of its width follows, its bottleneck is rounded down.
        if any(width % divisor for width in (self.num_features,) + self.stem_features[1:]):
            yield (
                'num_features and the last two of stem_features: expected multiples of %d, found %s'
                % (divisor, ', '.join(map(str, (self.num_features,) + self.stem_features)))
            )
        if not self.attention_kernel % 2:
            yield 'attention_kernel: expected an odd number, found %d' % self.attention_kernel
        if self.modif and self.arch != 'modelzoo':
            yield "modif: expected False, or arch 'modelzoo'"
        if self.arch == 'modelzoo':
            for name, expected, found in modelzoo_limits(
                self.num_stacks, self.num_features, self.num_poolings, self.num_modules, self.attention
            ):
                yield f'{name}: expected {expected}, found {found}'

    @property
    def is_modelzoo(self):
        return self.arch == 'modelzoo'

    @property
    def depth(self):
        """How many times an hourglass halves its maps."""
        return hourglass_depth(self.arch, self.num_poolings, self.attention)

    @property
    def attention_modules(self):
        """Modules in a row on either branch of an hourglass with attention."""
        if self.is_modelzoo:
            return modelzoo_attention_modules(self.num_stacks, self.num_poolings)
        return self.num_modules

    @property
    def part_attention_from(self):
        """Index of the first stack that looks for each joint by an attention map of its own; the last always does.

        The published network begins in the middle of its stacks, the original code one later.
        """
        return self.num_stacks // 2 + (1 if self.is_modelzoo else 0)

    @property
    def bottleneck_divisor(self):
        """How many times narrower a residual module's 3x3 convolution is than its output."""
        if self.is_modelzoo:
            return 1 if self.tiny else 2
        return 4 if self.tiny else 2

    @property
    def drops_features(self):
        """Whether training needs dropout."""
        return self.drop_rate > 0 or (self.is_modelzoo and self.attention)

    @property
    def gives_probabilities(self):
        """Whether the network's output is the sigmoid of its logits."""
        return self.modif and not self.attention

    @property
    def heatmap_size(self):
        """Side of the square heatmaps in cells."""
        return self.input_size // STRIDE

    def as_dict(self):
        """Return a JSON-able dict from which NetworkTraits(**dict) makes an equal record."""
        return dict(asdict(self), stem_features=list(self.stem_features), input_mean=list(self.input_mean))

    def differences(self, other):
        """Return lines 'trait: ours / theirs' for every trait in which two records differ."""
        mine, theirs = self.as_dict(), other.as_dict()
        return [f'{name}: {mine[name]} / {theirs[name]}' for name in mine if mine[name] != theirs[name]]
