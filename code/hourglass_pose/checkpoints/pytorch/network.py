"""Import of a file of PyTorch weights: the network in our layout and its inference record."""

import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional

from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.checkpoints.pytorch.state_dict import read_state_dict
from hourglass_pose.errors import CheckpointError
from hourglass_pose.files import file_sha256
from hourglass_pose.graph.newell.hyperparameters import NewellHyperparameters
from hourglass_pose.input.cropping import BARE_BOX_MARGIN
from hourglass_pose.skeleton import MPII_JOINTS


@dataclass(frozen=True)
class ImportedNetwork:
    """A network read from a file of PyTorch.

    network: ForeignNetwork. inference: how to predict with it. source: file, sha256, code_base and left_out, for
    manifests.
    """

    network: Any
    inference: InferenceRecord
    source: Dict[str, Any]


def import_state_dict(
    path: str, code_base: Optional[str] = None, report: Callable[[str], None] = lambda line: None
) -> ImportedNetwork:
    """Return the network of a state dict in a file that torch.save wrote.

    code_base: key of CODE_BASES, None to recognise it by the names of the weights. report: shows a line on what was
    read. Raises CheckpointError for a file that cannot be read or holds another network, UserError if PyTorch is not
    installed.
    """
    state = read_state_dict(path)
    checksum = file_sha256(path)
    report(f'read: {len(state)} tensors in {path}, SHA-256 {checksum}')
    # TensorFlow takes seconds to load, so a wrong file is reported first.
    from hourglass_pose.checkpoints.pytorch.weights import code_base_of, convert

    try:
        code_base = code_base or code_base_of(state)
        network = convert(state, code_base)
    except CheckpointError as error:
        raise CheckpointError(f'{path}: {error}')
    source = {
        'file': os.path.basename(path),
        'sha256': checksum,
        'code_base': code_base,
        'left_out': list(network.unused + network.unknown),
    }
    return ImportedNetwork(network, _inference(network.hyperparameters, code_base), source)


def _inference(hyperparameters: NewellHyperparameters, code_base: str) -> InferenceRecord:
    """Return the inference record of both known code bases.

    They train Gaussians with a standard deviation of one of 64 cells by mean squared error, cut crops by MPII's centre
    and scale, each with its own corners, and decode a quarter cell towards the higher neighbour.
    """
    is_mpii = hyperparameters.num_joints == len(MPII_JOINTS)
    joints = MPII_JOINTS if is_mpii else tuple(f'joint_{index}' for index in range(hyperparameters.num_joints))
    return InferenceRecord(
        joints=joints,
        kept_joints=(True,) * hyperparameters.num_joints,
        input_size=hyperparameters.input_size,
        heatmap_size=hyperparameters.heatmap_size,
        loss='mse',
        sigma=1.0,
        decoding='quarter',
        # Without names, left and right joints are not known.
        flip_test=is_mpii,
        # For data without centre and scale, by crop_rule 'box'.
        box_margin=BARE_BOX_MARGIN,
        crop_rule='centre_scale',
        crop_corners=code_base,
    )
