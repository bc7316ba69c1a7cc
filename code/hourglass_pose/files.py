"""Files and folders: atomic writing, the kind of a file by its first bytes, JSON, and SHA-256."""

import hashlib
import json
import os
from contextlib import contextmanager
from typing import Any, BinaryIO, Iterator, Optional, Type, Union

from hourglass_pose.errors import ConfigError, UserError

# Enough to find an HDF5 signature after MATLAB's header.
HEAD_BYTES = 2056

_HDF5 = b'\x89HDF\r\n\x1a\n'
_HDF5_OFFSETS = (0, 512, 1024, 2048)

# First bytes of a file -> its kind.
_STARTS = (
    (b'\xff\xd8\xff', 'jpeg'),
    (b'\x89PNG\r\n\x1a\n', 'png'),
    (b'BM', 'bmp'),
    (b'II*\x00', 'tiff'),
    (b'MM\x00*', 'tiff'),
    (b'GIF87a', 'gif'),
    (b'GIF89a', 'gif'),
    (b'\x1a\x45\xdf\xa3', 'matroska'),
    (b'FLV\x01', 'flv'),
    (b'\x00\x00\x01\xba', 'mpeg'),
    (b'\x30\x26\xb2\x75', 'wmv'),
    (b'\x1f\x8b', 'gzip'),
    (b'PK\x03\x04', 'zip'),
    (b'\x93NUMPY', 'npy'),
    (b'MATLAB 5.0', 'matlab'),
    (b'MATLAB 7.3', 'matlab73'),
) + tuple((b'P%d' % kind, 'ppm') for kind in range(1, 7))

# Brands of ISO base media files (HEIF, MP4, QuickTime); every other brand is an MP4.
_BRANDS = {
    'heic': (b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1', b'msf1'),
    'avif': (b'avif', b'avis'),
    'quicktime': (b'qt  ',),
}
_RIFF = {b'WEBP': 'webp', b'AVI ': 'avi'}


def kind_of_bytes(head: bytes) -> Optional[str]:
    """Return the kind of a file by its first bytes, such as 'jpeg', 'mp4', 'hdf5', 'matlab', 'json'; None if unknown.

    'json' is text that begins with [ or {. head: HEAD_BYTES of the file, or all of a shorter one.
    """
    if any(head[offset:].startswith(_HDF5) for offset in _HDF5_OFFSETS):
        return 'matlab73' if head.startswith(b'MATLAB 7.3') else 'hdf5'
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head.startswith(b'RIFF'):
        return _RIFF.get(head[8:12])
    if head[4:8] == b'ftyp':
        return next((kind for kind, brands in _BRANDS.items() if head[8:12] in brands), 'mp4')
    text = head[3:] if head.startswith(b'\xef\xbb\xbf') else head
    return 'json' if text.lstrip()[:1] in (b'[', b'{') else None


def kind_of_file(path: Union[str, os.PathLike]) -> Optional[str]:
    """Return kind_of_bytes of a file. Raises OSError if it cannot be read."""
    with open(path, 'rb') as stream:
        return kind_of_bytes(stream.read(HEAD_BYTES))


def parse_json(text: Union[str, bytes]) -> Any:
    """Return the value of a JSON text, UTF-8 with or without a byte order mark if it is bytes.

    Raises ValueError for any other text, also for one that is nested more deeply than Python can parse.
    """
    try:
        return json.loads(text.decode('utf-8-sig') if isinstance(text, bytes) else text)
    except RecursionError:
        raise ValueError('nested too deeply')


def file_sha256(path: Union[str, os.PathLike]) -> str:
    """Return the SHA-256 of a file's content as 64 hex digits. Raises OSError if it cannot be read."""
    digest = hashlib.sha256()
    with open(path, 'rb') as stream:
        for block in iter(lambda: stream.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def open_whole(path: Union[str, os.PathLike], error_type: Type[UserError] = UserError) -> Iterator[BinaryIO]:
    """Open a binary stream whose content replaces the file `path` when the block ends.

    If the process is killed, either the old or the new file exists; if the block raises, the old file stays. Raises
    error_type if the folder, its permissions or the disk do not allow it.
    """
    path = os.fspath(path)
    partial = f'{path}.{os.getpid()}.partial'
    try:
        try:
            with open(partial, 'wb') as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, path)
        finally:
            if os.path.exists(partial):
                os.remove(partial)
    except OSError as error:
        raise error_type(
            f'{path}: cannot be written ({error.strerror or error}); check the folder, its permissions and the '
            f'disk space'
        )


def write_whole(path: Union[str, os.PathLike], content: bytes) -> None:
    """Write bytes to `path` atomically, as `open_whole` does. Raises UserError."""
    with open_whole(path) as stream:
        stream.write(content)


def make_folder(path: str) -> None:
    """Create a folder for results. Raises ConfigError if that is impossible."""
    try:
        os.makedirs(path, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(13, 'permission denied')
    except OSError as error:
        raise ConfigError(
            f'{path}: the folder for results cannot be written ({error.strerror}); choose another, for a run by '
            '--set Saver.saver_directory=FOLDER'
        )


def require_writable(path: str) -> None:
    """Raise UserError unless a file at `path` can be written: its folder exists and is writable, and it is no folder.

    For commands that run for a long time before they write.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise UserError(f'{path}: is a folder; name a file')
    if not os.path.isdir(folder):
        raise UserError(f'{path}: there is no folder {folder}; create it, or name another file')
    if not os.access(folder, os.W_OK):
        raise UserError(f'{path}: the folder {folder} is not writable; name another file')
