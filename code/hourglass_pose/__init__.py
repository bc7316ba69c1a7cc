"""hourglass-pose: stacked-hourglass human pose estimation on Ascend NPUs, GPUs and CPUs.

Importing the package changes nothing in the process. The first use of HourglassModel, or of Predictor, loads TensorFlow
and turns off its eager execution, resource variables and second version of control flow for the whole process.
"""

import importlib
from typing import Any

__version__ = '0.1.0'

# Imported on first use: what needs no TensorFlow must not load it.
_LAZY = {
    'Predictor': 'hourglass_pose.prediction.predictor',
    'HourglassModel': 'hourglass_pose.graph.model',
    'DataGenerator': 'hourglass_pose.input.generator',
}
__all__ = sorted(_LAZY)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(_LAZY[name]), name)
