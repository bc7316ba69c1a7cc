"""OfflineGraph: a checkpoint's network for inference alone, of fixed batch size and with constants for variables."""

import math
from dataclasses import dataclass, replace
from typing import Tuple

import numpy as np

from hourglass_pose.checkpoints.variables import constants_of
from hourglass_pose.export import graph_rewrites
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.representations.decoding import decode_heatmaps
from hourglass_pose.tf_compat import tf

INPUT = 'image'
HEATMAPS, JOINTS, SCORES = 'heatmaps', 'joints', 'scores'
NORMALISATIONS = ('in_graph', 'aipp')

_UNIT_ROUNDOFF = 2.0**-24
_ROUNDING_MARGIN = 16


@dataclass(frozen=True, eq=False)
class OfflineGraph:
    """graph_def: constants and operations. The input is named INPUT, the outputs have the names `outputs`.

    input_shape, output_shapes: static. input_type: 'uint8', RGB of 0 to 255, or 'float32', RGB of [0, 1] minus
    input_mean. folded, spelled_out: batch norms that became part of a convolution, and that became a factor and an
    offset. upsamplings: how many there are. additions: numbers summed up one after another on the longest path from
    the input to an output.
    """

    graph_def: object
    input_shape: Tuple[int, ...]
    input_type: str
    input_mean: Tuple[float, ...]
    outputs: Tuple[str, ...]
    output_shapes: Tuple[Tuple[int, ...], ...]
    folded: int
    spelled_out: int
    upsamplings: int
    additions: int

    @property
    def is_decoded(self):
        """Whether it gives joints and scores in place of heatmaps."""
        return JOINTS in self.outputs

    def lines(self):
        """Return lines for people: what was done to the network, and what goes in and comes out."""
        return [
            'batch norms: %d folded into convolutions, %d made a factor and an offset of each channel'
            % (self.folded, self.spelled_out),
            'input: {} {} {}; output: {}'.format(
                INPUT,
                self.input_type,
                list(self.input_shape),
                ', '.join(f'{name} float32 {list(shape)}' for name, shape in zip(self.outputs, self.output_shapes)),
            ),
        ]

    @property
    def relative_bound(self):
        """How far its heatmaps may be from the checkpoint's by rounding, as a share of their largest absolute value.

        Each of K additions in a row is off by at most u = 2^-24 of its result in float32. The signs of these errors
        are as good as random, so that they add up like u sqrt(K); other operations and unlike sizes of the numbers
        are covered by the margin.
        """
        return _ROUNDING_MARGIN * _UNIT_ROUNDOFF * math.sqrt(self.additions)

    def prepare(self, crops):
        """Return what the graph takes for uint8 crops (B, S, S, 3): them, or what AIPP would make of them."""
        if self.input_type == 'uint8':
            return crops
        return crops.astype(np.float32) * np.float32(1.0 / 255.0) - np.array(self.input_mean, np.float32)


def build_offline_graph(stored, traits, codec, batch_size, decode, normalise):
    """Return the OfflineGraph of a StoredNetwork.

    traits: its NetworkTraits, or what was said in their place. codec: HeatmapCodec to decode by. decode: whether
    joints (N, J, 2), in crop pixels, and scores (N, J) are given in place of the last stack's heatmaps (N, H, W, J),
    which are Predictor.heatmaps(crops)[:, -1]. normalise: 'in_graph' takes uint8, 'aipp' leaves dividing by 255 and
    subtracting the mean to what runs before the graph.
    Raises CheckpointError for a checkpoint that does not fit.
    """
    mean, input_type = traits.input_mean, tf.uint8
    if normalise == 'aipp':
        traits, input_type = replace(traits, input_mean=(0.0, 0.0, 0.0)), tf.float32
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(input_type, [batch_size, traits.input_size, traits.input_size, 3], INPUT)
        model = HourglassModel(traits)
        # The last of the stacks that are put together here, so that nothing is left of putting them together.
        logits = model.build_logits(images, is_training=False, getter=constants_of(stored)).op.inputs[-1]
        if decode:
            joints, scores = decode_heatmaps(logits, codec)
            outputs = [tf.identity(joints, JOINTS), tf.identity(scores, SCORES)]
        else:
            outputs = [tf.identity(model.output_of(logits), HEATMAPS)]
        with tf.Session(graph=graph, config=tf.ConfigProto(device_count={'GPU': 0})) as session:
            nodes = graph_rewrites.freeze(session, outputs)
        additions = _longest_sum(outputs)
    nodes, folded, spelled_out = graph_rewrites.fold_batch_norms(nodes)
    nodes, upsamplings = graph_rewrites.name_upsamplings(nodes)
    return OfflineGraph(
        graph_rewrites.graph_def_of(nodes),
        tuple(images.shape.as_list()),
        input_type.name,
        tuple(mean),
        tuple(tensor.op.name for tensor in outputs),
        tuple(tuple(tensor.shape.as_list()) for tensor in outputs),
        folded,
        spelled_out,
        upsamplings,
        additions,
    )


def _longest_sum(outputs):
    """Return how many numbers are added up one after another on the longest path to a tensor of `outputs`.

    A convolution adds a window of cells by as many channels, any other operation counts as one.
    """
    lengths = {}
    for operation in outputs[0].graph.get_operations():
        before = max([lengths[tensor.op.name] for tensor in operation.inputs] or [0])
        own = 1
        if operation.type in ('Conv2D', 'DepthwiseConv2dNative'):
            kernel = operation.inputs[1].shape.as_list()
            own = kernel[0] * kernel[1] * (kernel[2] if operation.type == 'Conv2D' else 1)
        lengths[operation.name] = before + own
    return max(lengths[tensor.op.name] for tensor in outputs)
