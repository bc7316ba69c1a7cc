"""What a file or folder is that somebody took for a checkpoint, and what to do with it."""

import os
import zipfile

_IMPORT = 'turn it into a checkpoint by "python -m hourglass_pose import-weights FILE --from bearpaw|princeton"'

# A name in a zip archive, what it makes of the archive, and what to do.
_ARCHIVES = (
    ('data.pkl', 'a zip archive, as PyTorch writes its weights', _IMPORT),
    ('.npy', 'arrays of NumPy in a zip archive', 'this program reads TensorFlow checkpoints'),
    ('.weights.h5', 'a model of Keras', 'this program reads TensorFlow checkpoints'),
    ('', 'a zip archive', 'unpack it first'),
)

# The end of a file's name, what it means, and what to do.
_ENDINGS = (
    ('.pb', 'a frozen graph or a SavedModel without the variables that training needs', 'give its checkpoint'),
    ('.onnx', 'an ONNX model', 'give the checkpoint that it was exported from'),
    ('.om', 'an offline model for Ascend', 'give the checkpoint that it was exported from'),
    ('.tflite', 'a TensorFlow Lite model', 'give the checkpoint that it was exported from'),
    (
        '.meta',
        'the graph of a TensorFlow checkpoint whose .index file is not beside it',
        'put both and the .data file into a folder',
    ),
)

# The first bytes of a file, what they mean, and what to do.
_BEGINNINGS = (
    (b'\x80\x02', 'a Python pickle, as PyTorch wrote its weights before 1.6', _IMPORT),
    (
        b'\x80',
        'a Python pickle, which may run code when it is opened',
        "open it only where you trust it, and save the network's state dict by torch.save",
    ),
    (b'\x93NUMPY', 'an array of NumPy', 'this program reads TensorFlow checkpoints'),
    (
        b'\x89HDF',
        'an HDF5 file, as Keras writes weights and MPII tools write predictions',
        'this program reads TensorFlow checkpoints',
    ),
    (b'MATLAB', 'a MATLAB file', 'it can hold annotations or predictions, not a network'),
    (b'\x89PNG', 'a PNG picture', 'give it as IMAGE, and the checkpoint by --checkpoint'),
    (b'\xff\xd8\xff', 'a JPEG picture', 'give it as IMAGE, and the checkpoint by --checkpoint'),
    (b'\x1f\x8b', 'a gzip archive', 'unpack it first'),
)


def describe_strange(path):
    """Return 'it is ...; what to do' of a path that is no checkpoint, or '' where nothing can be said."""
    if os.path.isdir(path):
        return _describe_folder(path)
    try:
        with open(path, 'rb') as stream:
            beginning = stream.read(16)
    except OSError:
        return ''
    if not beginning:
        return 'it is an empty file'
    for ending, what, advice in _ENDINGS:
        if path.endswith(ending):
            return f'it is {what}; {advice}'
    if '.data-' in os.path.basename(path):
        return 'it is a part of a TensorFlow checkpoint whose .index file is not beside it; put both into a folder'
    if beginning.startswith(b'PK'):
        return 'it is {}; {}'.format(*_describe_archive(path))
    for start, what, advice in _BEGINNINGS:
        if beginning.startswith(start):
            return f'it is {what}; {advice}'
    if beginning.startswith(b'model_checkpoint'):
        return 'it is a text file that names the newest checkpoint of a folder; give the folder'
    if all(32 <= byte < 127 or byte in b'\t\r\n' for byte in beginning):
        return 'it is a text file'
    return ''


def _describe_archive(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return 'the beginning of a zip archive, as PyTorch writes its weights', 'the rest of it is missing or damaged'
    return next(
        (what, advice) for end, what, advice in _ARCHIVES if not end or any(name.endswith(end) for name in names)
    )


def _describe_folder(path):
    names = sorted(os.listdir(path))
    if 'saved_model.pb' in names:
        return 'it is a SavedModel; give the checkpoint that it was exported from'
    if not names:
        return 'it is an empty folder'
    return 'it is a folder with {}'.format(', '.join(names[:3] + (['%d more' % (len(names) - 3)] if names[3:] else [])))
