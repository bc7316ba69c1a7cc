"""Transfer of weights between networks that differ in joints, stacks or input size."""

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.checkpoints.restore_report import listed
from hourglass_pose.checkpoints.stored import StoredNetwork, check_transferable
from hourglass_pose.checkpoints.variables import VariableSaver, network_values, shapes_of
from hourglass_pose.graph.hyperparameters import Hyperparameters
from hourglass_pose.skeleton import Skeleton


@dataclass(frozen=True)
class Transfer:
    """The weights of a stored network that fit another one.

    sources: index of each joint among those of the stored network, None for a new one. values: {variable: array}.
    joint_axes: {variable: axis of the joints} of the variables in `values` of which only the channels of shared joints
    are taken. fresh: variables that keep their initial values.
    """

    sources: Tuple[Optional[int], ...]
    values: Dict[str, np.ndarray]
    joint_axes: Dict[str, int]
    fresh: Tuple[str, ...]


def initialise_from(
    session: Any, saver: VariableSaver, hyperparameters: Hyperparameters, joints: Sequence[str], stored: StoredNetwork
) -> List[str]:
    """Set the initialised variables of a network from a stored network, and return lines on what was taken.

    The moving averages of the weights are taken if the stored network has them. Channels of joints are matched by the
    joints' names; the channels of other joints, and further stacks, keep their initial values.

    Args:
        session: holds the variables.
        saver: of all variables of the graph.
        hyperparameters: of the network.
        joints: names of its joints.
        stored: network to take the weights from.

    Raises:
        CheckpointError: the two networks are built differently.
    """
    check_transferable(stored, hyperparameters, joints)
    transfer = plan_transfer(stored, hyperparameters, joints)
    values = dict(transfer.values)
    if transfer.joint_axes:
        initial = saver.values(session, list(transfer.joint_axes))
        for name, axis in transfer.joint_axes.items():
            values[name] = _with_shared_joints(initial[name], values[name], axis, transfer.sources)
    saver.set(session, values)
    return _lines(transfer, joints, stored)


def plan_transfer(stored: StoredNetwork, hyperparameters: Hyperparameters, joints: Sequence[str]) -> Transfer:
    """Return the Transfer of a stored network to a network with these hyperparameters and joints."""
    wanted = shapes_of(hyperparameters)
    found = network_values(stored, list(wanted))
    source_joints = stored.inference.joints
    # The skeleton finds a joint under any usual spelling.
    source_skeleton = Skeleton(tuple(source_joints))
    sources = tuple(source_skeleton.index(joint) for joint in joints)
    axes = {} if list(joints) == list(source_joints) else _joint_axes(hyperparameters, wanted)
    values, joint_axes = {}, {}
    for name, shape in wanted.items():
        expected = list(shape)
        if name in axes:
            expected[axes[name]] = len(source_joints)
        if name not in found or list(found[name].shape) != expected:
            continue
        if name in axes:
            if all(source is None for source in sources):
                continue
            joint_axes[name] = axes[name]
        values[name] = found[name]
    return Transfer(sources, values, joint_axes, tuple(name for name in wanted if name not in values))


def _joint_axes(hyperparameters: Hyperparameters, shapes: Dict[str, List[int]]) -> Dict[str, int]:
    """Return {variable: axis} of the variables with a channel for each joint: those that grow with one more joint."""
    larger = shapes_of(replace(hyperparameters, num_joints=hyperparameters.num_joints + 1))
    axes = {}
    for name, shape in shapes.items():
        for axis, (side, larger_side) in enumerate(zip(shape, larger.get(name, shape))):
            if larger_side != side:
                axes[name] = axis
    return axes


def _with_shared_joints(
    initial: np.ndarray, source: np.ndarray, axis: int, sources: Sequence[Optional[int]]
) -> np.ndarray:
    """Return initial values with the channels along an axis that belong to shared joints taken from the source."""
    mixed = np.moveaxis(np.array(initial), axis, 0)
    channels = np.moveaxis(source, axis, 0)
    for index, found in enumerate(sources):
        if found is not None:
            mixed[index] = channels[found]
    return np.ascontiguousarray(np.moveaxis(mixed, 0, axis))


def _lines(transfer: Transfer, joints: Sequence[str], stored: StoredNetwork) -> List[str]:
    new = [joint for joint, source in zip(joints, transfer.sources) if source is None]
    lines = [
        f'taken: {len(transfer.values)} of {len(transfer.values) + len(transfer.fresh)} variables of the network, the '
        f'maps of {len(joints) - len(new)} of {len(joints)} joints, from {stored.path}'
    ]
    if new:
        lines.append(f'starts fresh: the maps of the joints {", ".join(new)}')
    if transfer.fresh:
        lines.append(f'starts fresh: {listed(transfer.fresh)}')
    lines.append("starts fresh: the optimizer's state and the count of steps")
    left_out = [joint for index, joint in enumerate(stored.inference.joints) if index not in transfer.sources]
    if left_out:
        lines.append(f'left out: the maps of the joints {", ".join(left_out)}')
    return lines
