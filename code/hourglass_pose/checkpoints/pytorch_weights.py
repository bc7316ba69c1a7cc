"""Weights of the well-known PyTorch hourglasses under the names and in the layout of our graph."""

import re
from dataclasses import dataclass
from typing import Callable, Dict, Tuple

import numpy as np

from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.graph.newell.hyperparameters import NewellHyperparameters
from hourglass_pose.tf_compat import tf

_NAMES_SHOWN = 3

# PyTorch counts the batches that a normalisation has seen; nothing is computed from it.
_COUNTER = '.num_batches_tracked'


@dataclass(frozen=True)
class CodeBase:
    """What PyTorch code calls the parts of the published network.

    option: value of --from. title: its repositories. input_mean: as in NewellHyperparameters. mark: a weight that tells
    its state dicts from others. values: function of {name: shape} to a dict of NewellHyperparameters' fields.
    stem, stack: our module -> theirs, where {stack}, {index}, {level} and {down} stand for the stack, the place among
    modules in a row, and the level of the hourglass counted from its coarsest, or said by a path down from its finest.
    residual: our layer of a residual module -> theirs. unused: end of the names of weights that are never used.
    """

    option: str
    title: str
    input_mean: Tuple[float, float, float]
    mark: str
    values: Callable
    stem: Dict[str, str]
    stack: Dict[str, str]
    residual: Dict[str, str]
    unused: str = ''

    def name_of(self, variable, num_poolings):
        """Return the name that a variable of our graph has in a state dict."""
        place = _VARIABLE.match(variable).groupdict()
        down = (place['down'] or '').count('/low')
        if place['stack'] is None:
            module = self.stem[place['module'] + (f'_{place["index"]}' if place['index'] else '')]
        else:
            module = self.stack[place['module']].format(
                stack=place['stack'], index=place['index'], level=num_poolings - 1 - down, down='.low2' * down
            )
        layers = [module] + ([self.residual[place['layer']]] if place['layer'] else [])
        return '.'.join(layers + [_LEAVES[place['leaf']]])


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


def _bearpaw_values(shapes):
    joints, features = _shape(shapes, 'score.0.weight')[:2]
    return {
        'num_stacks': _count(r'score\.(\d+)\.weight$', shapes),
        'num_features': features,
        'num_poolings': _count(r'hg\.0\.hg\.(\d+)\.', shapes),
        'num_modules': _count(r'hg\.0\.hg\.0\.0\.(\d+)\.', shapes),
        'num_joints': joints,
        'stem_features': tuple(
            _shape(shapes, name)[0] for name in ('conv1.weight', 'layer1.0.conv3.weight', 'layer2.0.conv3.weight')
        ),
    }


def _princeton_values(shapes):
    joints, features = _shape(shapes, 'outs.0.conv.weight')[:2]
    return {
        'num_stacks': _count(r'outs\.(\d+)\.conv\.weight$', shapes),
        'num_features': features,
        'num_poolings': _count(r'hgs\.0\.0((?:\.low2)*)\.up1\.', shapes),
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
            # The mean of MPII's training images; the deviation that the code also has is not divided by.
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
            # Every residual module declares one, those that keep the width do not apply it.
            unused=r'\.skip_layer\.conv\.(?:weight|bias)$',
        ),
    )
}


@dataclass(frozen=True, eq=False)
class ForeignNetwork:
    """traits: NewellHyperparameters. variables: {variable of our graph: float32 array}, all of them.

    unused: names of weights that their network has and never uses. unknown: those that belong to no part of it.
    """

    traits: NewellHyperparameters
    variables: Dict[str, np.ndarray]
    unused: Tuple[str, ...]
    unknown: Tuple[str, ...]

    def lines(self):
        """Return lines for people: what was matched and what was left out."""
        numbers = sum(array.size for array in self.variables.values())
        return [f'matched: all {len(self.variables)} variables of the network, {numbers / 1000000.0:.2f} M numbers'] + [
            f'left out: {len(names)} weights {why} ({_listed(names)})'
            for names, why in (
                (self.unused, 'of skip connections that the network declares and never uses'),
                (self.unknown, 'that belong to no part of the network'),
            )
            if names
        ]


def convert(state, option):
    """Return the ForeignNetwork of a state dict.

    state: {name: float array}, names without prefixes of wrappers. option: key of CODE_BASES. What weights do not
    show, as the size of the input, has its default. Raises CheckpointError, without a path, for the weights of
    another network, naming those that are missing or have another shape.
    """
    code_base = CODE_BASES[option]
    state = {name: np.asarray(array) for name, array in state.items() if not name.endswith(_COUNTER)}
    _check_code_base(state, code_base)
    try:
        traits = NewellHyperparameters(
            input_mean=code_base.input_mean, **code_base.values({name: array.shape for name, array in state.items()})
        )
    except ValueError as error:
        raise CheckpointError(f'its weights make no network that can be built here ({error})')
    variables, names, missing, reshaped = {}, set(), [], []
    for variable, shape in _shapes_of(traits).items():
        name = code_base.name_of(variable, traits.num_poolings)
        names.add(name)
        if name not in state:
            missing.append(name)
            continue
        variables[variable] = array = _in_our_layout(state[name])
        if array.shape != shape:
            reshaped.append(f'{name}: {array.shape} for {shape}')
    left = sorted(set(state) - names)
    if missing or reshaped:
        raise CheckpointError(_misfit(code_base, traits, missing, reshaped, left))
    unused = [name for name in left if code_base.unused and re.search(code_base.unused, name)]
    return ForeignNetwork(traits, variables, tuple(unused), tuple(name for name in left if name not in unused))


def _in_our_layout(array):
    """Return float32, kernels (out, in, height, width) as (height, width, in, out)."""
    array = np.asarray(array, np.float32)
    return np.ascontiguousarray(array.transpose(2, 3, 1, 0)) if array.ndim == 4 else array


def _shapes_of(traits):
    """Return {name: shape} of the variables of our network."""
    with tf.Graph().as_default():
        model = HourglassModel(traits)
        model.build(tf.zeros([1, traits.input_size, traits.input_size, 3]), is_training=False)
        return {variable.op.name: tuple(variable.shape.as_list()) for variable in model.variables()}


def _check_code_base(state, code_base):
    if code_base.mark in state:
        return
    for other in CODE_BASES.values():
        if other.mark in state:
            raise CheckpointError(
                f'its weights are those of {other.title} and not of {code_base.title}: import them by --from '
                f'{other.option}'
            )
    raise CheckpointError(
        'its weights are of neither network that can be imported: %s; it holds %d others, such as '
        '%s'
        % (
            ', '.join(f'no {other.mark} as in {other.title}' for other in CODE_BASES.values()),
            len(state),
            _listed(sorted(state)),
        )
    )


def _misfit(code_base, traits, missing, reshaped, left):
    parts = [
        text % (len(names), _listed(names))
        for names, text in (
            (missing, '%d weights are missing (%s)'),
            (reshaped, '%d have another shape, turned to ours (%s)'),
            (left, '%d belong to no part of it (%s)'),
        )
        if names
    ]
    return (
        'its weights do not make up the network of %s that they begin, %d stacks of %d features and %d joints: %s; '
        'give the whole state dict of an unchanged network'
        % (code_base.title, traits.num_stacks, traits.num_features, traits.num_joints, ', '.join(parts))
    )


def _listed(names):
    shown = ', '.join(names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f'the first: {shown}'


def _count(pattern, shapes):
    """Return how many different texts the pattern's group has among names."""
    return len({match.group(1) for match in map(re.compile(pattern).match, shapes) if match})


def _shape(shapes, name):
    if len(shapes.get(name, ())) != 4:
        raise CheckpointError(f'it has no convolution {name}')
    return shapes[name]
