"""The network that ships with the package: an ONNX model with its record beside it."""

import os

from hourglass_pose.errors import CheckpointError

SHIPPED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'networks', 'lsp.onnx')
"""Path of the file."""
SHIPPED_NOTE = 'network: lsp.onnx, which ships with this package; another is given as the checkpoint'


def shipped_network() -> str:
    """Return the path of the network that ships with the package. Raises CheckpointError if it is not there."""
    if not os.path.isfile(SHIPPED):
        raise CheckpointError(
            f'{SHIPPED}: the network that ships with this package is not there; give a network of your own as the '
            'checkpoint (--checkpoint), or install the package again'
        )
    return SHIPPED
