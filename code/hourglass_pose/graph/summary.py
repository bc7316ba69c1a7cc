"""NetworkSummary: parameters and arithmetic of a network, counted on its graph."""

from dataclasses import dataclass
from typing import Sequence

from hourglass_pose.graph.hyperparameters import Hyperparameters
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.graph.storage import Declared, declare
from hourglass_pose.tf_compat import tf

_CONVOLUTIONS = ('Conv2D', 'DepthwiseConv2dNative')


@dataclass(frozen=True)
class NetworkSummary:
    """parameters: trained numbers. variables: these and the running statistics of batch normalisation.

    gflops: 10^9 operations of the convolutions for one image forward, a multiply-add as two; the rest of the network
    adds a few percent, training takes about three times as many.
    """

    hyperparameters: Hyperparameters
    parameters: int
    variables: int
    gflops: float

    def describe(self) -> str:
        """Return one line for the log."""
        count = f'{self.parameters / 1e6:.2f} M' if self.parameters >= 1e5 else f'{self.parameters:,}'
        work = f'{self.gflops:.2f} GFLOPs' if self.gflops >= 0.1 else f'{self.gflops * 1000:.2f} MFLOPs'
        return f'{self.hyperparameters.describe()}: {count} parameters, {work}'


def summarise_network(hyperparameters: Hyperparameters) -> NetworkSummary:
    """Return the NetworkSummary of a network, counted on a temporary graph."""
    return summarise(hyperparameters, *declare(HourglassModel(hyperparameters)))


def summarise(hyperparameters: Hyperparameters, declared: Sequence[Declared], graph: 'tf.Graph') -> NetworkSummary:
    """Return the NetworkSummary of a network by its variables and its graph, as `declare` returns them."""
    parameters = sum(variable.size for variable in declared if variable.is_trainable)
    variables = sum(variable.size for variable in declared)
    flops = sum(_convolution_flops(op) for op in graph.get_operations() if op.type in _CONVOLUTIONS)
    return NetworkSummary(hyperparameters, parameters, variables, flops / 1e9)


def _convolution_flops(op: 'tf.Operation') -> int:
    # Each weight of the kernel is used once for every output cell, both in a convolution and in a depthwise one.
    _, height, width, _ = op.outputs[0].shape.as_list()
    return 2 * op.inputs[1].shape.num_elements() * height * width
