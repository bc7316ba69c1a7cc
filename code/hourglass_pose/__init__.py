"""hourglass-pose: stacked-hourglass human pose estimation on Ascend NPUs, GPUs and CPUs."""

import importlib

__version__ = '0.1.0'

# Looked up on first use, so that what needs no TensorFlow does not load it.
_LAZY = {
    'Predictor': 'hourglass_pose.prediction.predictor',
    'HourglassModel': 'hourglass_pose.graph.model',
    'DataGenerator': 'hourglass_pose.input.generator',
}
__all__ = sorted(_LAZY)


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(_LAZY[name]), name)
