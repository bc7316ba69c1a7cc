"""Storage: the variables of a network that is trained, each alone or joined in vectors that one operation updates.

A small network has hundreds of variables. One operation for each of them, for each slot of the optimizer, each moving
average and each batch statistic costs more time than its arithmetic. Joined, they are four or five vectors.
"""

from copy import copy
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.tf_compat import tf

_JOINED = 'joined_variables'
_CONSTANTS = {tf.zeros_initializer: 0.0, tf.ones_initializer: 1.0}


@dataclass(frozen=True)
class Declared:
    """A variable that a network declares. initializer: function of its shape that returns its initial values."""

    name: str
    shape: Tuple[int, ...]
    initializer: Callable[..., Any]
    is_trainable: bool

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    @property
    def is_kernel(self) -> bool:
        """Whether it is a kernel, and not biases, factors, offsets or statistics of channels."""
        return len(self.shape) > 1


def declare(model: Any) -> Tuple[List[Declared], 'tf.Graph']:
    """Return what a HourglassModel declares; it need not be built yet.

    Its variables in the order in which it creates them, and a graph of the network for one image. There, placeholders
    stand for the variables, which take several times as long to create.
    """
    found: List[Declared] = []

    def note(getter: Callable[..., Any], name: str, *args: Any, **settings: Any) -> 'tf.Tensor':
        shape = tuple(int(length) for length in settings['shape'])
        found.append(Declared(name, shape, settings['initializer'], settings['trainable'] is not False))
        return tf.placeholder(tf.float32, shape)

    size = model.hyperparameters.input_size
    seed = tf.get_default_graph().seed
    with tf.Graph().as_default() as graph:
        # Initializers take their seeds from the graph's seed and the variables' names.
        tf.set_random_seed(seed)
        # A copy, because a model remembers the variables of the graph in which it is built first.
        copy(model).build_logits(tf.zeros([1, size, size, 3]), is_training=False, getter=note)
    return found, graph


def declared_variables(model: Any) -> List[Declared]:
    """Return the variables of a HourglassModel in the order in which it creates them; it need not be built yet."""
    return declare(model)[0]


class Group:
    """Variables of a network, its `parts`, that are stored in one TensorFlow variable.

    Other variables of the same layout, such as slots of an optimizer, belong to groups made by `like`.
    """

    def __init__(self, variable: 'tf.Variable', parts: Sequence[Declared], ending: str = '') -> None:
        self.variable = variable
        self._parts = tuple(parts)
        self._ending = ending
        self._tensors: Optional[Dict[str, Any]] = None
        if self.is_joined:
            tf.add_to_collection(_JOINED, self)

    @property
    def is_joined(self) -> bool:
        """Whether the variable is a vector of several parts; otherwise it is the only part itself."""
        return self.variable.op.name != self.names[0]

    @property
    def names(self) -> List[str]:
        """Names of the parts in checkpoints."""
        return [part.name + self._ending for part in self._parts]

    @property
    def shapes(self) -> List[Tuple[int, ...]]:
        """Shapes of the parts."""
        return [part.shape for part in self._parts]

    def tensors(self) -> Dict[str, 'tf.Tensor']:
        """Return {name: tensor or variable} of the parts. The operations of tensors have the names of the parts."""
        if not self.is_joined:
            return {self.names[0]: self.variable}
        if self._tensors is None:
            with tf.name_scope(None):
                pieces = tf.split(self.variable, [part.size for part in self._parts])
                self._tensors = {
                    name: tf.identity(piece, name) if len(shape) == 1 else tf.reshape(piece, shape, name=name)
                    for name, shape, piece in zip(self.names, self.shapes, pieces)
                }
        return self._tensors

    def joined(self, values: Dict[str, 'tf.Tensor']) -> 'tf.Tensor':
        """Return the tensor that has these values {name: tensor} of the parts where the variable has them."""
        if not self.is_joined:
            return values[self.names[0]]
        return _vector([values[name] for name in self.names])

    def views(self, vector: np.ndarray) -> Dict[str, np.ndarray]:
        """Return {name: view} of the parts in the values of a joined vector."""
        ends = np.cumsum([part.size for part in self._parts])
        return {
            name: vector[end - part.size : end].reshape(part.shape)
            for name, part, end in zip(self.names, self._parts, ends)
        }

    def like(self, variable: 'tf.Variable', ending: str) -> 'Group':
        """Return the group of another variable of the same layout, the names of whose parts have this ending."""
        return Group(variable, self._parts, ending)

    @property
    def has_kernels(self) -> bool:
        """Whether one of the parts is a kernel."""
        return any(part.is_kernel for part in self._parts)

    def kernels(self) -> 'tf.Tensor':
        """Return a float32 tensor that is 1 where a kernel has its values and 0 elsewhere; it broadcasts."""
        if not self.is_joined:
            return tf.constant(float(self.has_kernels))
        return tf.concat([tf.fill([part.size], float(part.is_kernel)) for part in self._parts], axis=0)


def joined_groups() -> List[Group]:
    """Return all groups of the current graph whose variable is a vector of several variables."""
    return tf.get_collection(_JOINED)


class Storage:
    """Creates the variables of a network and serves them to its builds.

    declared: the variables. joins: whether they are joined in two vectors, weights and batch statistics.
    """

    def __init__(self, declared: Sequence[Declared], joins: bool) -> None:
        weights = [each for each in declared if each.is_trainable]
        statistics = [each for each in declared if not each.is_trainable]
        self.shapes = {each.name: list(each.shape) for each in declared}
        self.weights = _groups('joined/weights', weights, joins, trainable=True)
        self.statistics = _groups('joined/statistics', statistics, joins, trainable=False)

    @property
    def groups(self) -> List[Group]:
        """All groups, weights first."""
        return self.weights + self.statistics


def _groups(name: str, declared: Sequence[Declared], joins: bool, trainable: bool) -> List[Group]:
    if not declared:
        return []
    if joins:
        with tf.name_scope('joined_initial_values'):
            initial = _vector(_initial_values(declared))
        return [Group(tf.get_variable(name, initializer=initial, trainable=trainable), declared)]
    return [
        Group(tf.get_variable(each.name, each.shape, tf.float32, each.initializer, trainable=trainable), [each])
        for each in declared
    ]


def _initial_values(declared: Sequence[Declared]) -> List['tf.Tensor']:
    """Return tensors that contain the initial values in order. Neighbouring constants are one tensor."""
    parts: List[tf.Tensor] = []
    for is_constant, run in groupby(declared, lambda each: type(each.initializer) in _CONSTANTS):
        if is_constant:
            values = [np.full(each.size, _CONSTANTS[type(each.initializer)], np.float32) for each in run]
            parts.append(tf.constant(np.concatenate(values)))
        else:
            parts.extend(each.initializer(list(each.shape)) for each in run)
    return parts


def _vector(parts: Sequence['tf.Tensor']) -> 'tf.Tensor':
    return tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0)


def getter_of(groups: Sequence[Group], ending: str = '') -> Callable[..., Any]:
    """Return a custom getter that gives the values in groups, whose names have this ending, in place of variables."""
    values = {name: tensor for group in groups for name, tensor in group.tensors().items()}

    def stored(getter: Callable[..., Any], name: str, *args: Any, **settings: Any) -> Any:
        del getter, args, settings
        return values[name + ending]

    return stored
