"""Variables of a session to checkpoint files and back, with a report of what does not fit."""

import os

from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.traits import NetworkTraits
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.checkpoint import read_manifest
from hourglass_pose.training.weight_average import AVERAGE_SUFFIX


class VariableSaver:
    """Saves and restores all variables of the current graph. prefix: file name of the checkpoint's parts."""

    def __init__(self, prefix):
        self.prefix = prefix
        self._saver = tf.train.Saver(tf.global_variables(), max_to_keep=None, save_relative_paths=True)

    def save(self, session, folder):
        """Write the variables into a folder. Raises OSError when the disk refuses."""
        try:
            self._saver.save(session, os.path.join(folder, self.prefix), write_meta_graph=False, write_state=False)
        except tf.errors.OpError as error:
            raise OSError(error.message.split('\n')[0])
        except ValueError as error:
            # Saver reports an unwritable folder so.
            raise OSError(str(error))

    def restore(self, session, folder):
        """Read every variable of the graph from a checkpoint. Raises CheckpointError for one that does not fit."""
        prefix = checkpoint_prefix(folder)
        wanted = {variable.op.name: variable.shape.as_list() for variable in tf.global_variables()}
        check_variables(folder, prefix, wanted)
        self._saver.restore(session, prefix)


def checkpoint_prefix(folder):
    """Return the path that TensorFlow knows a checkpoint folder's files by. Raises CheckpointError."""
    for name in read_manifest(folder)['files']:
        if name.endswith('.index'):
            return os.path.join(folder, name[:-len('.index')])
    raise CheckpointError('%s: the checkpoint has no index file' % folder)


def check_traits(folder, traits):
    """Raise CheckpointError naming every trait in which a checkpoint's network differs from the wanted one."""
    found = NetworkTraits(**read_manifest(folder)['traits'])
    differences = found.differences(traits)
    if differences:
        raise CheckpointError('%s: the checkpoint is of another network (checkpoint / config): %s; use the config it '
                              'was trained with, or start in another Saver.saver_directory'
                              % (folder, ', '.join(differences)))


def check_variables(folder, prefix, wanted):
    """Raise CheckpointError naming variables {name: shape} that a checkpoint lacks or holds in another shape."""
    found = tf.train.NewCheckpointReader(prefix).get_variable_to_shape_map()
    missing = sorted(set(wanted) - set(found))
    reshaped = ['%s: %s / %s' % (name, found[name], wanted[name])
                for name in sorted(set(wanted) & set(found)) if list(found[name]) != list(wanted[name])]
    if missing or reshaped:
        parts = []
        if missing:
            parts.append('%d variables are not in it, the first: %s' % (len(missing), ', '.join(missing[:3])))
        if reshaped:
            parts.append('%d have another shape (checkpoint / wanted), the first: %s'
                         % (len(reshaped), ', '.join(reshaped[:3])))
        raise CheckpointError('%s: the checkpoint does not fit: %s' % (folder, '; '.join(parts)))


def load_network(session, model, folder):
    """Set the network's variables from a checkpoint, from the moving averages where it holds them.

    Raises CheckpointError for a checkpoint that does not fit.
    """
    prefix = checkpoint_prefix(folder)
    reader = tf.train.NewCheckpointReader(prefix)
    found = reader.get_variable_to_shape_map()
    names = {}
    for variable in model.variables():
        averaged = variable.op.name + AVERAGE_SUFFIX
        names[averaged if averaged in found else variable.op.name] = variable
    check_variables(folder, prefix, {name: variable.shape.as_list() for name, variable in names.items()})
    tf.train.Saver(names).restore(session, prefix)
