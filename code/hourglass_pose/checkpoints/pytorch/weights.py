"""Weights of the known PyTorch hourglasses, converted to the names and the layout of our graph."""

import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from hourglass_pose.checkpoints.original import count_distinct
from hourglass_pose.checkpoints.variables import shapes_of
from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.newell.hyperparameters import NewellHyperparameters

_NAMES_SHOWN = 3

# PyTorch counts the batches that a normalisation has seen; nothing is computed from it.
_COUNTER = '.num_batches_tracked'


@dataclass(frozen=True)
class CodeBase:
    """The names that a PyTorch code base gives to the parts of the published network.

    option: value of --from. title: its repositories. input_mean: as in NewellHyperparameters. mark: a weight that only
    its state dicts have. values: function of {name: shape} to a dict of NewellHyperparameters' fields.
    stem, stack: {our module: theirs}, where {stack}, {index}, {level} and {down} stand for the stack, the index among
    modules in a row, and the level of the hourglass, counted from its coarsest or as a path down from its finest.
    residual: {our layer of a residual module: theirs}. unused: pattern of the names of weights that are never used.
    """

    option: str
    title: str
    input_mean: Tuple[float, float, float]
    mark: str
    values: Callable[[Mapping[str, Sequence[int]]], Dict[str, Any]]
    stem: Dict[str, str]
    stack: Dict[str, str]
    residual: Dict[str, str]
    unused: str = ''

    def name_of(self, variable: str, num_poolings: int) -> str:
        """Return the name that a variable of our graph has in a state dict."""
        match = _VARIABLE.match(variable)
        assert match, variable
        part = match.groupdict()
        down = (part['down'] or '').count('/low')
        if part['stack'] is None:
            module = self.stem[part['module'] + (f'_{part["index"]}' if part['index'] else '')]
        else:
            module = self.stack[part['module']].format(
                stack=part['stack'], index=part['index'], level=num_poolings - 1 - down, down='.low2' * down
            )
        layers = [module] + ([self.residual[part['layer']]] if part['layer'] else [])
        return '.'.join(layers + [_LEAVES[part['leaf']]])


_VARIABLE = re.compile(
    r'^model/(?:stem|stack_(?P<stack>\d+))/(?:hourglass(?P<down>(?:/low)*)/)?'
    r'(?P<module>[a-z_]+?)(?:_(?P<index>\d+))?/(?:(?P<layer>\w+)/)?(?P<leaf>\w+)$'
)

_LEAVES = {
    'weights': 'weight',
    'biases': 'bias',
    'gamma': 'weight',
    'beta': 'bias',
    'moving_mean': 'running_mean',
    'moving_variance': 'running_var',
}


def _bearpaw_values(shapes: Mapping[str, Sequence[int]]) -> Dict[str, Any]:
    joints, features = _shape(shapes, 'score.0.weight')[:2]
    return {
        'num_stacks': count_distinct(r'score\.(\d+)\.weight$', shapes),
        'num_features': features,
        'num_poolings': count_distinct(r'hg\.0\.hg\.(\d+)\.', shapes),
        'num_modules': count_distinct(r'hg\.0\.hg\.0\.0\.(\d+)\.', shapes),
        'num_joints': joints,
        'stem_features': tuple(
            _shape(shapes, name)[0] for name in ('conv1.weight', 'layer1.0.conv3.weight', 'layer2.0.conv3.weight')
        ),
    }


def _princeton_values(shapes: Mapping[str, Sequence[int]]) -> Dict[str, Any]:
    joints, features = _shape(shapes, 'outs.0.conv.weight')[:2]
    return {
        'num_stacks': count_distinct(r'outs\.(\d+)\.conv\.weight$', shapes),
        'num_features': features,
        'num_poolings': count_distinct(r'hgs\.0\.0((?:\.low2)*)\.up1\.', shapes),
        'num_joints': joints,
        'stem_features': tuple(
            _shape(shapes, name)[0]
            for name in ('pre.0.conv.weight', 'pre.1.conv3.conv.weight', 'pre.3.conv3.conv.weight')
        ),
    }


CODE_BASES = {
    code_base.option: code_base
    for code_base in (
        CodeBase(
            'bearpaw',
            'bearpaw/pytorch-pose (also anibali/pytorch-stacked-hourglass)',
            # The mean of MPII's training images. The code base does not divide by its standard deviation.
            (0.4404, 0.4440, 0.4327),
            'score.0.weight',
            _bearpaw_values,
            stem={
                'conv_in': 'conv1',
                'batch_norm': 'bn1',
                'residual_0': 'layer1.0',
                'residual_1': 'layer2.0',
                'residual_2': 'layer3.0',
            },
            stack={
                'up': 'hg.{stack}.hg.{level}.0.{index}',
                'low_in': 'hg.{stack}.hg.{level}.1.{index}',
                'low_out': 'hg.{stack}.hg.{level}.2.{index}',
                'low_mid': 'hg.{stack}.hg.{level}.3.{index}',
                'residual': 'res.{stack}.{index}',
                'linear': 'fc.{stack}.0',
                'batch_norm': 'fc.{stack}.1',
                'heatmaps': 'score.{stack}',
                'features_back': 'fc_.{stack}',
                'heatmaps_back': 'score_.{stack}',
            },
            residual={
                'batch_norm_1': 'bn1',
                'conv_1': 'conv1',
                'batch_norm_2': 'bn2',
                'conv_2': 'conv2',
                'batch_norm_3': 'bn3',
                'conv_3': 'conv3',
                'skip': 'downsample.0',
            },
        ),
        CodeBase(
            'princeton',
            'princeton-vl/pytorch_stacked_hourglass',
            (0.0, 0.0, 0.0),
            'outs.0.conv.weight',
            _princeton_values,
            stem={
                'conv_in': 'pre.0.conv',
                'batch_norm': 'pre.0.bn',
                'residual_0': 'pre.1',
                'residual_1': 'pre.3',
                'residual_2': 'pre.4',
            },
            stack={
                'up': 'hgs.{stack}.0{down}.up1',
                'low_in': 'hgs.{stack}.0{down}.low1',
                'low_out': 'hgs.{stack}.0{down}.low3',
                'low_mid': 'hgs.{stack}.0{down}.low2',
                'residual': 'features.{stack}.0',
                'linear': 'features.{stack}.1.conv',
                'batch_norm': 'features.{stack}.1.bn',
                'heatmaps': 'outs.{stack}.conv',
                'features_back': 'merge_features.{stack}.conv.conv',
                'heatmaps_back': 'merge_preds.{stack}.conv.conv',
            },
            residual={
                'batch_norm_1': 'bn1',
                'conv_1': 'conv1.conv',
                'batch_norm_2': 'bn2',
                'conv_2': 'conv2.conv',
                'batch_norm_3': 'bn3',
                'conv_3': 'conv3.conv',
                'skip': 'skip_layer.conv',
            },
            # Every residual module declares a skip layer, but those that keep the width do not apply it.
            unused=r'\.skip_layer\.conv\.(?:weight|bias)$',
        ),
    )
}


@dataclass(frozen=True, eq=False)
class ForeignNetwork:
    """A network converted from another code base.

    hyperparameters: NewellHyperparameters. variables: {variable of our graph: float32 array}, all of them.
    unused: names of weights that the network declares and never uses. unknown: names that belong to no part of it.
    """

    hyperparameters: NewellHyperparameters
    variables: Dict[str, np.ndarray]
    unused: Tuple[str, ...]
    unknown: Tuple[str, ...]

    def lines(self) -> List[str]:
        """Return lines for people: what was matched and what was left out."""
        numbers = sum(array.size for array in self.variables.values())
        return [f'matched: all {len(self.variables)} variables of the network, {numbers / 1e6:.2f} M numbers'] + [
            f'left out: {len(names)} weights {why} ({_listed(names)})'
            for names, why in (
                (self.unused, 'of skip connections that the network declares and never uses'),
                (self.unknown, 'that belong to no part of the network'),
            )
            if names
        ]


def convert(state: Mapping[str, np.ndarray], option: str) -> ForeignNetwork:
    """Return the ForeignNetwork of a state dict.

    state: {name: float array}, names without prefixes of wrappers. option: key of CODE_BASES. Hyperparameters that do
    not follow from weights, such as the size of the input, have their defaults. Raises CheckpointError, without a path,
    for the weights of another network, naming those that are missing or have another shape.
    """
    code_base = CODE_BASES[option]
    state = {name: np.asarray(array) for name, array in state.items() if not name.endswith(_COUNTER)}
    _check_code_base(state, code_base)
    try:
        hyperparameters = NewellHyperparameters(
            input_mean=code_base.input_mean, **code_base.values({name: array.shape for name, array in state.items()})
        )
    except ValueError as error:
        raise CheckpointError(f'its weights are those of no network that can be built here ({error})')
    variables: Dict[str, np.ndarray] = {}
    names, missing, reshaped = set(), [], []
    for variable, shape in shapes_of(hyperparameters).items():
        name = code_base.name_of(variable, hyperparameters.num_poolings)
        names.add(name)
        if name not in state:
            missing.append(name)
            continue
        variables[variable] = array = _in_our_layout(state[name])
        if list(array.shape) != list(shape):
            reshaped.append(f'{name}: {array.shape} for {tuple(shape)}')
    left = sorted(set(state) - names)
    if missing or reshaped:
        raise CheckpointError(_misfit(code_base, hyperparameters, missing, reshaped, left))
    unused = [name for name in left if code_base.unused and re.search(code_base.unused, name)]
    return ForeignNetwork(hyperparameters, variables, tuple(unused), tuple(name for name in left if name not in unused))


def _in_our_layout(array: np.ndarray) -> np.ndarray:
    """Return float32, kernels (out, in, height, width) as (height, width, in, out)."""
    array = np.asarray(array, np.float32)
    return np.ascontiguousarray(array.transpose(2, 3, 1, 0)) if array.ndim == 4 else array


def code_base_of(state: Mapping[str, Any]) -> str:
    """Return the key of CODE_BASES whose names a state dict has. Raises CheckpointError, without a path."""
    for code_base in CODE_BASES.values():
        if code_base.mark in state:
            return code_base.option
    marks = ', '.join(f'no {other.mark} as in {other.title}' for other in CODE_BASES.values())
    raise CheckpointError(
        f'its weights are those of no network that can be imported: {marks}; it holds {len(state)} others, such as '
        f'{_listed(sorted(state))}'
    )


def _check_code_base(state: Mapping[str, Any], code_base: CodeBase) -> None:
    found = CODE_BASES[code_base_of(state)]
    if found != code_base:
        raise CheckpointError(
            f'its weights are those of {found.title} and not of {code_base.title}: import them by --from {found.option}'
        )


def _misfit(
    code_base: CodeBase,
    hyperparameters: NewellHyperparameters,
    missing: List[str],
    reshaped: List[str],
    left: List[str],
) -> str:
    parts = [
        f'{len(names)} {what} ({_listed(names)})'
        for names, what in (
            (missing, 'weights are missing'),
            (reshaped, 'have another shape, given in our layout'),
            (left, 'belong to no part of it'),
        )
        if names
    ]
    return (
        f'its weights do not match the network of {code_base.title} that some of them belong to, '
        f'{hyperparameters.num_stacks} stacks of {hyperparameters.num_features} features and '
        f'{hyperparameters.num_joints} joints: {", ".join(parts)}; give the whole state dict of an unchanged network'
    )


def _listed(names: Sequence[str]) -> str:
    shown = ', '.join(names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f'the first: {shown}'


def _shape(shapes: Mapping[str, Sequence[int]], name: str) -> Sequence[int]:
    if len(shapes.get(name, ())) != 4:
        raise CheckpointError(f'it has no convolution {name}')
    return shapes[name]
