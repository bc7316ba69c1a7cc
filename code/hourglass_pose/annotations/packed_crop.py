"""PackedCrop: the pixels of one person in a pack, a JPEG among many in a file."""

import os
import threading
import zlib
from typing import NamedTuple, Optional, Tuple

import numpy as np

from hourglass_pose.errors import ImageError


class Shard:
    """A file of JPEGs without gaps, opened when it is first read. path: of the file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor: Optional[int] = None
        self._lock = threading.Lock()

    def read(self, start: int, length: int) -> bytes:
        """Return some bytes; fewer if the file ends before. Threads may read at once. Raises OSError."""
        with self._lock:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_RDONLY | getattr(os, 'O_CLOEXEC', 0))
        return os.pread(self._descriptor, length, start)

    def __del__(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


class PackedCrop(NamedTuple):
    """Where a person's crop is, and which part of the photo it shows.

    start, length: of its bytes in the shard. checksum: their CRC-32. img_from_crop: (factor x, factor y, offset x,
    offset y): x_img = factor * x + offset, pixel centres at integers. size_wh: width and height of the photo.
    """

    shard: Shard
    start: int
    length: int
    checksum: int
    img_from_crop: Tuple[float, ...]
    size_wh: Tuple[int, ...]

    def decode(self, most: int) -> Tuple[np.ndarray, int]:
        """Return images.decode_known_jpeg of the crop. Raises ImageError if the shard is damaged."""
        # Imported here: OpenCV takes a second to load and changes LD_LIBRARY_PATH of the process, and persons are also
        # read by programs that decode nothing, such as the launcher.
        from hourglass_pose.images import decode_known_jpeg

        try:
            data = self.shard.read(self.start, self.length)
        except OSError as error:
            raise ImageError(f'{self.shard.path}: cannot be read ({error.strerror or error}); copy the pack again')
        found = decode_known_jpeg(data, most) if zlib.crc32(data) == self.checksum else None
        if found is None:
            raise ImageError(
                f'{self.shard.path}: damaged at byte {self.start} ({len(data)} of {self.length} bytes with another '
                f'checksum); copy the pack again, or make it again by "prepare --pack"'
            )
        return found

    def affine_img_from_crop(self) -> np.ndarray:
        """Return the affine map (2, 3) from pixels of the crop to pixels of the photo."""
        factor_x, factor_y, x, y = self.img_from_crop
        return np.array([[factor_x, 0.0, x], [0.0, factor_y, y]])
