"""MPII as HDF5: train.h5 and valid.h5 of Newell, Yang and Deng."""

from collections import Counter

import numpy as np

from hourglass_pose.converters.official import mpii_person, split_of_file
from hourglass_pose.errors import AnnotationError
from hourglass_pose.skeleton import MPII_JOINTS

_NEEDED = ('imgname', 'part', 'center', 'scale')

# What is done to centre and scale in the newer of the two kinds of these files.
_LOWERED, _WIDENED = 15.0, 1.25


def read_newell_h5(path, boxes='joints'):
    """Yield a Person, or None for a row without anything to use, in the order of the file.

    The joints are the official numbers, which count from 1, cut to whole pixels. Two kinds of file have the same
    names: in one, centre and scale are the official ones, in the other the centre is already lowered by 15 x scale and
    the scale multiplied by 1.25. As official centres are whole numbers, the content tells them apart, and the official
    values are yielded. The split follows from the file's name. boxes: see official.box_of.

    Raises AnnotationError for another HDF5 file, or one whose centres are of neither kind.
    """
    rows = _read(path)
    centres, scales = _official(path, rows['center'].astype(np.float64), rows['scale'].astype(np.float64).ravel())
    places, split, seen = rows.get('person'), split_of_file(path), Counter()
    for row, part in enumerate(rows['part'].astype(np.float64)):
        image = _text(rows['imgname'][row])
        # 0 0 marks a missing joint, -1 -1 those of a person without any.
        labelled = ~((part == 0) | (part == -1)).all(axis=1)
        visible = rows['visible'][row] > 0 if 'visible' in rows else None
        known = scales[row] > 0
        index = int(places[row]) if places is not None else seen[image]
        seen[image] += 1
        yield mpii_person(
            image,
            index,
            part,
            labelled,
            visible,
            centres[row] if known else None,
            scales[row] if known else None,
            split,
            boxes,
            indexed=places is not None,
        )


def _read(path):
    # h5py is loaded here and not with the package, for few commands need it.
    import h5py

    try:
        with h5py.File(path, 'r') as stream:
            missing = [name for name in _NEEDED if name not in stream]
            if missing:
                raise AnnotationError(
                    '{}: no {} among its data sets {}; give train.h5 or valid.h5 of MPII'.format(
                        path, ', '.join(missing), ', '.join(sorted(stream)) or '(none)'
                    )
                )
            rows = {name: stream[name][()] for name in _NEEDED + ('visible', 'person') if name in stream}
    except OSError as error:
        raise AnnotationError(f'{path}: this HDF5 file cannot be read ({error}); get it again')
    count = len(rows['part'])
    shapes = {'part': (count, len(MPII_JOINTS), 2), 'center': (count, 2), 'visible': (count, len(MPII_JOINTS))}
    for name, array in rows.items():
        if array.shape != shapes.get(name, array.shape) or len(array) != count:
            raise AnnotationError(
                '%s: %s is of shape %s beside %d rows of part; give train.h5 or valid.h5 of MPII'
                % (path, name, array.shape, count)
            )
    return rows


def _official(path, centres, scales):
    """Return the official centres (N, 2) and scales (N,)."""
    known = scales > 0
    official_scales = scales / _WIDENED
    raised = centres - np.outer(_LOWERED * official_scales, [0.0, 1.0])
    for found_centres, found_scales in ((centres, scales), (raised, official_scales)):
        rows = found_centres[known]
        # The arithmetic that lowered them was in float64, or stored in float32.
        if np.abs(rows - np.rint(rows)).max(initial=0.0) < 1e-2:
            return np.rint(found_centres), found_scales
    raise AnnotationError(
        f'{path}: its centres are neither whole numbers, as the official ones, nor those lowered by 15 x '
        'scale; give train.h5 or valid.h5 of MPII'
    )


def _text(name):
    """Return a name that is stored as text, as bytes, or as a row of character codes filled up with 0."""
    if isinstance(name, np.ndarray):
        name = bytes(name.astype(np.uint8))
    return name.decode('utf-8').split('\0')[0] if isinstance(name, bytes) else str(name)
