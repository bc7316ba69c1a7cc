"""Reader of arrays by name from the pose files of other programs: MATLAB .mat of every version, and HDF5."""

import warnings
from typing import Any, Callable, Dict, Optional

import numpy as np

from hourglass_pose.converters.matlab_check import check_matlab_file
from hourglass_pose.errors import UserError
from hourglass_pose.files import kind_of_file

# Kind by files.kind_of_file -> reader of its arrays. MATLAB's version 7.3 is HDF5.
_KINDS = {'hdf5': 'hdf5', 'matlab73': 'hdf5', 'matlab': 'matlab', 'json': 'json'}


def kind_of(path: str) -> str:
    """Return 'hdf5', 'matlab', 'json' or 'other', by content. Raises UserError where the file cannot be read."""
    try:
        return _KINDS.get(kind_of_file(path) or '', 'other')
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror}); name a readable file')


def read_arrays(path: str, kind: Optional[str] = None) -> Dict[str, np.ndarray]:
    """Return {name: array} of a .mat or an HDF5 file, in the order of the file.

    Arrays keep their type and the order of their axes in the file: in a MATLAB file of version 7.3, which is HDF5, the
    axes are reversed. Cell arrays of equal shapes are stacked; structures are NumPy structured arrays.

    Args:
        kind: as kind_of returns it, None to detect it.

    Raises UserError for a file that is damaged or of another kind.
    """
    kind = kind or kind_of(path)
    if kind not in _READERS:
        raise UserError(f'{path}: neither a .mat nor an .h5 file by its content')
    try:
        # Warnings of the libraries about a damaged file would not name the file.
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return _READERS[kind](path)
    except ImportError as error:
        raise UserError(f'{path}: reading it needs a library that is missing ({error}); pip install scipy h5py')
    except (Exception, MemoryError) as error:
        # The exception of a damaged file depends on where the damage is.
        reason = ' '.join(str(error).split())[:100] or type(error).__name__
        raise UserError(f'{path}: damaged or truncated ({reason})')


def _read_matlab(path: str) -> Dict[str, np.ndarray]:
    from scipy.io import loadmat

    check_matlab_file(path)
    content = loadmat(path)
    arrays = {name: value for name, value in content.items() if not name.startswith('__')}
    # Sparse matrices and opaque objects cannot be poses.
    return {name: _stacked(value) for name, value in arrays.items() if isinstance(value, np.ndarray)}


def _stacked(value: np.ndarray) -> np.ndarray:
    """Return a cell array as one array if its cells are numeric with one shape, otherwise unchanged."""
    if value.dtype != object or not value.size:
        return value
    cells = [np.asarray(cell) for cell in value.ravel(order='F')]
    if all(cell.dtype.kind in 'biuf' and cell.shape == cells[0].shape for cell in cells):
        return np.stack(cells)
    return value


def _read_hdf5(path: str) -> Dict[str, np.ndarray]:
    import h5py

    arrays: Dict[str, np.ndarray] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in 'biuf' and not name.startswith('#'):
            arrays[name] = np.asarray(item[()])

    with h5py.File(path, 'r') as content:
        content.visititems(collect)
    return arrays


_READERS: Dict[str, Callable[[str], Dict[str, np.ndarray]]] = {'matlab': _read_matlab, 'hdf5': _read_hdf5}
