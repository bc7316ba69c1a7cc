"""Reader of MPII as HDF5: train.h5, valid.h5 and annot.h5 of Newell, Yang and Deng."""

from collections import Counter
from typing import Any, Dict, Iterator, Tuple, Union

import numpy as np

from hourglass_pose.annotations.checking import Skipped
from hourglass_pose.annotations.person import Person
from hourglass_pose.converters.official import each_record, mpii_person, numeric, split_of_file
from hourglass_pose.errors import AnnotationError
from hourglass_pose.skeleton import MPII_JOINTS

_NEEDED = ('imgname', 'part', 'center', 'scale')
_OPTIONAL = ('visible', 'person', 'istrain')

# Changes of centre and scale in the newer of the two kinds of these files.
_LOWERED, _WIDENED = 15.0, 1.25

# `istrain` of annot.h5; 2 is validation, as in the split of pose-hg-train.
_SPLITS = {0: 'test', 1: 'train', 2: 'valid'}


def read_newell_h5(path: str, boxes: str = 'joints') -> Iterator[Union[Person, Skipped]]:
    """Yield a Person or Skipped for each row, in the order of the file.

    The joints are the official 1-based coordinates truncated to whole pixels. Two kinds of file have the same names:
    one has the official centre and scale; in the other the centre is already lowered by 15 x scale and the scale
    multiplied by 1.25. Official centres are whole numbers, which identifies the kind; official values are yielded for
    both. The split is `istrain` if the file has it (0 test, 1 train, 2 valid), otherwise it follows from the file's
    name. boxes: see official.box_of.

    Raises AnnotationError for another HDF5 file, or one whose centres are of neither kind.
    """
    rows = _read(path)
    with np.errstate(all='ignore'):
        centres, scales = _official(path, rows['center'], rows['scale'].ravel())
    split_by_name = split_of_file(path)
    counts: Dict[str, int] = Counter()

    def make(row: int) -> Union[Person, Skipped]:
        image, part = _text(rows['imgname'][row]), rows['part'][row]
        # 0 0 marks a missing joint, -1 -1 those of a person without any.
        labelled = ~((part == 0) | (part == -1)).all(axis=1)
        known = scales[row] > 0
        index = int(rows['person'][row]) if 'person' in rows else counts[image]
        counts[image] += 1
        return mpii_person(
            image,
            index,
            part,
            labelled,
            rows['visible'][row] > 0 if 'visible' in rows else None,
            centres[row] if known else None,
            scales[row] if known else None,
            _SPLITS[int(rows['istrain'][row])] if 'istrain' in rows else split_by_name,
            boxes,
            indexed='person' in rows,
        )

    return each_record(path, range(len(rows['part'])), make, 'row')


def _read(path: str) -> Dict[str, np.ndarray]:
    """Return the data sets by name, all but imgname as float64, each with as many rows."""
    # h5py is imported here because few commands need it.
    import h5py

    try:
        with h5py.File(path, 'r') as stream:
            missing = [name for name in _NEEDED if name not in stream]
            if missing:
                raise AnnotationError(
                    f'{path}: no {", ".join(missing)} among its data sets {", ".join(sorted(stream)) or "(none)"}; '
                    'give train.h5 or valid.h5 of MPII'
                )
            rows = {name: np.asarray(stream[name][()]) for name in _NEEDED + _OPTIONAL if name in stream}
    except AnnotationError:
        raise
    except Exception as error:  # the exception depends on where the file is damaged
        raise AnnotationError(
            f'{path}: this HDF5 file cannot be read ({" ".join(str(error).split())}); download it again'
        )
    rows = {name: array if name == 'imgname' else numeric(path, name, array) for name, array in rows.items()}
    count = len(rows['part']) if rows['part'].ndim else 0
    shapes = {'part': (count, len(MPII_JOINTS), 2), 'center': (count, 2), 'visible': (count, len(MPII_JOINTS))}
    for name, array in rows.items():
        ok = array.shape == shapes[name] if name in shapes else array.shape[:1] == (count,)
        if name in ('scale', 'person', 'istrain'):
            ok = array.size == count
            rows[name] = array.ravel()
        if not ok:
            raise AnnotationError(
                f'{path}: {name} has shape {array.shape}, but part has {count} rows; give train.h5 or valid.h5 of MPII'
            )
    return rows


def _official(path: str, centres: np.ndarray, scales: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Return the official centres (N, 2) and scales (N,)."""
    known = (scales > 0) & np.isfinite(centres).all(axis=1) & np.isfinite(scales)
    official_scales = scales / _WIDENED
    raised = centres - np.outer(_LOWERED * official_scales, [0.0, 1.0])
    for candidate_centres, candidate_scales in ((centres, scales), (raised, official_scales)):
        rows = candidate_centres[known]
        # The lowered centres were computed in float64 or stored in float32.
        if np.abs(rows - np.rint(rows)).max(initial=0.0) < 1e-2:
            return np.rint(candidate_centres), candidate_scales
    raise AnnotationError(
        f'{path}: its centres are neither whole numbers, as the official ones, nor official ones lowered by 15 x '
        'scale; give train.h5 or valid.h5 of MPII'
    )


def _text(name: Any) -> str:
    """Return a name that is stored as text, as bytes, or as a row of character codes padded with 0."""
    if isinstance(name, np.ndarray):
        name = bytes(int(code) for code in name.ravel())
    return name.decode('utf-8').split('\0')[0] if isinstance(name, bytes) else str(name)
