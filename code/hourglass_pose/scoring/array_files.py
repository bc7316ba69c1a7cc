"""Arrays by name from the files in which other programs keep poses: MATLAB's .mat of every version, and HDF5."""

from collections import OrderedDict

import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.files import kind_of_file

# What files.kind_of_file calls a file -> how its arrays are read. MATLAB's version 7.3 is HDF5.
_KINDS = {'hdf5': 'hdf5', 'matlab73': 'hdf5', 'matlab': 'matlab', 'json': 'json'}


def kind_of(path: str) -> str:
    """Return 'hdf5', 'matlab', 'json' or 'other', by content. Raises UserError where the file cannot be read."""
    try:
        return _KINDS.get(kind_of_file(path) or '', 'other')
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror}); name a file of poses')


def read_arrays(path, kind=None):
    """Return {name: array} of a .mat or an HDF5 file, in the order of the file.

    Numbers come as they are stored, in the axes of the program that wrote them: those of a MATLAB file of version 7.3,
    which is HDF5, are reversed. Cells of equal arrays are stacked; structures come as NumPy structured arrays.
    Raises UserError for a file that is damaged or of another kind.
    """
    kind = kind or kind_of(path)
    if kind not in _READERS:
        raise UserError(f'{path}: neither a .mat nor an .h5 file by its content')
    try:
        return _READERS[kind](path)
    except ImportError as error:
        raise UserError(f'{path}: reading it needs a library that is missing ({error}); pip install scipy h5py')
    except Exception as error:
        # Damaged files make the libraries raise nearly everything, after the place of the damage and their version.
        raise UserError('{}: damaged or truncated ({})'.format(path, str(error).split('\n')[0][:100]))


def _read_matlab(path):
    from scipy.io import loadmat

    content = loadmat(path)
    return OrderedDict((name, _stacked(value)) for name, value in content.items() if not name.startswith('__'))


def _stacked(value):
    """Return a cell array as one array where its cells are numbers of one shape, else as it is."""
    if value.dtype != object or not value.size:
        return value
    cells = [np.asarray(cell) for cell in value.ravel(order='F')]
    if all(cell.dtype.kind in 'biuf' and cell.shape == cells[0].shape for cell in cells):
        return np.stack(cells)
    return value


def _read_hdf5(path):
    import h5py

    arrays = OrderedDict()

    def collect(name, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind in 'biuf' and not name.startswith('#'):
            arrays[name] = item[()]

    with h5py.File(path, 'r') as content:
        content.visititems(collect)
    return arrays


_READERS = {'matlab': _read_matlab, 'hdf5': _read_hdf5}
