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


def checkpoint_prefix(folder: str) -> str:
    """Return the prefix of TensorFlow's files in a checkpoint folder. Raises CheckpointError."""
    for name in read_manifest(folder)['files']:
        if name.endswith('.index'):
            return f'{folder}/{name[: -len(".index")]}'
    raise CheckpointError(f'{folder}: the manifest lists no .index file; give another checkpoint')
