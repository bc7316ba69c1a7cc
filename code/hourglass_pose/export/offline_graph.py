"""OfflineGraph: a network for inference only, with constants in place of variables."""

import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.checkpoints.stored import StoredNetwork
from hourglass_pose.checkpoints.variables import constants_of
from hourglass_pose.graph import rewrites
from hourglass_pose.graph.hyperparameters import Hyperparameters
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.representations.heatmap.numpy import HeatmapCodec
from hourglass_pose.representations.table import graph_half
from hourglass_pose.tf_compat import tf

INPUT = 'image'
HEATMAPS, JOINTS, SCORES, PERSON = 'heatmaps', 'joints', 'scores', 'person'

_UNIT_ROUNDOFF, _UNIT_ROUNDOFF_16 = 2.0**-24, 2.0**-11
_ROUNDING_MARGIN = 16


@dataclass(frozen=True, eq=False)
class OfflineGraph:
    """graph_def: constants and operations. The input is named INPUT, the outputs have the names `outputs`.

    input_shape, output_shapes: static, but for the first axis, None if the graph takes any number of crops. input_type:
    'uint8', RGB of 0 to 255, or 'float32', RGB of [0, 1] minus input_mean. folded, spelled_out: batch norms that became
    part of a convolution, and that became a factor and an offset. upsamplings: how many there are. additions: numbers
    summed up one after another on the longest path from the input to an output. network: hyperparameters of the
    network, JSON-able. rounded_convolutions: of those whose weights were rounded to float16, how many are on the
    longest path; 0 if none were.
    """

    graph_def: 'tf.GraphDef'
    input_shape: Tuple[Optional[int], int, int, int]
    input_type: str
    input_mean: Tuple[float, ...]
    outputs: Tuple[str, ...]
    output_shapes: Tuple[Tuple[Optional[int], ...], ...]
    folded: int
    spelled_out: int
    upsamplings: int
    additions: int
    network: Dict[str, Any]
    rounded_convolutions: int = 0

    @property
    def is_decoded(self) -> bool:
        """Whether its outputs are joints and scores instead of heatmaps."""
        return JOINTS in self.outputs

    def lines(self) -> List[str]:
        """Return lines for people: the changes to the network, its input and its outputs."""
        outputs = ', '.join(f'{name} float32 {list(shape)}' for name, shape in zip(self.outputs, self.output_shapes))
        return [
            f'batch norms: {self.folded} folded into convolutions, {self.spelled_out} converted to a factor and an '
            'offset for each channel',
            f'input: {INPUT} {self.input_type} {list(self.input_shape)}; output: {outputs}',
        ]

    def crops_of_pass(self, count: int = 1) -> int:
        """Return how many crops it takes at once: its own number, or `count` where it takes any."""
        return self.input_shape[0] or count

    @property
    def relative_bound(self) -> float:
        """Largest difference of its heatmaps from the checkpoint's by rounding, relative to their largest value.

        Each of K additions in a row has an error of at most u = 2^-24 of its result in float32. The signs of these
        errors are practically random, so they add up to about u sqrt(K). The margin covers other operations and numbers
        of different sizes. Weights in float16 change the result of a convolution by about 2^-11, also of random sign.
        """
        by_sums = _UNIT_ROUNDOFF * math.sqrt(self.additions)
        return _ROUNDING_MARGIN * (by_sums + _UNIT_ROUNDOFF_16 * math.sqrt(self.rounded_convolutions))

    @property
    def bound_formula(self) -> str:
        """The formula of relative_bound with its numbers, for people."""
        sums = f'{_ROUNDING_MARGIN} x 2^-24 x sqrt({self.additions} additions in a row)'
        if not self.rounded_convolutions:
            return sums
        return (
            f'{sums} + {_ROUNDING_MARGIN} x 2^-11 x sqrt({self.rounded_convolutions} convolutions with float16 weights)'
        )

    def prepare(self, crops: np.ndarray) -> np.ndarray:
        """Return the graph's input for uint8 crops (B, S, S, 3): the crops, or what AIPP makes of them."""
        if self.input_type == 'uint8':
            return crops
        return crops.astype(np.float32) * np.float32(1.0 / 255.0) - np.array(self.input_mean, np.float32)


def build_offline_graph(
    stored: StoredNetwork,
    hyperparameters: Hyperparameters,
    codec: HeatmapCodec,
    batch_size: Optional[int],
    decode: bool,
    normalise: str,
) -> OfflineGraph:
    """Return the OfflineGraph of a StoredNetwork.

    hyperparameters: its own, or what replaces them. codec: HeatmapCodec to decode with. batch_size: crops that the
    graph takes, None for any number. decode: whether the outputs are joints (N, J, 2), in crop pixels, and scores (N,
    J) in place of the last stack's heatmaps (N, H, W, J), which are Predictor.heatmaps(crops)[:, -1]; the person logits
    (N,) follow where the network has them.
    normalise: 'in_graph' takes uint8, 'aipp' leaves the division by 255 and the subtraction of the mean to what runs
    before the graph.
    Raises CheckpointError for a checkpoint that does not fit.
    """
    mean, is_normalised = hyperparameters.input_mean, normalise == 'aipp'
    input_type = tf.float32 if is_normalised else tf.uint8
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(
            input_type, [batch_size, hyperparameters.input_size, hyperparameters.input_size, 3], INPUT
        )
        model = HourglassModel(hyperparameters)
        stacks, person = model.build_outputs(
            images, is_training=False, getter=constants_of(stored), is_normalised=is_normalised
        )
        # The input of the last operation, which joins the stacks and is not needed for a single one.
        logits = stacks.op.inputs[-1]
        if decode:
            joints, scores = graph_half(codec).decode(logits, codec)
            outputs = [tf.identity(joints, JOINTS), tf.identity(scores, SCORES)]
        else:
            outputs = [tf.identity(model.output_of(logits), HEATMAPS)]
        if person is not None:
            outputs.append(tf.identity(person, PERSON))
        with tf.Session(graph=graph, config=tf.ConfigProto(device_count={'GPU': 0})) as session:
            nodes = rewrites.freeze(session, outputs)
        additions = _longest_sum(outputs)
    nodes, folded, spelled_out = rewrites.fold_batch_norms(nodes)
    nodes, upsamplings = rewrites.name_upsamplings(nodes)
    return OfflineGraph(
        rewrites.graph_def_of(nodes),
        tuple(images.shape.as_list()),
        input_type.name,
        tuple(mean),
        tuple(tensor.op.name for tensor in outputs),
        tuple(tuple(tensor.shape.as_list()) for tensor in outputs),
        folded,
        spelled_out,
        upsamplings,
        additions,
        hyperparameters.as_dict(),
    )


def _longest_sum(outputs: Sequence['tf.Tensor']) -> int:
    """Return how many numbers are added one after another on the longest path to a tensor of `outputs`.

    A convolution adds all cells of its window in all channels, a mean those of its window; any other operation counts
    as one.
    """
    lengths: Dict[str, int] = {}
    for operation in outputs[0].graph.get_operations():
        before = max([lengths[tensor.op.name] for tensor in operation.inputs] or [0])
        own = 1
        if operation.type in ('Conv2D', 'DepthwiseConv2dNative'):
            kernel = operation.inputs[1].shape.as_list()
            own = kernel[0] * kernel[1] * (kernel[2] if operation.type == 'Conv2D' else 1)
        elif operation.type == 'AvgPool':
            own = int(np.prod(operation.get_attr('ksize')))
        lengths[operation.name] = before + own
    return max(lengths[tensor.op.name] for tensor in outputs)
