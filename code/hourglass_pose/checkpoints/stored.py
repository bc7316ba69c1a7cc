"""StoredNetwork: a network on the disk, one of ours with its manifest or one of the original code without."""

import os
from dataclasses import dataclass

from hourglass_pose.checkpoints.folder import MANIFEST, find_checkpoint, verify
from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.checkpoints.original import find_original, original_inference, recognise
from hourglass_pose.checkpoints.unrecognised import describe_strange
from hourglass_pose.checkpoints.variables import checkpoint_prefix
from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.architectures import hyperparameters_from_dict
from hourglass_pose.graph.hyperparameters import Hyperparameters
from hourglass_pose.tf_compat import tf


@dataclass(frozen=True)
class StoredNetwork:
    """path: the checkpoint's folder, or the prefix of the original code's. prefix: what TensorFlow reads it by.

    traits: Hyperparameters. inference: what prediction must know of the training. step: finished training steps,
    None where it does not say. manifest: what our own checkpoints carry, else None.
    """

    path: str
    prefix: str
    traits: Hyperparameters
    inference: InferenceRecord
    step: object
    manifest: object = None


def open_stored(path):
    """Return the StoredNetwork that a path means: a run folder, a checkpoint in it, or the original code's prefix.

    Raises CheckpointError for one that is not there, is damaged, or holds another network.
    """
    path = os.fspath(path)
    original = find_original(path)
    if original and os.path.isfile(os.path.join(os.path.dirname(original), MANIFEST)):
        path = os.path.dirname(original)
    try:
        folder = find_checkpoint(path)
    except CheckpointError as error:
        if original is None:
            strange = describe_strange(path)
            raise CheckpointError('{}{}'.format(error, '; ' + strange if strange else ''))
        return _open_original(original)
    manifest = verify(folder)
    traits = hyperparameters_from_dict(manifest['traits'])
    return StoredNetwork(
        folder,
        checkpoint_prefix(folder),
        traits,
        # Earlier versions called it 'recipe' and left these to the network's settings.
        InferenceRecord.from_dict(
            manifest['inference'] if 'inference' in manifest else manifest['recipe'],
            input_size=traits.input_size,
            heatmap_size=traits.heatmap_size,
            gives_probabilities=traits.gives_probabilities,
        ),
        manifest['global_step'],
        manifest,
    )


def _open_original(prefix):
    reader = open_variables(prefix)
    shapes = reader.get_variable_to_shape_map()
    try:
        traits = recognise(shapes)
    except CheckpointError as error:
        raise CheckpointError(
            f'{prefix}: this is a TensorFlow checkpoint, but none of ours and none of the original '
            f'hourglass code: {error}'
        )
    step = int(reader.get_tensor('steps/global_step')) if 'steps/global_step' in shapes else None
    return StoredNetwork(prefix, prefix, traits, original_inference(traits), step)


def open_variables(prefix):
    """Return TensorFlow's reader of a checkpoint. Raises CheckpointError for one that it cannot read."""
    try:
        return tf.train.NewCheckpointReader(prefix)
    # TensorFlow 1.15 and 2 raise different types here, RuntimeError and ValueError among them.
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            '{}: TensorFlow cannot read the checkpoint ({})'.format(prefix, str(error).split('\n')[0])
        )
