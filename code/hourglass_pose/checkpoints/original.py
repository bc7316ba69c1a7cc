"""Checkpoints of the original TensorFlow 1 code, recognised by their variables."""

import re
from typing import Any, Dict, Iterable, Mapping, Sequence

from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.modelzoo.hyperparameters import ATTENTION_FEATURES, ModelzooHyperparameters
from hourglass_pose.skeleton import MPII_JOINTS

# Its targets are Gaussians with a full width at half maximum of 3 cells, which is 2 sqrt(2 ln 2) standard deviations.
ORIGINAL_SIGMA = 3.0 / 2.3548

_STEM = 'model/preprocessing/conv_256_to_128/weights'
_ATTENTION_STEM = 'preprocessing/conv/weights'


def recognise(shapes: Mapping[str, Sequence[int]]) -> ModelzooHyperparameters:
    """Return the hyperparameters of the original code's network that has these variables.

    shapes: {variable name: list of int}. Hyperparameters that do not follow from variables have their defaults:
    the input size is 256, the dropout rate is 0, and an attention network is one without `modif`.
    Raises CheckpointError, without a path, for variables of another network.
    """
    if _STEM in shapes:
        values = _standard_values(shapes)
    elif _ATTENTION_STEM in shapes:
        values = _attention_values(shapes)
    else:
        raise CheckpointError(
            f'it has neither the variable {_STEM} of the original hourglass nor {_ATTENTION_STEM} of its attention '
            f'network; it has {_sample(shapes)}'
        )
    try:
        return ModelzooHyperparameters(**values)
    except ValueError as error:
        raise CheckpointError(f'its variables are those of no network that the original code builds ({error})')


def _standard_values(shapes: Mapping[str, Sequence[int]]) -> Dict[str, Any]:
    features, joints = _shape(shapes, 'model/stacks/stage_0/out/weights')[2:]
    stacks = count_distinct(r'^model/stacks/(stage_\d+)/out/weights$', shapes)
    levels = _deepest(r'^model/stacks/stage_0/hourglass((?:/low_2)*)/up_1/', '/low_2', shapes)
    tiny = 'model/preprocessing/r1/conv_block/conv/weights' in shapes
    # With `modif` the heatmaps of each stack are batch-normalised as well.
    norms_of_residual, residuals_of_stem = (1, 2) if tiny else (3, 3)
    norms_of_stack = norms_of_residual * (3 * (levels + 1) + 1) + 1
    norms = 1 + norms_of_residual * residuals_of_stem + stacks * norms_of_stack
    return {
        'num_stacks': stacks,
        'num_features': features,
        'num_poolings': levels,
        'num_joints': joints,
        'tiny': tiny,
        'modif': count_distinct(r'^(BatchNorm(?:_\d+)?)/beta$', shapes) == norms + stacks,
    }


def _attention_values(shapes: Mapping[str, Sequence[int]]) -> Dict[str, Any]:
    stacks = count_distinct(r'^stacks/(houglass_\d+)/', shapes)
    # The last of the attention_part scopes holds a convolution for each joint.
    parts = [name.split('/')[1] for name in shapes if re.match(r'^stacks/attention_part(_\d+)?/conv(_\d+)?/', name)]
    if not parts:
        raise CheckpointError('it has the stem of the original attention network, but no attention by parts')
    last = max(parts, key=lambda scope: (len(scope), scope))
    return {
        'num_stacks': stacks,
        'num_features': ATTENTION_FEATURES,
        'attention': True,
        'num_poolings': 1 + _deepest(r'^stacks/houglass_1/mcam_hg((?:/mcam_hg)*)/', '/mcam_hg', shapes),
        'num_joints': count_distinct(rf'^stacks/{last}/(conv(?:_\d+)?)/weights$', shapes),
        'tiny': 'preprocessing/residual_block/conv_block/conv/weights' in shapes,
    }


def _deepest(pattern: str, step: str, shapes: Mapping[str, Any]) -> int:
    """Return the largest count of `step` in the text that the pattern's group matches in a name."""
    return max([match.group(1).count(step) for match in map(re.compile(pattern).match, shapes) if match] or [0])


def _shape(shapes: Mapping[str, Sequence[int]], name: str) -> Sequence[int]:
    if len(shapes.get(name, ())) != 4:
        raise CheckpointError(f'it has the stem of the original network, but no {name}')
    return shapes[name]


def _sample(shapes: Mapping[str, Any]) -> str:
    names = sorted(name for name in shapes if not name.startswith('save'))
    return f'{len(names)} others, such as {", ".join(names[:3])}' if names else 'none at all'


def original_inference(hyperparameters: ModelzooHyperparameters) -> InferenceRecord:
    """Return the inference record of networks that the original code trained."""
    is_mpii = hyperparameters.num_joints == len(MPII_JOINTS)
    joints = list(MPII_JOINTS) if is_mpii else [f'joint_{index}' for index in range(hyperparameters.num_joints)]
    return InferenceRecord(
        joints=tuple(joints),
        kept_joints=(True,) * len(joints),
        input_size=hyperparameters.input_size,
        heatmap_size=hyperparameters.heatmap_size,
        loss='sigmoid',
        sigma=ORIGINAL_SIGMA,
        decoding='dark',
        # Without names, left and right joints are not known.
        flip_test=is_mpii,
        box_margin=0.2,
        gives_probabilities=hyperparameters.gives_probabilities,
    )


def count_distinct(pattern: str, names: Iterable[str]) -> int:
    """Return the number of distinct texts that the group of a pattern matches at the start of the names."""
    return len({match.group(1) for match in map(re.compile(pattern).match, names) if match})
