"""Poses in arrays of other programs: the order of axes, the names of joints, and the choice of the variable."""

from typing import Dict, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.skeleton import MPII_JOINTS

# Common names of variables with predictions, the most common first.
_NAMES = ('preds', 'pred', 'predictions', 'pos_pred_src', 'joints', 'keypoints', 'all_preds')

# x, y; with a score; and of Newell's Torch code: x, y, heatmap column, heatmap row, score.
_COLUMNS = (2, 3, 5)

# Orders of the axes persons (N), joints (J) and columns (C), in order of preference: as Python, MATLAB and the ground
# truth of MPII's evaluation write them, then the others.
_LAYOUTS = ('NJC', 'CJN', 'JCN', 'NCJ', 'CNJ', 'JNC')

# The short names in MPII's ground truth.
_SHORT_NAMES = {
    'rank': 'r_ankle',
    'rkne': 'r_knee',
    'rhip': 'r_hip',
    'lhip': 'l_hip',
    'lkne': 'l_knee',
    'lank': 'l_ankle',
    'pelv': 'pelvis',
    'thor': 'thorax',
    'neck': 'neck',
    'head': 'head',
    'rwri': 'r_wrist',
    'relb': 'r_elbow',
    'rsho': 'r_shoulder',
    'lsho': 'l_shoulder',
    'lelb': 'l_elbow',
    'lwri': 'l_wrist',
}


def joint_names(value: np.ndarray, path: str) -> Tuple[str, ...]:
    """Return the names in a `dataset_joints` cell array as ours. Raises UserError for unknown or repeated names."""
    cells = [str(np.asarray(cell).ravel()[0]) if np.asarray(cell).size else '' for cell in np.ravel(value)]
    unknown = [name for name in cells if name not in _SHORT_NAMES and name not in MPII_JOINTS]
    if unknown or not cells:
        raise UserError(
            f'{path}: dataset_joints: expected the short names of MPII ({" ".join(_SHORT_NAMES)}), found '
            f'{unknown[0] if unknown else "none"!r}'
        )
    names = tuple(_SHORT_NAMES.get(name, name) for name in cells)
    if len(set(names)) < len(names):
        raise UserError(f'{path}: dataset_joints: names a joint twice; expected different names')
    return names


def layout_of(shape: Sequence[int], num_persons: Optional[int], num_joints: int) -> Optional[str]:
    """Return the first of the layouts that a shape can have, such as 'NJC', or None.

    Args:
        num_persons: None for any number.
    """
    if len(shape) != 3 or 0 in shape:
        return None
    for layout in _LAYOUTS:
        sizes = dict(zip(layout, shape))
        if sizes['J'] == num_joints and sizes['C'] in _COLUMNS and num_persons in (None, sizes['N']):
            return layout
    return None


_MPII_COUNT = len(MPII_JOINTS)


def oriented(array: np.ndarray, layout: str) -> np.ndarray:
    """Return float64 (N, J, 2), x and y, of an array in a layout."""
    return np.transpose(array, [layout.index(axis) for axis in 'NJC'])[..., :2].astype(np.float64)


def find_poses(
    arrays: Dict[str, np.ndarray],
    path: str,
    num_persons: Optional[int],
    num_joints: int = _MPII_COUNT,
    variable: Optional[str] = None,
) -> Tuple[np.ndarray, str, str]:
    """Return (poses float64 (N, J, 2), variable, layout) of the arrays of one file.

    Args:
        num_persons: N, or None for any.
        variable: the variable's name, None to search for it: first by the common names, then by shape.

    Raises UserError, with a list of the variables, if none fits or several fit and none has a common name.
    """
    arrays = {name: _without_single_axes(value) for name, value in arrays.items()}
    if variable is not None and variable not in arrays:
        raise UserError(f'{path}: there is no variable {variable}; it has {_listed(arrays)}')
    names = [variable] if variable is not None else list(arrays)
    layouts = {
        name: layout_of(arrays[name].shape, num_persons, num_joints)
        for name in names
        if arrays[name].dtype.kind in 'iuf'
    }
    fitting = [name for name, layout in layouts.items() if layout]
    usual = [name for name in _NAMES if name in fitting]
    if not fitting:
        raise UserError(_what_is_wrong({name: arrays[name] for name in names}, path, num_persons, num_joints))
    if len(fitting) > 1 and not usual:
        raise UserError(f'{path}: {", ".join(fitting)} could all be the predictions; choose by --variable NAME')
    name = (usual or fitting)[0]
    layout = layouts[name] or ''
    return oriented(arrays[name], layout), name, layout


def _without_single_axes(value: np.ndarray) -> np.ndarray:
    """Drop axes of length 1 from arrays of more than three axes, such as (1, N, 16, 2)."""
    while value.ndim > 3 and 1 in value.shape:
        value = value.reshape([size for axis, size in enumerate(value.shape) if axis != value.shape.index(1)])
    return value


def _what_is_wrong(arrays: Dict[str, np.ndarray], path: str, num_persons: Optional[int], num_joints: int) -> str:
    persons = 'any number of' if num_persons is None else num_persons
    expected = f'{persons} persons x {num_joints} joints x 2, in any order of the axes'
    for name in _NAMES + tuple(arrays):
        value = arrays.get(name)
        if value is None or value.dtype.kind not in 'iuf':
            continue
        layout = layout_of(value.shape, None, num_joints)
        if layout:
            count = value.shape[layout.index('N')]
            return (
                f'{path}: {name} has {count} persons, the ground truth {num_persons}; both must hold the same persons '
                'in the same order'
            )
        if value.ndim == 3 and num_persons in value.shape and set(value.shape) & set(_COLUMNS):
            return f'{path}: {name} has the shape {_shape(value)}; expected {expected}'
    return f'{path}: no variable holds {expected}; it has {_listed(arrays)}'


def _shape(value: np.ndarray) -> str:
    return ' x '.join(map(str, value.shape))


def _listed(arrays: Dict[str, np.ndarray]) -> str:
    # Names of variables in a damaged file may be arbitrary.
    return ', '.join(
        f'{name!r:.60} ({_shape(value)})'.replace("'", '') for name, value in list(arrays.items())[:8]
    ) or ('no variable')
