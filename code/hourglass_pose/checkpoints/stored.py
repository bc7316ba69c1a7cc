"""StoredNetwork: a network on disk, written by this or another program."""

from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Sequence

import numpy as np

from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.checkpoints.manifest import Manifest, read_manifest
from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.architectures import hyperparameters_from_dict
from hourglass_pose.graph.hyperparameters import Hyperparameters, key_name


@dataclass(frozen=True)
class StoredNetwork:
    """A network on disk.

    path: the checkpoint's folder, the prefix of the original code's checkpoint, or the file.
    prefix: prefix of TensorFlow's files; None if `variables` holds the weights.
    inference: the settings that prediction needs.
    step: finished training steps, None if it is not known.
    manifest: of our own checkpoints, otherwise None.
    source: file, checksum and code base of imported weights, which determine their licence.
    variables: {variable of our graph: float32 array} of weights from a file of another program.
    """

    path: str
    prefix: Optional[str]
    hyperparameters: Hyperparameters
    inference: InferenceRecord
    step: Optional[int] = None
    manifest: Optional[Manifest] = None
    source: Optional[Dict[str, Any]] = None
    variables: Optional[Dict[str, np.ndarray]] = field(default=None, repr=False, compare=False)


def check_hyperparameters(folder: str, hyperparameters: Hyperparameters) -> None:
    """Raise CheckpointError, naming all differences, if the network of our checkpoint is not the expected one."""
    found = hyperparameters_from_dict(read_manifest(folder)['hyperparameters'])
    differences = found.differences(hyperparameters)
    if differences:
        raise CheckpointError(
            f'{folder}: the checkpoint is of another network (checkpoint / config): {", ".join(differences)}; use the '
            'config that it was trained with, or start a run with these weights in another Saver.saver_directory by '
            '"train --initialise-from"'
        )


def check_transferable(stored: StoredNetwork, hyperparameters: Hyperparameters, joints: Sequence[str]) -> None:
    """Raise CheckpointError if weights of a stored network would have another meaning in a network."""
    found, wanted = stored.hyperparameters.as_dict(), hyperparameters.as_dict()
    differences = [
        f'{key_name(name)}: {found.get(name)} / {wanted[name]}'
        for name in wanted
        if name not in hyperparameters.free_in_transfer and found.get(name) != wanted[name]
    ]
    if 'num_joints' not in hyperparameters.free_in_transfer and list(joints) != list(stored.inference.joints):
        differences.append('joints')
    if differences:
        raise CheckpointError(
            f'{stored.path}: its weights do not fit a network that is built differently (checkpoint / config): '
            f'{", ".join(differences)}; give the new run the same settings in [Network]; stacks, joints and input size '
            'may differ'
        )


def check_teacher(stored: StoredNetwork, loss: str, joints: Sequence[str]) -> None:
    """Raise CheckpointError if a stored network cannot teach one with these joints, trained with this loss."""
    record = stored.inference
    if record.loss != loss:
        raise CheckpointError(
            f'{stored.path}: a teacher needs the loss of the network that learns, {loss!r}, and this one has '
            f'{record.loss!r}; set Train.loss={record.loss!r}, or choose another Train.teacher'
        )
    skeleton, kept = record.skeleton(), record.kept_joints
    indices = {joint: skeleton.index(joint) for joint in joints}
    unknown = [joint for joint, index in indices.items() if index is None or not kept[index]]
    if unknown:
        raise CheckpointError(
            f'{stored.path}: a teacher needs all joints of the network that learns, and this one does not know '
            f'{", ".join(unknown)}; choose another Train.teacher'
        )


def checkpoint_prefix(folder: str) -> str:
    """Return the prefix of TensorFlow's files in a checkpoint folder. Raises CheckpointError."""
    for name in read_manifest(folder)['files']:
        if name.endswith('.index'):
            return f'{folder}/{name[: -len(".index")]}'
    raise CheckpointError(f'{folder}: the manifest lists no .index file; give another checkpoint')
