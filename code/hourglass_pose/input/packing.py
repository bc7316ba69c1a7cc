"""Packing: crops of persons with room for every augmentation, as JPEGs in a few large files with an index."""

import hashlib
import math
import os
import shutil
import zlib
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from hourglass_pose import geometry
from hourglass_pose.annotations.packed_crop import PackedCrop, Shard
from hourglass_pose.annotations.packs import MANIFEST, PackFile, PackManifest
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_table import NAME_ENDS, NAMES, RECORDS, fill_record, joined_names, record_type
from hourglass_pose.errors import ImageError, UserError
from hourglass_pose.files import file_sha256, open_whole
from hourglass_pose.images import read_image
from hourglass_pose.input.augmentations.base import View
from hourglass_pose.input.cropping import CropRule

_SHARD_BYTES = 128 * 2**20
_QUALITY = 90
_SPARE = 3  # pixels that sampling and averaging take beyond a crop's corners, counted in crop pixels


@dataclass(frozen=True)
class PackedViews:
    """The crops that a pack is made for. rule: of the crops. The others are the largest changes of view.

    rotation_deg: either way. scale_range: scales from 1 - this to 1 + this. shift_range: in sides of the crop.
    """

    rule: CropRule
    rotation_deg: float
    scale_range: float
    shift_range: float

    def as_dict(self) -> Dict[str, Any]:
        """Return the settings by their names, for JSON."""
        return dict(asdict(self.rule), **{name: getattr(self, name) for name in RANGES})

    @property
    def margin(self) -> float:
        """Half the side of the area that all views of a crop can show, in sides of the plain crop.

        A view of scale s has a side of 1 / s, its centre is shifted by up to shift_range sides of its own in x and in
        y, and rotated by a it reaches (|cos a| + |sin a|) / 2 sides to each side; a grows this up to 45 degrees.
        """
        angle = math.radians(min(self.rotation_deg, 45.0))
        return ((math.cos(angle) + math.sin(angle)) / 2 + self.shift_range) / (1.0 - self.scale_range)

    def area(self, person: Person) -> Tuple[np.ndarray, float]:
        """Return ((x0, y0, x1, y1) in photo pixels that views and evaluation can show, stored pixels a photo pixel).

        The plain crop and that of evaluation have a stored pixel for each of their own. Nothing is enlarged.
        """
        size = self.rule.crop_size
        middle, side = geometry.square_of_affine(self.rule.training_affine(person, View()), size)
        centre, plain = geometry.square_of_affine(self.rule.person_affine(person), size)
        reach, plain_reach = side * (self.margin + _SPARE / size), plain * (0.5 + _SPARE / size)
        lower = np.minimum(middle - reach, centre - plain_reach)
        upper = np.maximum(middle + reach, centre + plain_reach)
        return np.concatenate([lower, upper]), min(1.0, size / min(side, plain))


RANGES = ('rotation_deg', 'scale_range', 'shift_range')


def cut_crop(image: np.ndarray, area_img: np.ndarray, density: float) -> Tuple[np.ndarray, Tuple[float, ...]]:
    """Return (pixels (H, W, 3) uint8 of a part of an image, PackedCrop.img_from_crop).

    Args:
        area_img: (x0, y0, x1, y1); what lies outside the image is left out.
        density: pixels of the result a pixel of the image, at most 1.
    """
    height, width = image.shape[:2]
    limit = np.array([width, height])
    x0, y0 = np.clip(np.floor(area_img[:2]), 0, limit - 1).astype(int).tolist()
    x1, y1 = np.maximum(np.clip(np.ceil(area_img[2:]) + 1, 1, limit).astype(int), [x0 + 1, y0 + 1]).tolist()
    part = image[y0:y1, x0:x1]
    columns, rows = math.ceil((x1 - x0) * density), math.ceil((y1 - y0) * density)
    if (columns, rows) != (x1 - x0, y1 - y0):
        part = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    factor_x, factor_y = (x1 - x0) / columns, (y1 - y0) / rows
    return part, (factor_x, factor_y, x0 + (factor_x - 1) / 2, y0 + (factor_y - 1) / 2)


def pack_persons(
    folder: str,
    persons: Sequence[Person],
    joint_names: Sequence[str],
    views: PackedViews,
    report: Callable[[str], Any],
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> int:
    """Write a pack of persons and return how many it has. The folder appears when it is complete.

    Args:
        folder: new, or an empty one.
        persons: with the joints of joint_names; those with an unreadable photo are left out and reported.
        progress: shows how far an iterable has been consumed.

    Raises UserError if the folder has files, cannot be written, or no photo can be read.
    """
    if os.path.lexists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
        raise UserError(f'{folder}: exists already; name a new folder for the pack')
    partial = f'{os.path.abspath(folder)}.{os.getpid()}.partial'
    try:
        os.makedirs(partial)
        try:
            count = _write(partial, persons, joint_names, views, report, progress)
            if os.path.isdir(folder):
                os.rmdir(folder)
            os.rename(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise UserError(f'{folder}: cannot be written ({error.strerror or error}); check permissions and disk space')
    return count


def _write(
    folder: str,
    persons: Sequence[Person],
    joint_names: Sequence[str],
    views: PackedViews,
    report: Callable[[str], Any],
    progress: Callable[[Iterable[Any]], Iterable[Any]],
) -> int:
    records = np.zeros(len(persons), record_type(len(joint_names)))
    images: Dict[str, int] = {}
    names: List[str] = []
    with _ShardWriter(folder) as shards:
        for person, image in progress(_with_photos(persons, report)):
            area, density = views.area(person)
            pixels, img_from_crop = cut_crop(image, area, density)
            data = _jpeg(pixels)
            number, start = shards.add(data)
            size_wh = image.shape[1], image.shape[0]
            crop = PackedCrop(shards.current, start, len(data), zlib.crc32(data), img_from_crop, size_wh)
            fill_record(records[len(names)], person, images.setdefault(person.image, len(images)), crop, number)
            names.append(person.person_id)
    if not names:
        raise UserError(f'{persons[0].image_path}: no photo can be read; check the folder of images')
    text, ends = joined_names([*images, *names])
    for name, array in ((RECORDS, records[: len(names)]), (NAMES, text), (NAME_ENDS, ends)):
        with open_whole(os.path.join(folder, name)) as stream:
            np.save(stream, array)
    index = [_described(folder, name) for name in (RECORDS, NAMES, NAME_ENDS)]
    manifest = PackManifest(tuple(joint_names), len(names), views.as_dict(), tuple(shards.files), tuple(index))
    with open_whole(os.path.join(folder, MANIFEST)) as stream:
        stream.write(manifest.text().encode())
    return len(names)


def _with_photos(persons: Iterable[Person], report: Callable[[str], Any]) -> Iterator[Tuple[Person, np.ndarray]]:
    """Yield (person, photo); persons of one photo in a row share it."""
    path, image = None, None
    for person in persons:
        if person.image_path != path:
            path = person.image_path
            try:
                image = read_image(path)
            except ImageError as error:
                image = None
                report(f'left out: {error}')
        if image is not None:
            yield person, image


def _jpeg(pixels: np.ndarray) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    encoded: bytes = cv2.imencode('.jpg', cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)[1].tobytes()
    return encoded


def _described(folder: str, name: str) -> PackFile:
    path = os.path.join(folder, name)
    return PackFile(name, os.path.getsize(path), file_sha256(path))


class _ShardWriter:
    """Appends JPEGs to files of about _SHARD_BYTES. files: those that are complete. current: the one that grows."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.files: List[PackFile] = []
        self._stream: Optional[BinaryIO] = None
        self._size = 0
        self._digest = hashlib.sha256()
        self.current = Shard('')

    def __enter__(self) -> '_ShardWriter':
        return self

    def __exit__(self, *exception: Any) -> None:
        self._close()

    def add(self, data: bytes) -> Tuple[int, int]:
        """Append bytes and return (number of the file, position in it)."""
        if self._stream is None or self._size + len(data) > _SHARD_BYTES:
            self._close()
            self.current = Shard(os.path.join(self._folder, f'crops-{len(self.files):05d}.bin'))
            self._stream, self._size, self._digest = open(self.current.path, 'wb'), 0, hashlib.sha256()
        start, self._size = self._size, self._size + len(data)
        self._stream.write(data)
        self._digest.update(data)
        return len(self.files), start

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            name = os.path.basename(self.current.path)
            self.files.append(PackFile(name, self._size, self._digest.hexdigest()))
            self._stream = None
