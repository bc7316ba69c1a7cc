"""Variables saved from a session into checkpoint files and restored from them."""

import os
import tempfile
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

import numpy as np

from hourglass_pose.checkpoints.restore_report import AVERAGE_SUFFIX, RestoreReport
from hourglass_pose.checkpoints.stored import StoredNetwork, checkpoint_prefix
from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.hyperparameters import Hyperparameters
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.tf_compat import reason_of, tf


class VariableSaver:
    """Saves and restores all variables of the current graph.

    prefix: file name of the checkpoint's parts. network: the variables that a checkpoint must hold; those of the
    optimizer may start fresh. None requires every variable of the graph.
    """

    def __init__(self, prefix: str, network: Optional[Sequence['tf.Variable']] = None) -> None:
        self.prefix = prefix
        self._variables = tf.global_variables()
        self._network = self._variables if network is None else list(network)
        self._saver = tf.train.Saver(self._variables, max_to_keep=None, save_relative_paths=True)

    def save(self, session: 'tf.Session', folder: str) -> None:
        """Write the variables into a folder. Raises OSError if they cannot be written."""
        try:
            self._saver.save(session, os.path.join(folder, self.prefix), write_meta_graph=False, write_state=False)
        except tf.errors.OpError as error:
            raise OSError(reason_of(error))
        except ValueError as error:
            # Saver reports an unwritable folder by this exception.
            raise OSError(str(error))

    def values(self, session: 'tf.Session', variables: Sequence['tf.Variable']) -> Dict[str, np.ndarray]:
        """Return {name: array} of variables.

        They are saved and read back, because on an NPU another fetch is another graph to compile, which takes minutes.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save(session, folder)
            reader = tf.train.NewCheckpointReader(os.path.join(folder, self.prefix))
            return {variable.op.name: reader.get_tensor(variable.op.name) for variable in variables}

    def restore(self, session: 'tf.Session', path: str) -> RestoreReport:
        """Set the graph's variables from a checkpoint and return the RestoreReport; missing ones stay unchanged.

        path: folder of one of our checkpoints, or the prefix of any other. Raises CheckpointError if a variable of the
        network is missing or has another shape.
        """
        prefix = checkpoint_prefix(path) if os.path.isdir(path) else path
        found = tf.train.NewCheckpointReader(prefix).get_variable_to_shape_map()
        check_variables(path, found, {variable.op.name: variable.shape.as_list() for variable in self._network})
        fitting = [
            variable
            for variable in self._variables
            if list(found.get(variable.op.name, ('missing',))) == variable.shape.as_list()
        ]
        with _readable(path):
            saver = self._saver if len(fitting) == len(self._variables) else tf.train.Saver(fitting)
            saver.restore(session, prefix)
        restored = [variable.op.name for variable in fitting]
        names = [variable.op.name for variable in self._variables]
        return RestoreReport(
            tuple(restored),
            tuple(name for name in names if name not in set(restored)),
            tuple(sorted(set(found) - set(restored))),
            tuple(variable.op.name for variable in self._network),
        )


def stored_number(path: str, variable: 'tf.Variable') -> Optional[float]:
    """Return the number that a checkpoint holds for a scalar variable, None if it holds none.

    It is read from the file, because for some devices another fetch is another graph to compile.
    """
    reader = tf.train.NewCheckpointReader(checkpoint_prefix(path) if os.path.isdir(path) else path)
    return reader.get_tensor(variable.op.name).item() if reader.has_tensor(variable.op.name) else None


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """Raise CheckpointError in place of what TensorFlow raises where a checkpoint is damaged."""
    try:
        yield
    # TensorFlow 1.15 and 2 raise different types here; IndexError is a file that ends too early.
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError, MemoryError) as error:
        raise CheckpointError(f'{path}: TensorFlow cannot read the checkpoint ({reason_of(error)})')


class _CheckpointReader:
    """TensorFlow's reader of a checkpoint, whose data may be found damaged only when they are read."""

    def __init__(self, prefix: str, reader: Any) -> None:
        self._prefix, self._reader = prefix, reader

    def get_variable_to_shape_map(self) -> Dict[str, List[int]]:
        return self._reader.get_variable_to_shape_map()

    def get_tensor(self, name: str) -> np.ndarray:
        with _readable(self._prefix):
            return self._reader.get_tensor(name)


class _ArrayReader:
    """The variables of a StoredNetwork that holds them, with the methods of TensorFlow's reader."""

    def __init__(self, arrays: Dict[str, np.ndarray]) -> None:
        self._arrays = arrays

    def get_variable_to_shape_map(self) -> Dict[str, List[int]]:
        return {name: list(array.shape) for name, array in self._arrays.items()}

    def get_tensor(self, name: str) -> np.ndarray:
        return self._arrays[name]


def open_variables(prefix: str) -> Any:
    """Return TensorFlow's reader of a checkpoint. Raises CheckpointError for one that it cannot read."""
    with _readable(prefix):
        return _CheckpointReader(prefix, tf.train.NewCheckpointReader(prefix))


def reader_of(stored: StoredNetwork) -> Any:
    """Return the reader of a StoredNetwork's variables, with get_variable_to_shape_map() and get_tensor(name)."""
    return open_variables(stored.prefix) if stored.prefix is not None else _ArrayReader(stored.variables or {})


def network_values(stored: StoredNetwork, names: Sequence[str]) -> Dict[str, np.ndarray]:
    """Return {name: array} of the named variables that a network holds, or of their moving averages if it has them."""
    reader = reader_of(stored)
    found = reader.get_variable_to_shape_map()
    chosen = {name: _averaged(name, found) for name in names}
    return {name: reader.get_tensor(source) for name, source in chosen.items() if source in found}


def report_on_network(stored: StoredNetwork) -> RestoreReport:
    """Return the RestoreReport of a StoredNetwork for a graph of its network without an optimizer.

    Raises CheckpointError if a variable of the network is missing or has another shape.
    """
    wanted = shapes_of(stored.hyperparameters)
    found = reader_of(stored).get_variable_to_shape_map()
    check_variables(stored.path, found, wanted)
    return RestoreReport(tuple(wanted), (), tuple(sorted(set(found) - set(wanted))), tuple(wanted))


def shapes_of(hyperparameters: Hyperparameters) -> Dict[str, List[int]]:
    """Return {name: shape} of the variables of a network."""
    with tf.Graph().as_default():
        model = HourglassModel(hyperparameters)
        model.build(tf.zeros([1, hyperparameters.input_size, hyperparameters.input_size, 3]), is_training=False)
        return {variable.op.name: variable.shape.as_list() for variable in model.variables()}


def check_variables(path: str, found: Mapping[str, Sequence[int]], wanted: Mapping[str, Sequence[int]]) -> None:
    """Raise CheckpointError, naming the expected variables that a checkpoint lacks or holds in another shape.

    path: the checkpoint, for the message. found, wanted: {name: shape}.
    """
    missing = sorted(set(wanted) - set(found))
    reshaped = [
        f'{name}: {found[name]} / {wanted[name]}'
        for name in sorted(set(wanted) & set(found))
        if list(found[name]) != list(wanted[name])
    ]
    parts = []
    if missing:
        parts.append(f'{len(missing)} variables are not in it, the first: {", ".join(missing[:3])}')
    if reshaped:
        parts.append(f'{len(reshaped)} have another shape (checkpoint / wanted), the first: {", ".join(reshaped[:3])}')
    if parts:
        raise CheckpointError(f'{path}: the checkpoint does not fit: {"; ".join(parts)}')


def load_network(session: 'tf.Session', model: Any, stored: StoredNetwork) -> None:
    """Set a model's variables from a StoredNetwork, from its moving averages if it holds them.

    Raises CheckpointError for a network that does not fit.
    """
    found = reader_of(stored).get_variable_to_shape_map()
    variables = {_averaged(variable.op.name, found): variable for variable in model.variables()}
    check_variables(stored.path, found, {name: variable.shape.as_list() for name, variable in variables.items()})
    if stored.prefix is not None:
        with _readable(stored.path):
            tf.train.Saver(variables).restore(session, stored.prefix)
    else:
        assign(session, model.variables(), stored.variables or {})


def assign(session: 'tf.Session', variables: Sequence['tf.Variable'], arrays: Mapping[str, np.ndarray]) -> None:
    """Set variables to arrays {name: array}; variables without an array stay unchanged."""
    chosen = [variable for variable in variables if variable.op.name in arrays]
    if chosen:
        session.run(
            [variable.initializer for variable in chosen],
            {variable.initializer.inputs[1]: arrays[variable.op.name] for variable in chosen},
        )


def constants_of(stored: StoredNetwork) -> Any:
    """Return a custom getter that gives a network's values as constants in place of variables.

    The values are those of load_network. Building a graph takes half the time with constants. The getter raises
    CheckpointError for a variable that the checkpoint does not hold.
    """
    reader = reader_of(stored)
    found = reader.get_variable_to_shape_map()

    def constant(getter: Any, name: str, shape: Sequence[int], **settings: Any) -> 'tf.Tensor':
        del getter, settings
        source = _averaged(name, found)
        if list(found.get(source, ('missing',))) != list(shape):
            check_variables(stored.path, found, {source: list(shape)})
        with tf.name_scope(None):
            return tf.constant(reader.get_tensor(source), name=name)

    return constant


def _averaged(name: str, found: Mapping[str, Any]) -> str:
    """Return the name of a variable's moving average if a checkpoint holds one, otherwise the variable's name."""
    return name + AVERAGE_SUFFIX if name + AVERAGE_SUFFIX in found else name
