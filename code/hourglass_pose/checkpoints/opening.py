"""open_network: the network that a path of any kind means; open_checkpoint: one whose variables can be read."""

from typing import Union

from hourglass_pose.checkpoints.exported import ExportedModel, open_exported
from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.checkpoints.manifest import verify
from hourglass_pose.checkpoints.original import original_inference, recognise
from hourglass_pose.checkpoints.paths import ONNX, ORIGINAL, OURS, IdentifiedPath, identify
from hourglass_pose.checkpoints.stored import StoredNetwork, checkpoint_prefix
from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.architectures import hyperparameters_from_dict


def open_network(path: str) -> Union[StoredNetwork, ExportedModel]:
    """Return the StoredNetwork that a path means, or the ExportedModel of an ONNX file.

    TensorFlow is loaded for checkpoints of the original code and for PyTorch's files only.

    Args:
        path: a run folder (its newest checkpoint), a checkpoint in it such as RUN/best, the prefix or folder of a
            TensorFlow checkpoint of the original code, a state dict of a known PyTorch hourglass, or an ONNX model
            that `export` wrote.

    Raises:
        CheckpointError: there is no network, it is damaged, or this program does not know its kind.
        UserError: the file is PyTorch's, and PyTorch is not installed.
    """
    found = identify(path)
    return open_exported(found.path) if found.kind == ONNX else _open_stored(found)


def open_checkpoint(path: str) -> StoredNetwork:
    """Return the StoredNetwork that a path means, as open_network does. Raises CheckpointError for an ONNX model."""
    found = identify(path)
    if found.kind == ONNX:
        raise CheckpointError(
            f'{found.path}: this is an ONNX model, which holds no variables; give the checkpoint that it was exported '
            'from'
        )
    return _open_stored(found)


def _open_stored(found: IdentifiedPath) -> StoredNetwork:
    if found.kind == OURS:
        return _open_ours(found.path)
    if found.kind == ORIGINAL:
        return _open_original(found.path)
    return _open_pytorch(found.path)


def _open_ours(folder: str) -> StoredNetwork:
    manifest = verify(folder)
    try:
        hyperparameters = hyperparameters_from_dict(manifest['hyperparameters'])
        return StoredNetwork(
            folder,
            checkpoint_prefix(folder),
            hyperparameters,
            InferenceRecord.from_dict(
                manifest['inference'],
                # Earlier versions left these to the network's settings.
                input_size=hyperparameters.input_size,
                heatmap_size=hyperparameters.heatmap_size,
                gives_probabilities=hyperparameters.gives_probabilities,
            ),
            manifest['global_step'],
            manifest,
            manifest.get('source'),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError, CheckpointError) as error:
        raise CheckpointError(f'{folder}: the manifest lacks what a network needs ({type(error).__name__}: {error})')


def _open_original(prefix: str) -> StoredNetwork:
    # Only TensorFlow reads its format, and TensorFlow takes seconds to load.
    from hourglass_pose.checkpoints.variables import open_variables

    reader = open_variables(prefix)
    shapes = reader.get_variable_to_shape_map()
    try:
        hyperparameters = recognise(shapes)
    except CheckpointError as error:
        raise CheckpointError(
            f'{prefix}: this TensorFlow checkpoint is neither ours nor that of the original hourglass code: {error}'
        )
    step = int(reader.get_tensor('steps/global_step')) if 'steps/global_step' in shapes else None
    return StoredNetwork(prefix, prefix, hyperparameters, original_inference(hyperparameters), step)


def _open_pytorch(path: str) -> StoredNetwork:
    from hourglass_pose.checkpoints.pytorch.network import import_state_dict

    imported = import_state_dict(path)
    network = imported.network
    return StoredNetwork(
        path, None, network.hyperparameters, imported.inference, None, None, imported.source, network.variables
    )
