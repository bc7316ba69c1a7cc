"""NetworkTraits: the frozen record that selects one network among all that the builder can build."""

from dataclasses import asdict, dataclass
from typing import Tuple

STRIDE = 4
"""Input pixels per heatmap cell, for every network: one strided convolution and one pooling."""


@dataclass(frozen=True)
class NetworkTraits:
    """What the graph builder needs to know, and what a checkpoint must agree with.

    num_stacks: hourglasses in a row, each with its own heatmaps.
    num_features: channels inside the hourglasses.
    num_poolings: poolings of one hourglass; its coarsest maps are 2**num_poolings times smaller.
    num_modules: residual modules at each place of an hourglass.
    num_joints: heatmaps of one stack.
    input_size: side of the square input in pixels, a multiple of STRIDE * 2**num_poolings.
    stem_features: channels after the first convolution and after the first residual module.
    bottleneck_divisor: how many times narrower a residual module's 3x3 convolution is than its output.
    drop_rate: share of features dropped in training after each hourglass.
    """

    arch: str = 'newell'
    num_stacks: int = 2
    num_features: int = 256
    num_poolings: int = 4
    num_modules: int = 1
    num_joints: int = 16
    input_size: int = 256
    stem_features: Tuple[int, int] = (64, 128)
    bottleneck_divisor: int = 2
    drop_rate: float = 0.0

    def __post_init__(self):
        object.__setattr__(self, 'stem_features', tuple(self.stem_features))
        step = STRIDE * 2 ** self.num_poolings
        if self.arch != 'newell':
            raise ValueError("arch: expected 'newell', found %r" % (self.arch,))
        if self.input_size < step or self.input_size % step:
            raise ValueError('input_size: expected a multiple of %d for %d poolings, found %d'
                             % (step, self.num_poolings, self.input_size))
        for name in ('num_stacks', 'num_features', 'num_poolings', 'num_modules', 'num_joints'):
            if getattr(self, name) < 1:
                raise ValueError('%s: expected an integer >= 1, found %r' % (name, getattr(self, name)))
        widths = (self.num_features,) + self.stem_features
        if any(width % self.bottleneck_divisor for width in widths):
            raise ValueError('num_features and stem_features: expected multiples of %d, found %s'
                             % (self.bottleneck_divisor, ', '.join(map(str, widths))))

    @property
    def heatmap_size(self):
        """Side of the square heatmaps in cells."""
        return self.input_size // STRIDE

    def as_dict(self):
        """Return a JSON-able dict from which NetworkTraits(**dict) makes an equal record."""
        return dict(asdict(self), stem_features=list(self.stem_features))

    def differences(self, other):
        """Return lines 'trait: ours / theirs' for every trait in which two records differ."""
        mine, theirs = self.as_dict(), other.as_dict()
        return ['%s: %s / %s' % (name, mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]]
