"""Images from disk: upright 8-bit RGB pixels, and sizes from headers."""

import os
import threading
from typing import Any, BinaryIO, Optional, Tuple, Union

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from hourglass_pose.errors import ImageError
from hourglass_pose.files import HEAD_BYTES, kind_of_bytes, kind_of_file
from hourglass_pose.jpeg_header import read_jpeg_header

IMAGE_EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm')

MAX_MEGAPIXELS = 100

# Kind by content (files.kind_of_bytes) -> format of Pillow.
_FORMATS = {'jpeg': 'JPEG', 'png': 'PNG', 'bmp': 'BMP', 'webp': 'WEBP', 'tiff': 'TIFF', 'ppm': 'PPM'}

# Kinds that users may take for images but that read_image does not read.
_DESCRIPTIONS = {
    'gif': 'a GIF',
    'heic': 'an HEIC image',
    'avif': 'an AVIF image',
    'avi': 'a video (AVI)',
    'mp4': 'a video (MP4)',
    'quicktime': 'a video (QuickTime)',
    'matroska': 'a video (Matroska or WebM)',
    'flv': 'a video (Flash)',
    'mpeg': 'a video (MPEG)',
    'wmv': 'a video (Windows Media)',
    'gzip': 'a gzip archive',
    'zip': 'a zip archive',
    'hdf5': 'an HDF5 file',
    'matlab': 'a MATLAB file',
    'matlab73': 'a MATLAB file',
    'npy': 'a NumPy array',
    'json': 'JSON',
}

# Divisors of width and height that JPEG decoders have built in -> flags of cv2.
_SHRINKING_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
SHRINKS = tuple(_SHRINKING_FLAGS)

# Tags of TIFF 6.0, which EXIF shares.
_TAG_WIDTH, _TAG_HEIGHT, _TAG_ORIENTATION = 256, 257, 274

_pillow_limit = threading.Lock()


def read_image(path: str) -> np.ndarray:
    """Return an image as uint8 RGB (H, W, 3), turned upright by its EXIF orientation as viewers show it.

    JPEG, PNG, BMP, WebP, TIFF (first page) and PPM are recognised by content, not by name. Grey, palette and CMYK
    images become RGB; transparency is composited over white; of 16 bits a channel the upper 8 are kept.

    Raises ImageError if the file is missing, unreadable, not an image, truncated, larger than MAX_MEGAPIXELS (checked
    before decoding), or has 32 bits a channel, whose value range is not defined.
    """
    return cv2.cvtColor(read_shrunk_image(path, 1)[0], cv2.COLOR_BGR2RGB)


def read_shrunk_image(path: str, most: int) -> Tuple[np.ndarray, int]:
    """Return (BGR image, shrink): the image of read_image with 1 / shrink of its width and height, rounded up.

    shrink is the largest of SHRINKS up to `most` for a JPEG that no EXIF orientation turns, otherwise 1, so it depends
    on the file and `most` alone. A pixel (x, y) of the full image is at ((x + 0.5) / shrink - 0.5, ...) of the shrunk
    one: the decoder makes a pixel of shrink x shrink ones, and skips most of its work. Blue comes first, as decoders
    give it: cropping.warp_crop exchanges the colours of the few pixels that it keeps. Raises ImageError as read_image.
    """
    with _opened(path) as stream:
        try:
            data = stream.read(HEAD_BYTES)
            data += stream.read() if kind_of_bytes(data) == 'jpeg' else b''
        except OSError as error:
            raise _damaged(path, error)
        found = decode_jpeg(data, most)
        if found:
            return found
        stream.seek(0)
        return cv2.cvtColor(_read_any(path, stream), cv2.COLOR_RGB2BGR), 1


def decode_jpeg(data: bytes, most: int = 1) -> Optional[Tuple[np.ndarray, int]]:
    """Return read_shrunk_image of an ordinary JPEG in memory; None for other data, also for what cv2 cannot decode."""
    # cv2 decodes to the same pixels as Pillow in half the time or less. Other data is left to Pillow, because some
    # releases of cv2 return the grey rest of a truncated JPEG as if it were an image.
    header = read_jpeg_header(data)
    if header is None or header.width * header.height > MAX_MEGAPIXELS * 1000000:
        return None
    orientation = _orientation_of_exif(header.exif)
    found = decode_known_jpeg(data, most if orientation == 1 else 1)
    return found and (_upright(found[0], orientation), found[1])


def decode_known_jpeg(data: bytes, most: int = 1) -> Optional[Tuple[np.ndarray, int]]:
    """Return decode_jpeg of data that is known to be a whole and ordinary JPEG without an EXIF orientation."""
    shrink = max(each for each in SHRINKS if each <= max(1, most))
    image = cv2.imdecode(np.frombuffer(data, np.uint8), _SHRINKING_FLAGS[shrink] | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else (image, shrink)


def _read_any(path: str, stream: BinaryIO) -> np.ndarray:
    """Return uint8 RGB (H, W, 3), upright, of any image, decoded by Pillow. Raises ImageError."""
    picture, width, height = _open_picture(path, stream)
    if width * height > MAX_MEGAPIXELS * 1000000:
        raise ImageError(
            f'{path}: {width} x {height} pixels; at most {MAX_MEGAPIXELS} megapixels are read; scale it down'
        )
    return _decode(path, picture)


def image_size(path: str) -> Tuple[int, int]:
    """Return (width, height) in pixels of the image that read_image returns; only the header is read.

    Raises ImageError if the file is missing, unreadable or not an image, but not if it is too large or truncated.
    """
    with _opened(path) as stream:
        return _open_picture(path, stream)[1:]


def describe_content(path: str) -> Optional[str]:
    """Return what a file that read_image cannot read contains, such as 'a video (AVI)', 'an HEIC image' or 'a GIF'.

    The first bytes of the file decide, not its name. None for an image that can be read, for unknown content, and for
    a file that cannot be opened.
    """
    try:
        kind = kind_of_file(path)
    except OSError:
        return None
    return _DESCRIPTIONS.get(kind) if kind else None


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, 'rb')
    except FileNotFoundError:
        raise ImageError(f'{path}: no such file (absolute path: {os.path.abspath(path)}); check the path')
    except IsADirectoryError:
        raise ImageError(f'{path}: a folder, not an image; name a file in it')
    except OSError as error:
        raise ImageError(f'{path}: cannot be opened ({error.strerror}); check path and permissions')


def _open_picture(path: str, stream: BinaryIO) -> Tuple[Image.Image, int, int]:
    """Return (Pillow image whose pixels are not decoded yet, upright width, upright height)."""
    try:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
    except OSError as error:
        raise _damaged(path, error)
    if not head:
        raise ImageError(f'{path}: the file is empty; copy or download it again')
    kind = kind_of_bytes(head)
    if kind not in _FORMATS:
        readable = 'JPEG, PNG, BMP, WebP, TIFF or PPM image; convert it to one'
        if kind in _DESCRIPTIONS:
            raise ImageError(f'{path}: {_DESCRIPTIONS[kind]}, not a {readable}')
        raise ImageError(f'{path}: not a {readable}')
    # Pillow raises almost any exception for damaged data; for the user they all mean the same. Likewise below.
    try:
        picture = _open_unlimited(stream, _FORMATS[kind])
        width, height = _upright_size(picture)
    except UnidentifiedImageError:
        raise _damaged(path, f'its header is not that of a {_FORMATS[kind]} file')
    except Exception as error:
        raise _damaged(path, error)
    if min(width, height) < 1:
        raise ImageError(f'{path}: {width} x {height} pixels; expected at least 1 x 1; copy or download it again')
    return picture, width, height


def _open_unlimited(stream: BinaryIO, form: str) -> Image.Image:
    """Return Image.open of a stream without Pillow's own limit of pixels.

    Pillow warns about large images or refuses them without giving their width and height. Its limit is global to the
    process, so it is lifted only while a header is read; MAX_MEGAPIXELS replaces it.
    """
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(stream, formats=[form])
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _decode(path: str, picture: Image.Image) -> np.ndarray:
    """Return uint8 RGB (H, W, 3), upright, of any image. Raises ImageError."""
    try:
        picture.load()
        image = _rgb(picture)
    except Exception as error:
        raise _damaged(path, error)
    if image is None:
        raise ImageError(f'{path}: 32 bits a channel; expected 8 or 16; save it with 8')
    # Pillow itself turns a TIFF upright when it loads the pixels.
    return image if picture.format == 'TIFF' else _upright(image, _orientation(picture))


def _rgb(picture: Image.Image) -> Optional[np.ndarray]:
    """Return uint8 RGB (H, W, 3) of a loaded Pillow image, None for 32 bits a channel."""
    if picture.mode == 'F' or (picture.mode == 'I' and picture.format == 'TIFF'):
        return None
    # Converted by Pillow, 16-bit grey is clipped at 255. Mode I of a PNG or a PPM holds 16 bits.
    if picture.mode.startswith('I'):
        return np.repeat((np.array(picture) >> 8).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)
    if picture.mode in ('LA', 'La', 'PA', 'RGBA', 'RGBa') or 'transparency' in picture.info:
        white = Image.new('RGBA', picture.size, 'white')
        picture = Image.alpha_composite(white, picture.convert('RGBA'))
    return np.array(picture.convert('RGB'))


def _orientation(picture: Any) -> int:
    """Return the EXIF orientation, 1 (upright) to 8, as the header gives it."""
    if picture.format == 'TIFF':
        orientation = picture.tag_v2.get(_TAG_ORIENTATION, 1)
        return orientation if orientation in range(1, 9) else 1
    return _orientation_of_exif(picture.info.get('exif') or b'')


def _orientation_of_exif(data: bytes) -> int:
    """Return the orientation, 1 to 8, of EXIF data, 1 without any."""
    if not data:
        return 1
    # Not picture.getexif(): it decodes a PNG, and looks into XMP in some versions of Pillow. Viewers show an image with
    # damaged EXIF data unturned, so that is no error.
    exif = Image.Exif()
    try:
        exif.load(data)
        orientation = exif.get(_TAG_ORIENTATION, 1)
    except Exception:
        return 1
    return orientation if orientation in range(1, 9) else 1


def _upright_size(picture: Any) -> Tuple[int, int]:
    width, height = picture.size
    if picture.format == 'TIFF':
        # Whether picture.size is that before or after turning depends on the version of Pillow.
        width, height = int(picture.tag_v2[_TAG_WIDTH]), int(picture.tag_v2[_TAG_HEIGHT])
    return (height, width) if _orientation(picture) >= 5 else (width, height)


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Return uint8 RGB (H, W, 3) pixels turned by an EXIF orientation."""
    if orientation == 1:
        return np.ascontiguousarray(image)
    picture = Image.fromarray(image)
    picture.getexif()[_TAG_ORIENTATION] = orientation
    return np.array(ImageOps.exif_transpose(picture))


def _damaged(path: str, reason: Union[str, Exception]) -> ImageError:
    text = ' '.join(str(reason).split()) or type(reason).__name__
    return ImageError(f'{path}: damaged or truncated ({text}); copy or download it again')
