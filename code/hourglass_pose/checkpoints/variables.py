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
from hourglass_pose.graph.storage import Group, declared_variables, joined_groups
from hourglass_pose.tf_compat import SaveableObject, SaveSpec, reason_of, tf


class VariableSaver:
    """Saves and restores all variables of the current graph under their names, those of joined vectors one by one.

    prefix: file name of the checkpoint's parts. network: {name: shape} of the variables that a checkpoint must hold;
    those of the optimizer may start fresh. None requires every variable of the graph.
    """

    def __init__(self, prefix: str, network: Optional[Mapping[str, Sequence[int]]] = None) -> None:
        self.prefix = prefix
        self._joined = joined_groups()
        vectors = {group.variable.op.name for group in self._joined}
        self._plain = [variable for variable in tf.global_variables() if variable.op.name not in vectors]
        self._shapes = {variable.op.name: variable.shape.as_list() for variable in self._plain}
        for group in self._joined:
            self._shapes.update(zip(group.names, map(list, group.shapes)))
        self._network = self._shapes if network is None else {name: list(shape) for name, shape in network.items()}
        everything = self._plain + [_JoinedSaveable(group) for group in self._joined]
        self._saver = tf.train.Saver(everything, max_to_keep=None, save_relative_paths=True)

    def save(self, session: 'tf.Session', folder: str) -> None:
        """Write the variables into a folder. Raises OSError if they cannot be written."""
        try:
            self._saver.save(session, os.path.join(folder, self.prefix), write_meta_graph=False, write_state=False)
        except tf.errors.OpError as error:
            raise OSError(reason_of(error))
        except ValueError as error:
            # Saver reports an unwritable folder by this exception.
            raise OSError(str(error))

    def values(self, session: 'tf.Session', names: Sequence[str]) -> Dict[str, np.ndarray]:
        """Return {name: array} of variables.

        They are saved and read back, because on an NPU another fetch is another graph to compile, which takes minutes.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save(session, folder)
            reader = tf.train.NewCheckpointReader(os.path.join(folder, self.prefix))
            return {name: reader.get_tensor(name) for name in names}

    def set(self, session: 'tf.Session', arrays: Mapping[str, np.ndarray]) -> None:
        """Set variables to arrays {name: array}; variables without an array stay unchanged."""
        assign(session, self._plain, arrays)
        # The values of a vector are read and written only where one of them changes.
        for group in [group for group in self._joined if not arrays.keys().isdisjoint(group.names)]:
            vector = np.array(session.run(group.variable))
            for name, view in group.views(vector).items():
                if name in arrays:
                    view[...] = arrays[name]
            assign(session, [group.variable], {group.variable.op.name: vector})

    def restore(self, session: 'tf.Session', path: str) -> RestoreReport:
        """Set the graph's variables from a checkpoint and return the RestoreReport; missing ones stay unchanged.

        path: folder of one of our checkpoints, or the prefix of any other. Raises CheckpointError if a variable of the
        network is missing or has another shape.
        """
        prefix = checkpoint_prefix(path) if os.path.isdir(path) else path
        found = tf.train.NewCheckpointReader(prefix).get_variable_to_shape_map()
        check_variables(path, found, self._network)
        fitting = [name for name, shape in self._shapes.items() if list(found.get(name, ('missing',))) == shape]
        with _readable(path):
            if len(fitting) == len(self._shapes):
                self._saver.restore(session, prefix)
            else:
                reader = tf.train.NewCheckpointReader(prefix)
                self.set(session, {name: reader.get_tensor(name) for name in fitting})
        restored = set(fitting)
        return RestoreReport(
            tuple(fitting),
            tuple(name for name in self._shapes if name not in restored),
            tuple(sorted(set(found) - restored)),
            tuple(self._network),
        )


class _JoinedSaveable(SaveableObject):
    """What tf.train.Saver needs to save the parts of a joined vector under their names and shapes."""

    def __init__(self, group: Group) -> None:
        self._group = group
        specs = [SaveSpec(tensor, '', name) for name, tensor in group.tensors().items()]
        super().__init__(group.variable, specs, group.variable.op.name)

    def restore(self, restored_tensors: List[Any], restored_shapes: Any) -> Any:
        """Return the operation that sets the vector."""
        del restored_shapes
        return tf.assign(self._group.variable, self._group.joined(dict(zip(self._group.names, restored_tensors))))


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
    return {each.name: list(each.shape) for each in declared_variables(HourglassModel(hyperparameters))}


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

    They are the moving averages if it holds them. Building a graph takes half the time with constants. The getter
    raises CheckpointError for a variable that the checkpoint does not hold.
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
