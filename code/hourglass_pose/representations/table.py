"""The table of representations: the values of `Train.loss`, and the codec and the graph half of each."""

from importlib import import_module
from types import ModuleType
from typing import Type

from hourglass_pose.representations.heatmap.numpy import HeatmapCodec

REPRESENTATIONS = {
    'softmax': 'cross-entropy of a softmax over the cells of a map',
    'mse': 'mean squared error of Gaussian maps',
    'sigmoid': 'sigmoid cross-entropy of Gaussian maps',
    'integral': 'L1 distance, in cells, of the softmax-weighted mean cell',
}
"""Name -> training objective in a few words. The name is also the folder's and the value of `loss` in checkpoints."""


def make_codec(
    heatmap_size: int, stride: int = 4, sigma: float = 2.0, loss: str = 'softmax', decoding: str = 'dark'
) -> HeatmapCodec:
    """Return the codec of a representation, which needs no TensorFlow.

    Args:
        heatmap_size: side of the square maps in cells.
        stride: crop pixels per cell.
        sigma: standard deviation of the Gaussians, in cells of a 64-cell map; it scales with heatmap_size.
        loss: name of the representation.
        decoding: one of heatmap.numpy.DECODINGS; representations that do not search for a peak ignore it.

    Raises:
        ValueError: for a value that is not allowed; the message starts with its name.
    """
    if loss not in REPRESENTATIONS:
        raise ValueError(f'loss: expected one of {", ".join(sorted(REPRESENTATIONS))}, found {loss!r}')
    return codec_class(loss)(heatmap_size, stride, sigma, decoding)


def codec_class(loss: str) -> Type[HeatmapCodec]:
    """Return the codec's class of a representation of the table."""
    codec: Type[HeatmapCodec] = import_module(f'{__package__}.{loss}.numpy').Codec
    return codec


def graph_half(codec: HeatmapCodec) -> ModuleType:
    """Return the module with `target`, `loss` and `decode` of a codec's representation; it imports TensorFlow.

    target(joints_crop, codec): the tensor that the loss compares with, of joints float32 (N, J, 2) in crop pixels. A
    joint outside the crop has an empty target.
    loss(logits, target, joint_weights): scalar, of logits float32 (N, S, H, W, J) of S stacks, averaged over labelled
    joints and summed over stacks. A joint of weight 0 has no influence.
    maps_of_planes(planes, codec): the heatmaps of logits (P, H * W), a map in each row, as codec.maps_of_logits. Only
    representations whose codec has `learns_maps` have it.
    decode(logits, codec): (joints_crop float32 (N, J, 2), scores float32 (N, J)) of logits (N, H, W, J), as
    codec.decode(codec.maps_of_logits(logits)) in NumPy.
    """
    return import_module(f'{__package__}.{codec.loss}.graph')
