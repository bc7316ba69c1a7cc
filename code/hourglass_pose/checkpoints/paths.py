"""identify: the kind of network that a path leads to, or a message that describes what is there instead."""

import os
import re
import zipfile
from dataclasses import dataclass
from typing import Optional

from hourglass_pose.checkpoints.folder import CheckpointFolder, find_checkpoint, run_folder_of
from hourglass_pose.checkpoints.manifest import MANIFEST
from hourglass_pose.errors import CheckpointError
from hourglass_pose.invocation import command

CONFIG_COPY = 'config.cfg'
"""Name of the file with the settings of a run, in its folder."""

OURS, ORIGINAL, PYTORCH, ONNX = 'ours', 'original', 'pytorch', 'onnx'

_READS = (
    'a run folder, a checkpoint in it, a TensorFlow checkpoint of the original code, weights of a PyTorch hourglass, '
    'or an exported .onnx model'
)

# The kinds of files, by their first bytes and by the ends of their names.
_BEGINNINGS = (
    (b'\x80', 'a Python pickle, which may run code when it is opened; save the state dict by torch.save'),
    (b'PK', 'a zip archive; unpack it first'),
    (b'\x1f\x8b', 'a gzip archive; unpack it first'),
    (b'\x93NUMPY', 'a NumPy array'),
    (b'\x89HDF', 'an HDF5 file, as Keras writes weights and MPII tools write predictions'),
    (b'MATLAB', 'a MATLAB file, which can hold annotations or predictions'),
    (b'\x89PNG', 'a PNG picture; give the checkpoint by --checkpoint'),
    (b'\xff\xd8\xff', 'a JPEG picture; give the checkpoint by --checkpoint'),
    (b'model_checkpoint', 'a text file that names the newest checkpoint of a folder; give the folder'),
)
_ENDINGS = (
    ('.pb', 'a frozen graph; give the checkpoint that it was exported from'),
    ('.om', 'an offline model for Ascend; give the checkpoint that it was exported from'),
    ('.tflite', 'a TensorFlow Lite model; give the checkpoint that it was exported from'),
    ('.meta', 'a part of a TensorFlow checkpoint whose .index file is not next to it; put all parts into one folder'),
    (
        '.data-00000-of-00001',
        'a part of a TensorFlow checkpoint whose .index file is not next to it; put all parts there',
    ),
)


@dataclass(frozen=True)
class IdentifiedPath:
    """kind: OURS, ORIGINAL, PYTORCH or ONNX. path: the checkpoint's folder, TensorFlow's prefix, or the file."""

    kind: str
    path: str


def identify(path: str) -> IdentifiedPath:
    """Return what a path is. Nothing is loaded and TensorFlow is not imported.

    Raises CheckpointError, which describes what is there, for a path that means no network.
    """
    path = os.fspath(path)
    original = find_original(path)
    # The prefix of a checkpoint's files means the whole checkpoint.
    folder = os.path.dirname(original) if original else path
    try:
        return IdentifiedPath(OURS, find_checkpoint(folder if os.path.isfile(os.path.join(folder, MANIFEST)) else path))
    except CheckpointError as error:
        if original:
            return IdentifiedPath(ORIGINAL, original)
        if is_pytorch_file(path):
            return IdentifiedPath(PYTORCH, path)
        if path.lower().endswith('.onnx') and os.path.isfile(path):
            return IdentifiedPath(ONNX, path)
        description = describe(path)
        if not description:
            raise
        raise CheckpointError(f'{path}: this is not a checkpoint but {description}; expected {_READS}') from error


def find_original(path: str) -> Optional[str]:
    """Return the prefix of the TensorFlow checkpoint that a path means, or None.

    path: a prefix such as 'hg_200', one of its files, or a folder, which means the checkpoint that its file
    `checkpoint` names, otherwise the one that was written last.
    """
    prefix = re.sub(r'\.(index|meta|data-\d{5}-of-\d{5})$', '', path)
    if os.path.isfile(f'{prefix}.index'):
        return prefix
    if not os.path.isdir(path):
        return None
    try:
        with open(os.path.join(path, 'checkpoint')) as stream:
            named = re.search(r'^model_checkpoint_path: "(.*)"', stream.read(), re.MULTILINE)
        # The folder may have been moved since the file was written.
        if named:
            prefix = os.path.join(path, os.path.basename(named.group(1)))
            if os.path.isfile(f'{prefix}.index'):
                return prefix
    except (OSError, UnicodeDecodeError):
        pass
    indices = [os.path.join(path, name) for name in os.listdir(path) if name.endswith('.index')]
    return max(indices, key=lambda name: (os.path.getmtime(name), name))[: -len('.index')] if indices else None


def run_to_resume(path: str) -> Optional[str]:
    """Return the folder of the run that a path resumes, or None for a checkpoint of the original code.

    Args:
        path: a run folder, a checkpoint in it or one of its files, or a checkpoint of the original code.

    Raises:
        CheckpointError: the path means no network, or one outside of a run.
    """
    if CheckpointFolder(path).steps():
        return path
    found = identify(path)
    if found.kind == ORIGINAL:
        return None
    run = run_folder_of(found.path) if found.kind == OURS else None
    if run is None or not os.path.isfile(os.path.join(run, CONFIG_COPY)):
        raise CheckpointError(
            f'{path}: this checkpoint is not in a run folder, so there is no run to resume; start a new run with '
            f'its weights by "{command("train")} --initialise-from {path}"'
        )
    return run


def is_pytorch_file(path: str) -> bool:
    """Return whether a file begins as those that torch.save writes, now or before PyTorch 1.6."""
    if not os.path.isfile(path):
        return False
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith('data.pkl') for name in archive.namelist())
    # A truncated zip archive lacks the list of its files, which is at its end.
    cut_off = (b'PK\x03\x04',) if path.endswith(('.pth', '.pt', '.pth.tar')) else ()
    return _beginning(path).startswith((b'\x80\x02', *cut_off))


def describe(path: str) -> str:
    """Return 'a ...' for a file or folder that is no checkpoint, with what to do, or '' where nothing is known."""
    if os.path.isdir(path):
        names = sorted(os.listdir(path))
        if 'saved_model.pb' in names:
            return 'a SavedModel; give the checkpoint that it was exported from'
        more = [f'{len(names) - 3} more'] if len(names) > 3 else []
        return f'a folder with {", ".join(names[:3] + more)}' if names else 'an empty folder'
    if not os.path.isfile(path):
        return ''
    beginning = _beginning(path)
    if not beginning:
        return 'an empty file'
    for ending, what in _ENDINGS:
        if path.endswith(ending):
            return what
    for start, what in _BEGINNINGS:
        if beginning.startswith(start):
            return what
    return 'a text file' if all(32 <= byte < 127 or byte in b'\t\r\n' for byte in beginning) else ''


def _beginning(path: str) -> bytes:
    try:
        with open(path, 'rb') as stream:
            return stream.read(16)
    except OSError:
        return b''
