"""Variables of a session to checkpoint files and back, with a report of what does not fit."""

import os
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from typing import Tuple

from hourglass_pose.checkpoints.folder import read_manifest
from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.architectures import hyperparameters_from_dict
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.tf_compat import tf

AVERAGE_SUFFIX = '/ExponentialMovingAverage'
"""Ending of an average's name, the one that tf.train.ExponentialMovingAverage uses."""

_NAMES_SHOWN = 3


# Why a variable of the graph is not in a checkpoint, or one of a checkpoint not in the graph, by kind of variable.
_STARTS_FRESH = {
    'average': 'moving averages of the weights',
    'optimizer': "the optimizer's state",
    'step': 'the count of steps',
    'loss scale': 'the loss scale',
    'other': 'not in the checkpoint',
}
_LEFT_OUT = {
    'average': 'moving averages of the weights',
    'optimizer': "an optimizer's state",
    'step': 'a count of steps',
    'loss scale': 'a loss scale',
    'other': 'unknown to this network',
}


@dataclass(frozen=True)
class RestoreReport:
    """What of a checkpoint fits a graph, by names of variables.

    restored: in both. fresh: the checkpoint lacks them, or holds them in another shape. unused: in the checkpoint
    alone. network: those of the graph that make up the network.
    """

    restored: Tuple[str, ...]
    fresh: Tuple[str, ...]
    unused: Tuple[str, ...]
    network: Tuple[str, ...]

    @property
    def is_complete(self):
        """Whether nothing starts fresh and nothing is left out."""
        return not self.fresh and not self.unused

    def lines(self):
        """Return lines for people: what was matched, what starts fresh, what was left out and why."""
        of_network = len(set(self.restored) & set(self.network))
        return (
            ['matched: %d variables of the network, %d others' % (of_network, len(self.restored) - of_network)]
            + [f'starts fresh: {line}' for line in self._by_kind(self.fresh, _STARTS_FRESH)]
            + [f'left out: {line}' for line in self._by_kind(self.unused, _LEFT_OUT)]
        )

    def _by_kind(self, names, reasons):
        groups = OrderedDict()
        for name in names:
            groups.setdefault(self._kind(name), []).append(name)
        for kind, members in groups.items():
            shown = ', '.join(members[:_NAMES_SHOWN])
            yield '{} ({})'.format(
                reasons[kind],
                shown if len(members) <= _NAMES_SHOWN else '%d variables, the first: %s' % (len(members), shown),
            )

    def _kind(self, name):
        owner, _, last = name.rpartition('/')
        if name.endswith(AVERAGE_SUFFIX):
            return 'average'
        if owner in self.network or last in ('beta1_power', 'beta2_power'):
            return 'optimizer'
        if last in ('global_step', 'skipped_steps'):
            return 'step'
        is_scale = 'loss_scale' in name.lower() or last in ('good_steps', 'bad_steps')
        return 'loss scale' if is_scale else 'other'


class VariableSaver:
    """Saves and restores all variables of the current graph.

    prefix: file name of the checkpoint's parts. network: the variables that a checkpoint must hold; what belongs to
    the optimizer may start fresh. None requires every variable of the graph.
    """

    def __init__(self, prefix, network=None):
        self.prefix = prefix
        self._variables = tf.global_variables()
        self._network = self._variables if network is None else list(network)
        self._saver = tf.train.Saver(self._variables, max_to_keep=None, save_relative_paths=True)

    def save(self, session, folder):
        """Write the variables into a folder. Raises OSError when the disk refuses."""
        try:
            self._saver.save(session, os.path.join(folder, self.prefix), write_meta_graph=False, write_state=False)
        except tf.errors.OpError as error:
            raise OSError(error.message.split('\n')[0])
        except ValueError as error:
            # Saver reports an unwritable folder so.
            raise OSError(str(error))

    def values(self, session, variables):
        """Return {name: array} of variables, by way of the operation that saves them, which is compiled anyway."""
        with tempfile.TemporaryDirectory() as folder:
            self.save(session, folder)
            reader = tf.train.NewCheckpointReader(os.path.join(folder, self.prefix))
            return {variable.op.name: reader.get_tensor(variable.op.name) for variable in variables}

    def restore(self, session, path):
        """Set the graph's variables from a checkpoint and return the RestoreReport; what it lacks stays as it is.

        path: folder of one of our checkpoints, or the prefix of any other. Raises CheckpointError where a variable of
        the network is missing or has another shape.
        """
        prefix = checkpoint_prefix(path) if os.path.isdir(path) else path
        check_variables(path, prefix, {variable.op.name: variable.shape.as_list() for variable in self._network})
        found = tf.train.NewCheckpointReader(prefix).get_variable_to_shape_map()
        fitting = [
            variable
            for variable in self._variables
            if list(found.get(variable.op.name, ('missing',))) == variable.shape.as_list()
        ]
        if len(fitting) == len(self._variables):
            self._saver.restore(session, prefix)
        else:
            tf.train.Saver(fitting).restore(session, prefix)
        restored = [variable.op.name for variable in fitting]
        names = [variable.op.name for variable in self._variables]
        return RestoreReport(
            tuple(restored),
            tuple(name for name in names if name not in set(restored)),
            tuple(sorted(set(found) - set(restored))),
            tuple(variable.op.name for variable in self._network),
        )


def stored_number(path, variable):
    """Return the number that a checkpoint holds for a variable without dimensions, None where it holds none.

    It is read from the file: to ask a session for it would be one more graph to compile for some devices.
    """
    reader = tf.train.NewCheckpointReader(checkpoint_prefix(path) if os.path.isdir(path) else path)
    return reader.get_tensor(variable.op.name).item() if reader.has_tensor(variable.op.name) else None


def report_on_network(traits, path, prefix):
    """Return the RestoreReport of a checkpoint and the network of some traits alone, without an optimizer.

    Raises CheckpointError where a variable of the network is missing or has another shape.
    """
    with tf.Graph().as_default():
        model = HourglassModel(traits)
        model.build(tf.zeros([1, traits.input_size, traits.input_size, 3]), is_training=False)
        wanted = {variable.op.name: variable.shape.as_list() for variable in model.variables()}
    check_variables(path, prefix, wanted)
    found = tf.train.NewCheckpointReader(prefix).get_variable_to_shape_map()
    return RestoreReport(tuple(wanted), (), tuple(sorted(set(found) - set(wanted))), tuple(wanted))


def checkpoint_prefix(folder):
    """Return the path that TensorFlow knows a checkpoint folder's files by. Raises CheckpointError."""
    for name in read_manifest(folder)['files']:
        if name.endswith('.index'):
            return os.path.join(folder, name[: -len('.index')])
    raise CheckpointError(f'{folder}: the checkpoint has no index file')


def check_traits(folder, traits):
    """Raise CheckpointError naming every trait in which a checkpoint's network differs from the wanted one."""
    found = hyperparameters_from_dict(read_manifest(folder)['traits'])
    differences = found.differences(traits)
    if differences:
        raise CheckpointError(
            '{}: the checkpoint is of another network (checkpoint / config): {}; use the config it '
            'was trained with, or start in another Saver.saver_directory'.format(folder, ', '.join(differences))
        )


def check_variables(path, prefix, wanted):
    """Raise CheckpointError naming variables {name: shape} that a checkpoint lacks or holds in another shape."""
    found = tf.train.NewCheckpointReader(prefix).get_variable_to_shape_map()
    missing = sorted(set(wanted) - set(found))
    reshaped = [
        f'{name}: {found[name]} / {wanted[name]}'
        for name in sorted(set(wanted) & set(found))
        if list(found[name]) != list(wanted[name])
    ]
    if missing or reshaped:
        parts = []
        if missing:
            parts.append(f'{len(missing)} variables are not in it, the first: {", ".join(missing[:3])}')
        if reshaped:
            parts.append(
                '%d have another shape (checkpoint / wanted), the first: %s' % (len(reshaped), ', '.join(reshaped[:3]))
            )
        raise CheckpointError(f'{path}: the checkpoint does not fit: {"; ".join(parts)}')


def load_network(session, model, path, prefix):
    """Set the network's variables from a checkpoint, from the moving averages where it holds them.

    path: what messages call the checkpoint; prefix: what TensorFlow reads it by.
    Raises CheckpointError for a checkpoint that does not fit.
    """
    found = tf.train.NewCheckpointReader(prefix).get_variable_to_shape_map()
    names = {}
    for variable in model.variables():
        averaged = variable.op.name + AVERAGE_SUFFIX
        names[averaged if averaged in found else variable.op.name] = variable
    check_variables(path, prefix, {name: variable.shape.as_list() for name, variable in names.items()})
    tf.train.Saver(names).restore(session, prefix)


def constants_of(path, prefix):
    """Return a custom getter that gives a checkpoint's values as constants in place of variables.

    path, prefix, and which values: as in load_network. Building so takes half the time. The getter raises
    CheckpointError for a variable that the checkpoint does not hold.
    """
    reader = tf.train.NewCheckpointReader(prefix)
    found = reader.get_variable_to_shape_map()

    def constant(getter, name, shape, **settings):
        del getter, settings
        averaged = name + AVERAGE_SUFFIX
        stored = averaged if averaged in found else name
        if found.get(stored) != list(shape):
            check_variables(path, prefix, {stored: list(shape)})
        with tf.name_scope(None):
            return tf.constant(reader.get_tensor(stored), name=name)

    return constant
