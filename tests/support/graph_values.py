"""The values of all variables of a graph by their names in checkpoints, those of joined vectors one by one."""

from hourglass_pose.graph.storage import joined_groups
from hourglass_pose.tf_compat import tf


def graph_values(session, run=tf.Session.run):
    """Return {name: array} of all that a checkpoint of the session's graph would hold. run: replaces Session.run."""
    with session.graph.as_default():
        groups, variables = joined_groups(), tf.global_variables()
    values = dict(zip([variable.op.name for variable in variables], run(session, variables)))
    for group in groups:
        values.update(group.views(values.pop(group.variable.op.name)))
    return values
