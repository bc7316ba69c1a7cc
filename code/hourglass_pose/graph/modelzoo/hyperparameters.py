"""ModelzooHyperparameters: the hyperparameters of the networks of the original TensorFlow 1 code."""

from dataclasses import dataclass
from typing import ClassVar, Iterator, Tuple

from hourglass_pose.graph.hyperparameters import Mistake, StackedHourglass, setting
from hourglass_pose.rules import boolean

ATTENTION_FEATURES = 256
"""Channels that the stem of the attention network ends with."""

ATTENTION_DROP_RATE = 0.1


@dataclass(frozen=True)
class ModelzooHyperparameters(StackedHourglass):
    """Hyperparameters of the original code's standard, tiny, `modif` and attention networks.

    drop_rate: ignored by the attention network, which has a fixed rate.
    """

    attention: bool = setting(False, boolean(), 'multi-context attention, as the original code has it')
    modif: bool = setting(
        False, boolean(), "the original code's variant with a ReLU after each sum and heatmaps between 0 and 1"
    )

    arch: ClassVar[str] = 'modelzoo'
    title: ClassVar[str] = (
        'the graph of the original TensorFlow 1 code, whose hourglasses pool once more than nLow says'
    )
    network: ClassVar[str] = 'hourglass_pose.graph.modelzoo.network'
    flags: ClassVar[Tuple[str, ...]] = ('tiny', 'attention', 'modif')

    # Fixed in the original code.
    num_modules: ClassVar[int] = 1
    attention_kernel: ClassVar[int] = 1
    attention_iterations: ClassVar[int] = 3

    def limits(self) -> Iterator[Mistake]:
        yield from super().limits()
        if self.attention:
            if self.num_features != ATTENTION_FEATURES:
                yield (
                    'num_features',
                    f'{ATTENTION_FEATURES}, which the stem of the original attention network ends with',
                    self.num_features,
                )
            if self.num_stacks > self._modules_of_all_stacks:
                yield (
                    'num_stacks',
                    f'at most {self._modules_of_all_stacks}: the original attention network divides so many modules '
                    'among its stacks',
                    self.num_stacks,
                )
        elif self.num_stacks == 1:
            yield (
                'num_stacks',
                '2 or more: for 1 the original graph builds two stacks and supervises the second as the first',
                self.num_stacks,
            )

    @property
    def depth(self) -> int:
        """How many times an hourglass halves its maps: without attention once more than num_poolings."""
        return self.num_poolings + (0 if self.attention else 1)

    @property
    def stem_features(self) -> Tuple[int, ...]:
        """Channels after the first convolution, after the first and after the second residual module."""
        return (64, 128, 128 if self.attention else self.num_features // 2)

    @property
    def _modules_of_all_stacks(self) -> int:
        return 16 if self.num_poolings == 3 else 8

    @property
    def free_in_transfer(self) -> Tuple[str, ...]:
        # The attention network numbers its layers over all stacks and joints, so other numbers change their meaning.
        return ('input_size', 'drop_rate') if self.attention else super().free_in_transfer

    @property
    def attention_modules(self) -> int:
        """Residual modules in a row on either branch of an hourglass with attention."""
        return self._modules_of_all_stacks // self.num_stacks

    @property
    def part_attention_from(self) -> int:
        """Index of the first stack that has an attention map for each joint; the last stack always has."""
        return self.num_stacks // 2 + 1

    @property
    def gives_probabilities(self) -> bool:
        """Whether the network's output is the sigmoid of its logits."""
        return self.modif and not self.attention
