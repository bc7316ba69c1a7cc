"""The pixels that crops are cut from: photos or crops of a pack, in full or shrunk, and their cache."""

import threading
from typing import Dict, NamedTuple, Optional, Set, Tuple

import numpy as np

from hourglass_pose.annotations.packed_crop import PackedCrop
from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import ImageError
from hourglass_pose.geometry import compose, zoom_affine
from hourglass_pose.images import SHRINKS, image_size, read_shrunk_image
from hourglass_pose.input.cropping import unshrink_affine, warp_crop, whole_shrink

_ENLARGEMENT = 9 / 8  # of pixels that are decoded at reduced scale; decoding takes a third of the time then


class ImageCache:
    """Reads images, caches the decoded pixels of as many as fit, and remembers unreadable ones.

    Nothing is evicted: training reads all images in a new order each epoch, and for this access pattern a cache without
    eviction has more hits than one that replaces its entries. Threads may share a cache. An image in full and its
    shrunk ones are separate entries: their pixels differ, and what a sample shows must not depend on what is cached.

    capacity_mb: size limit in MB. unreadable: path -> error message.
    """

    def __init__(self, capacity_mb: int = 0) -> None:
        self._free_bytes = capacity_mb * 2**20
        self._images: Dict[Tuple[str, int], np.ndarray] = {}
        self._only_in_full: Set[str] = set()
        self._sizes: Dict[str, Tuple[int, int]] = {}
        self._lock = threading.Lock()
        self.unreadable: Dict[str, str] = {}

    def read(self, path: str) -> np.ndarray:
        """Return the image (H, W, 3) uint8 BGR, which the caller must not change. Raises ImageError."""
        return self.read_shrunk(path, 1)[0]

    def read_shrunk(self, path: str, most: int, packed: Optional[PackedCrop] = None) -> Tuple[np.ndarray, int]:
        """Return images.read_shrunk_image, which the caller must not change. Raises ImageError.

        packed: a crop of a pack that is read instead of a file; the path is its name.
        """
        shrink = 1 if path in self._only_in_full else max(each for each in SHRINKS if each <= most)
        cached = self._images.get((path, shrink))
        if cached is not None:
            return cached, shrink
        if path in self.unreadable:
            raise ImageError(self.unreadable[path])
        try:
            image, found = packed.decode(shrink) if packed else read_shrunk_image(path, shrink)
        except ImageError as error:
            with self._lock:
                self.unreadable[path] = str(error)
            raise
        with self._lock:
            if found != shrink:
                self._only_in_full.add(path)
            if (path, found) not in self._images and image.nbytes <= self._free_bytes:
                self._free_bytes -= image.nbytes
                self._images[path, found] = image
        return image, found

    def size_wh(self, path: str) -> Tuple[int, int]:
        """Return (width, height) of an image in full. Raises ImageError."""
        if path not in self._sizes:
            self._sizes[path] = image_size(path)
        return self._sizes[path]


class Pixels(NamedTuple):
    """Pixels that a crop is cut from. image: (H, W, 3) uint8 BGR, never to be written to."""

    image: np.ndarray
    affine_crop_from_pixels: np.ndarray

    def crop(self, size: int, zoom: float = 1.0) -> np.ndarray:
        """Return the crop (size, size, 3) uint8 RGB, enlarged by `zoom` about its centre."""
        affine = self.affine_crop_from_pixels
        if zoom != 1:
            affine = compose(zoom_affine(zoom, size), affine)
        return warp_crop(self.image, affine, size, blue_first=True)


def read_pixels(cache: ImageCache, person: Person, affine_crop_from_img: np.ndarray, in_full: bool = True) -> Pixels:
    """Return the pixels of a person's photo for a crop. Raises ImageError.

    in_full: decode all pixels, also those that the crop would average. The choice depends on person and affine map
    alone, and the map of the returned pixels takes their scale and origin into account exactly.
    """
    affine, packed = affine_crop_from_img, person.packed
    if packed:
        affine = compose(affine, packed.affine_img_from_crop())
    most = 1 if in_full else whole_shrink(affine, _ENLARGEMENT)
    image, shrink = cache.read_shrunk(person.image_path, most, packed)
    return Pixels(image, affine if shrink == 1 else compose(affine, unshrink_affine(shrink)))


def photo_size(cache: ImageCache, person: Person) -> Tuple[int, int]:
    """Return (width, height) of a person's photo. Raises ImageError."""
    if person.packed:
        return person.packed.size_wh[0], person.packed.size_wh[1]
    return cache.size_wh(person.image_path)
