"""NetworkSummary: parameters and arithmetic of a network, counted on its graph."""

from dataclasses import dataclass

from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.tf_compat import tf

_CONVOLUTIONS = ('Conv2D', 'DepthwiseConv2dNative')


@dataclass(frozen=True)
class NetworkSummary:
    """parameters: trained numbers. variables: these and the running statistics of batch normalisation.

    gflops: 10^9 operations of the convolutions for one image forward, a multiply-add as two; the rest of the network
    adds a few percent, training takes about three times as many.
    """

    traits: object
    parameters: int
    variables: int
    gflops: float

    def describe(self):
        """Return one line for the log."""
        traits = self.traits
        stacks = '%d %s' % (traits.num_stacks, 'stack' if traits.num_stacks == 1 else 'stacks')
        return '%s, %s of %d features, %d joints, input %d, heatmaps %d: %.2f M parameters, %.2f GFLOPs' % (
            traits.arch,
            stacks,
            traits.num_features,
            traits.num_joints,
            traits.input_size,
            traits.heatmap_size,
            self.parameters / 1e6,
            self.gflops,
        )


def summarise_network(traits):
    """Return the NetworkSummary of NetworkTraits, from a graph built for the purpose and dropped."""
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [1, traits.input_size, traits.input_size, 3])
        HourglassModel(traits).build(images, is_training=False)
        parameters = sum(variable.shape.num_elements() for variable in tf.trainable_variables())
        variables = sum(variable.shape.num_elements() for variable in tf.global_variables())
        flops = sum(_convolution_flops(op) for op in graph.get_operations() if op.type in _CONVOLUTIONS)
    return NetworkSummary(traits, parameters, variables, flops / 1e9)


def _convolution_flops(op):
    # Each number of the kernel is multiplied once for every cell of a map: in a convolution's kernel there are as many
    # for an output map as the window has inputs, in a depthwise one's as it has cells.
    _, height, width, _ = op.outputs[0].shape.as_list()
    return 2 * op.inputs[1].shape.num_elements() * height * width
