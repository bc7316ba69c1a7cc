"""NewellHyperparameters: the hyperparameters of the published stacked hourglass."""

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Iterator, Tuple

from hourglass_pose.graph.hyperparameters import Mistake, StackedHourglass, setting
from hourglass_pose.rules import INT_LIMIT, Rule, boolean, integer, is_number, list_rule, or_none


def stem_channels() -> Rule:
    """Accept three numbers of channels, or two, of which the second counts twice.

    All but the first are those of residual modules, which halve them.
    """
    return list_rule(
        'a list of two or three integers >= 2, even but for the first',
        lambda value: (
            len(value) in (2, 3)
            and all(type(item) is int and 2 <= item <= INT_LIMIT for item in value)
            and not any(item % 2 for item in value[1:])
        ),
        lambda value: (tuple(value) + (value[-1],))[:3],
    )


def channel_shares() -> Rule:
    """Accept a number from 0 to 1 for each of three colours."""
    return list_rule(
        'a list of three numbers from 0 to 1',
        lambda value: len(value) == 3 and all(is_number(item, 0, 1) for item in value),
        lambda value: tuple(float(item) for item in value),
    )


@dataclass(frozen=True)
class NewellHyperparameters(StackedHourglass):
    """Hyperparameters of Newell, Yang and Deng 2016, "Stacked Hourglass Networks for Human Pose Estimation"."""

    num_modules: int = setting(1, integer(1), 'residual modules at each position of an hourglass')
    stem_features: Tuple[int, ...] = setting(
        None,
        or_none(stem_channels()),
        'channels after the first convolution and after the first two residual modules; '
        'None stands for num_features / 4, num_features / 2 and num_features / 2',
        'The published ones are 64, 128 and 128. Two numbers stand for three, the last twice.',
    )
    input_mean: Tuple[float, ...] = setting(
        (0.5, 0.5, 0.5), channel_shares(), 'red, green and blue that are subtracted from the image in [0, 1]'
    )
    person: bool = setting(
        False,
        boolean(),
        'second output: whether a crop shows one whole person in its middle, for finding people in photos',
        'It learns from negative_prob.',
    )

    arch: ClassVar[str] = 'newell'
    title: ClassVar[str] = 'the published stacked hourglass (Newell et al. 2016)'
    network: ClassVar[str] = 'hourglass_pose.graph.newell.network'

    flags: ClassVar[Tuple[str, ...]] = ('tiny', 'person')

    def derived(self) -> Dict[str, Any]:
        features = self.num_features
        return {'stem_features': (max(2, features // 4), features // 2, features // 2)}

    def limits(self) -> Iterator[Mistake]:
        yield from super().limits()
        divisor = self.bottleneck_divisor
        if any(width % divisor for width in self.stem_features[1:]):
            yield (
                'stem_features',
                f'multiples of {divisor} but for the first, as residual modules need them',
                self.stem_features,
            )

    @property
    def gives_person(self) -> bool:
        return self.person

    @property
    def free_in_transfer(self) -> Tuple[str, ...]:
        return (*super().free_in_transfer, 'person')

    @property
    def bottleneck_divisor(self) -> int:
        """How many times narrower a residual module's 3x3 convolution is than its output."""
        return 4 if self.tiny else 2
