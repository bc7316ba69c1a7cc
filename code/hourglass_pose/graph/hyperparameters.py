"""Hyperparameters: the frozen, checked record that selects one network of an architecture, without TensorFlow."""

from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, ClassVar, Dict, Iterator, List, Tuple

from hourglass_pose.errors import counted
from hourglass_pose.rules import Rule, boolean, integer, number

Mistake = Tuple[str, str, Any]
"""(name of a hyperparameter, a noun phrase for what is allowed and why, the value)."""


# Hyperparameters whose keys have the names of the original code's config.cfg; the others are keys of the same name.
_KEY_NAMES = {
    'num_stacks': 'nStack',
    'num_features': 'nFeat',
    'num_poolings': 'nLow',
    'num_modules': 'nModules',
    'num_joints': 'outputDim',
    'input_size': 'img_size',
    'stem_features': 'stem_feat',
}


def key_name(hyperparameter: str) -> str:
    """Return the name of a hyperparameter in config.cfg and in messages."""
    return _KEY_NAMES.get(hyperparameter, hyperparameter)


class HyperparameterError(ValueError):
    """A network that cannot be built.

    mistakes: the invalid hyperparameters; the phrases refer to other hyperparameters by name.
    """

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__('; '.join(f'{name}: expected {expected}, found {found}' for name, expected, found in mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True)
class Setting:
    """The declaration of a hyperparameter for configuration files.

    rule: the allowed values. effect: one line on its effect. note: advice for changing it.
    """

    rule: Rule
    effect: str
    note: str = ''


def setting(default: Any, rule: Rule, effect: str, note: str = '') -> Any:
    """Return the dataclass field of a hyperparameter."""
    return field(default=default, metadata={'setting': Setting(rule, effect, note)})


def setting_of(declared: 'Field[Any]') -> Setting:
    """Return the Setting of a field of a Hyperparameters class."""
    return declared.metadata['setting']


@dataclass(frozen=True)
class NetworkOutputs:
    """The outputs of a network for a batch.

    heatmaps: the logits, tensors (N, H, W, J) from the first stack to the last. Training supervises all of them,
    prediction takes the last.
    person: logits (N,), above 0 where a crop shows one whole person in its middle; None for a network without it.
    """

    heatmaps: List[Any]
    person: Any = None


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of every network; each architecture has a subclass that adds its own.

    The fields of all subclasses are keys of config.cfg: one name has one declaration. A subclass defines its name
    `arch`, its description `title`, and `network`, the module whose function

        build(hyperparameters, images, is_training, dropout) -> NetworkOutputs

    builds its graph from normalised images. The module is imported when a graph is built.
    Raises HyperparameterError for a network that cannot be built.
    """

    num_joints: int = setting(16, integer(1), 'heatmaps of one stack')
    input_size: int = setting(256, integer(8, multiple=4), 'side of the square input in pixels')

    arch: ClassVar[str]
    title: ClassVar[str]
    network: ClassVar[str]
    stride: ClassVar[int] = 4
    """Input pixels per heatmap cell."""

    def __post_init__(self) -> None:
        mistakes: List[Mistake] = []
        for declared in fields(self):
            value = getattr(self, declared.name)
            try:
                object.__setattr__(self, declared.name, setting_of(declared).rule.accept(value))
            except ValueError as error:
                mistakes.append((declared.name, str(error), repr(value)))
        if not mistakes:
            for name, value in self.derived().items():
                if getattr(self, name) is None:
                    object.__setattr__(self, name, value)
            mistakes.extend(self.limits())
        if mistakes:
            raise HyperparameterError(*mistakes)

    def derived(self) -> Dict[str, Any]:
        """Return the values that None stands for, by hyperparameter, where they follow from others."""
        return {}

    def limits(self) -> Iterator[Mistake]:
        """Yield the violated constraints between hyperparameters."""
        yield from ()

    @property
    def num_stacks(self) -> int:
        """Number of sets of heatmaps that the network outputs."""
        return 1

    @property
    def input_mean(self) -> Tuple[float, ...]:
        """Red, green and blue of [0, 1] that are subtracted from the image."""
        return (0.0, 0.0, 0.0)

    @property
    def heatmap_size(self) -> int:
        """Side of the square heatmaps in cells."""
        return self.input_size // self.stride

    @property
    def gives_probabilities(self) -> bool:
        """Whether the network's output is the sigmoid of its logits."""
        return False

    @property
    def gives_person(self) -> bool:
        """Whether the network has the output `person`."""
        return False

    @property
    def free_in_transfer(self) -> Tuple[str, ...]:
        """Fields in which two networks may differ although variables of one name have the same meaning."""
        return ('num_stacks', 'num_joints', 'input_size', 'drop_rate')

    def describe(self) -> str:
        """Return the network in a few words, for the log."""
        return f'{self.arch}, {self.describe_sizes()}'

    def describe_sizes(self) -> str:
        """Return the sizes of input and output in a few words."""
        return f'{counted(self.num_joints, "joint")}, input {self.input_size}, heatmaps {self.heatmap_size}'

    def as_dict(self) -> Dict[str, Any]:
        """Return a dict for JSON; architectures.hyperparameters_from_dict inverts it."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {'arch': self.arch, **values}

    def differences(self, other: 'Hyperparameters') -> List[str]:
        """Return lines 'key: ours / theirs' for every hyperparameter in which two networks differ."""
        mine, theirs = self.as_dict(), other.as_dict()
        names = list(mine) + [name for name in theirs if name not in mine]
        return [
            f'{key_name(name)}: {mine.get(name)} / {theirs.get(name)}'
            for name in names
            if mine.get(name) != theirs.get(name)
        ]


@dataclass(frozen=True)
class StackedHourglass(Hyperparameters):
    """The common hyperparameters of architectures of stacked hourglasses.

    flags: names of the switches that the summary line mentions if they are on.
    """

    num_stacks: int = setting(
        2, integer(1), 'stacked hourglasses, each supervised', 'Time and memory grow in proportion; the paper uses 8.'
    )
    num_features: int = setting(
        256,
        integer(4, multiple=4),
        'channels inside the hourglasses',
        'Time grows with its square. On CPUs, batch norms are several times faster for multiples of 16 channels, also '
        'of those in stem_feat, and of half of them, as in residual modules.',
    )
    num_poolings: int = setting(
        4, integer(1, 6), 'poolings of one hourglass', 'With 4, the coarsest maps of a 256 pixel input are 4 x 4.'
    )
    tiny: bool = setting(False, boolean(), 'lighter residual modules: faster and less accurate')
    drop_rate: float = setting(
        0.0, number(0, 1, below=True), 'share of features dropped after each hourglass in training'
    )

    flags: ClassVar[Tuple[str, ...]] = ('tiny',)

    def limits(self) -> Iterator[Mistake]:
        step = self.stride * 2**self.depth
        if self.input_size % step:
            nearest = max(1, round(self.input_size / step)) * step
            factor = step // 2**self.num_poolings
            yield (
                'input_size',
                f'a multiple of {factor} * 2^num_poolings = {step}, for instance {nearest}',
                self.input_size,
            )

    @property
    def depth(self) -> int:
        """How many times an hourglass halves its maps."""
        return self.num_poolings

    def describe(self) -> str:
        name = ' '.join([self.arch] + [flag for flag in self.flags if getattr(self, flag)])
        return f'{name}, {counted(self.num_stacks, "stack")} of {self.num_features} features, {self.describe_sizes()}'
