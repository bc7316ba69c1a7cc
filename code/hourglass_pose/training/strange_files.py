"""What a file or folder is that somebody took for a checkpoint, and what to do with it."""

import os

_IMPORT = 'turn it into a checkpoint by "python -m hourglass_pose import-weights FILE --from bearpaw|princeton"'

# The first bytes of a file, what they mean, and what to do.
_BEGINNINGS = (
    (b'PK\x03\x04', 'a zip archive, as PyTorch writes its weights', _IMPORT),
    (b'\x80\x02', 'a Python pickle, as PyTorch wrote its weights before 1.6', _IMPORT),
    (b'\x89HDF', 'an HDF5 file, as Keras writes weights and MPII tools write predictions',
     'this program reads TensorFlow checkpoints'),
    (b'MATLAB', 'a MATLAB file', 'it can hold annotations or predictions, not a network'),
    (b'\x89PNG', 'a PNG picture', 'give it as IMAGE, and the checkpoint by --checkpoint'),
    (b'\xff\xd8\xff', 'a JPEG picture', 'give it as IMAGE, and the checkpoint by --checkpoint'),
    (b'\x1f\x8b', 'a gzip archive', 'unpack it first'))


def describe_strange(path):
    """Return 'it is ...; what to do' of a path that is no checkpoint, or '' where nothing can be said."""
    if os.path.isdir(path):
        return _describe_folder(path)
    try:
        with open(path, 'rb') as stream:
            beginning = stream.read(16)
    except OSError:
        return ''
    if path.endswith('.pb'):
        return 'it is a frozen graph or a SavedModel without the variables that training needs; give its checkpoint'
    if '.data-' in os.path.basename(path):
        return 'it is a part of a TensorFlow checkpoint whose .index file is not beside it; put both into a folder'
    for start, what, advice in _BEGINNINGS:
        if beginning.startswith(start):
            return 'it is %s; %s' % (what, advice)
    if beginning and all(32 <= byte < 127 or byte in b'\t\r\n' for byte in beginning):
        return 'it is a text file'
    return ''


def _describe_folder(path):
    names = sorted(os.listdir(path))
    if 'saved_model.pb' in names:
        return 'it is a SavedModel; give the checkpoint that it was exported from'
    if not names:
        return 'it is an empty folder'
    return 'it is a folder with %s' % ', '.join(names[:3] + (['%d more' % (len(names) - 3)] if names[3:] else []))
