"""Pictures from disk: upright 8-bit RGB pixels, sizes from headers, lists of files."""

import os
from typing import Optional

import cv2
import numpy as np
from PIL import BmpImagePlugin, Image, JpegImagePlugin, PngImagePlugin, PpmImagePlugin, TiffImagePlugin, WebPImagePlugin

from hourglass_pose.errors import ImageError

IMAGE_EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm')

MAX_MEGAPIXELS = 100

# First bytes -> the Pillow class that reads such a file. Image.open is not used: it warns of large pictures
# or refuses them by a limit that is global to the process, and does not say their width and height.
_OPENERS = (
    (b'\xff\xd8\xff', JpegImagePlugin.jpeg_factory),
    (b'\x89PNG\r\n\x1a\n', PngImagePlugin.PngImageFile),
    (b'BM', BmpImagePlugin.BmpImageFile),
    (b'RIFF', WebPImagePlugin.WebPImageFile),
    (b'II*\x00', TiffImagePlugin.TiffImageFile),
    (b'MM\x00*', TiffImagePlugin.TiffImageFile),
) + tuple((b'P%d' % kind, PpmImagePlugin.PpmImageFile) for kind in range(1, 7))

_JPEG_END = b'\xff\xd9'

_ISO_BRANDS = (
    ((b'heic', b'heix', b'hevc', b'heim', b'heis', b'mif1', b'msf1'), 'a HEIC picture'),
    ((b'avif', b'avis'), 'an AVIF picture'),
    ((b'qt  ',), 'a QuickTime video'),
)
# First bytes -> what such a file is called, of kinds that are not read.
_OTHER_CONTENT = (
    (b'GIF8', 'a GIF picture'),
    (b'\x1aE\xdf\xa3', 'a Matroska or WebM video'),
    (b'\x00\x00\x01\xba', 'an MPEG video'),
    (b'\x00\x00\x01\xb3', 'an MPEG video'),
    (b'FLV\x01', 'a Flash video'),
    (b'0&\xb2u\x8ef\xcf\x11', 'a Windows Media video'),
    (b'\x00\x00\x00\x0cJXL ', 'a JPEG XL picture'),
    (b'\xff\n', 'a JPEG XL picture'),
    (b'8BPS', 'a Photoshop picture'),
    (b'%PDF', 'a PDF document'),
    (b'PK\x03\x04', 'a ZIP archive'),
)

# Tags of TIFF 6.0, which EXIF shares.
_TAG_WIDTH, _TAG_HEIGHT, _TAG_ORIENTATION = 256, 257, 274


def read_image(path):
    """Return a picture as uint8 RGB (H, W, 3), turned upright by its EXIF orientation as viewers show it.

    JPEG, PNG, BMP, WebP, TIFF (first page) and PPM are told apart by content, not by name. Grey, palette
    and CMYK pictures become RGB; transparency is composited over white; of 16 bits a channel the upper 8 are
    kept.

    Raises ImageError where the file is missing, unreadable, no picture, truncated, has more than
    MAX_MEGAPIXELS (checked before decoding), or has 32 bits a channel, whose range no rule gives.
    """
    with _opened(path) as stream:
        picture, width, height = _open_picture(path, stream)
        if width * height > MAX_MEGAPIXELS * 1000000:
            raise ImageError(
                '%s: %d x %d pixels; at most %d megapixels are read; scale it down'
                % (path, width, height, MAX_MEGAPIXELS)
            )
        if _is_whole_jpeg(picture, stream):
            image = _decode_whole_jpeg(stream)
            if image is not None:
                return _upright(image, _orientation(picture))
        return _decode(path, picture)


def describe_content(path: str) -> Optional[str]:
    """Return what a file is called by its first bytes, such as 'an AVI video', None for what is read or not known.

    None also for a file that cannot be opened.
    """
    try:
        with open(path, 'rb') as stream:
            head = stream.read(16)
    except OSError:
        return None
    if head.startswith(b'RIFF') and head[8:12] != b'WEBP':
        return 'an AVI video' if head[8:12] == b'AVI ' else 'a RIFF file that is not WebP'
    if head[4:8] == b'ftyp':
        return next((name for brands, name in _ISO_BRANDS if head[8:12] in brands), 'an MP4 video')
    return next((name for start, name in _OTHER_CONTENT if head.startswith(start)), None)


def image_size(path):
    """Return (width, height) in pixels of what read_image returns, reading only the header.

    Raises ImageError where the file is missing, unreadable or no picture; not where it is too large or cut
    short.
    """
    with _opened(path) as stream:
        return _open_picture(path, stream)[1:]


def list_images(paths):
    """Return the picture files among `paths` (files and folders) as a list without repetitions, in order.

    A file is taken whatever its name. A folder gives the files in it, not in folders below, that have one of
    IMAGE_EXTENSIONS in any case, sorted by name and without hidden ones.

    Raises ImageError for a path that does not exist, a folder without pictures, and no paths at all.
    """
    paths = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not paths:
        raise ImageError('no pictures given; name picture files, or folders that hold some')
    found = []
    for path in map(os.fspath, paths):
        if os.path.isdir(path):
            found.extend(_list_folder(path))
        elif os.path.exists(path):
            found.append(path)
        else:
            raise ImageError(f'{path}: no such file or folder, looked for {os.path.abspath(path)}; check the path')
    first = {}
    for path in found:
        first.setdefault(os.path.abspath(path), path)
    return list(first.values())


def _list_folder(folder):
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise ImageError(f'{folder}: cannot be listed ({error.strerror}); check its permissions')
    names = [
        name for name in names if os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS and not name.startswith('.')
    ]
    if not names:
        raise ImageError(
            '{}: no pictures in this folder; the extensions {} are looked for'.format(
                folder, ' '.join(IMAGE_EXTENSIONS)
            )
        )
    return [os.path.join(folder, name) for name in names]


def _opened(path):
    try:
        return open(path, 'rb')
    except FileNotFoundError:
        raise ImageError(f'{path}: no such file, looked for {os.path.abspath(path)}; check the path')
    except IsADirectoryError:
        raise ImageError(f'{path}: a folder, not a picture; name a file in it')
    except OSError as error:
        raise ImageError(f'{path}: cannot be opened ({error.strerror}); check path and permissions')


def _open_picture(path, stream):
    """Return (Pillow picture whose pixels are not decoded yet, upright width, upright height)."""
    try:
        head = stream.read(16)
        stream.seek(0)
    except OSError as error:
        raise _damaged(path, error)
    if not head:
        raise ImageError(f'{path}: the file is empty; copy or fetch it again')
    other = describe_content(path)
    if other:
        raise ImageError(f'{path}: {other}, which is not read; convert it to JPEG or PNG pictures')
    openers = [opener for start, opener in _OPENERS if head.startswith(start)]
    if not openers:
        raise ImageError(f'{path}: not a JPEG, PNG, BMP, WebP, TIFF or PPM picture; convert it to one')
    # Pillow meets damage with almost any exception; to the user they all mean the same. So below.
    try:
        picture = openers[0](stream, '')
        size = _upright_size(picture)
    except Exception as error:
        raise _damaged(path, error)
    if min(size) < 1:
        raise ImageError('%s: %d x %d pixels; copy or fetch it again' % ((path,) + size))
    return (picture,) + size


def _is_whole_jpeg(picture, stream):
    """Tell whether a picture is a grey or RGB JPEG whose file ends with the mark of its end."""
    if not isinstance(picture, JpegImagePlugin.JpegImageFile) or picture.mode not in ('L', 'RGB'):
        return False
    stream.seek(-len(_JPEG_END), os.SEEK_END)
    return stream.read() == _JPEG_END


def _decode_whole_jpeg(stream):
    """Return uint8 RGB (H, W, 3) as it is stored, or None.

    cv2 decodes to the same pixels as Pillow in half the time or less. What does not end as it should is left
    to Pillow, because some releases of cv2 return the grey rest of a truncated JPEG as if it were a picture.
    """
    stream.seek(0)
    data = np.frombuffer(stream.read(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _decode(path, picture):
    """Return uint8 RGB (H, W, 3), upright, of any picture. Raises ImageError."""
    try:
        picture.load()
        image = _rgb(picture)
    except Exception as error:
        raise _damaged(path, error)
    if image is None:
        raise ImageError(f'{path}: 32 bits a channel; 8 and 16 are read; save it with 8')
    # Pillow itself turns a TIFF upright when it loads the pixels.
    return image if _is_tiff(picture) else _upright(image, _orientation(picture))


def _rgb(picture):
    """Return uint8 RGB (H, W, 3) of a loaded Pillow picture, None for 32 bits a channel."""
    if picture.mode == 'F' or (picture.mode == 'I' and _is_tiff(picture)):
        return None
    # Converted by Pillow, 16-bit grey is clipped at 255. Mode I of a PNG or a PPM holds 16 bits.
    if picture.mode.startswith('I'):
        return np.repeat((np.array(picture) >> 8).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)
    if picture.mode in ('LA', 'La', 'PA', 'RGBA', 'RGBa') or 'transparency' in picture.info:
        white = Image.new('RGBA', picture.size, 'white')
        picture = Image.alpha_composite(white, picture.convert('RGBA'))
    return np.array(picture.convert('RGB'))


def _is_tiff(picture):
    return isinstance(picture, TiffImagePlugin.TiffImageFile)


def _orientation(picture):
    """Return the EXIF orientation, 1 (upright) to 8, as the header gives it."""
    if _is_tiff(picture):
        orientation = picture.tag_v2.get(_TAG_ORIENTATION, 1)
    else:
        # Not picture.getexif(): it decodes a PNG, and looks into XMP in some versions of Pillow. Viewers show
        # a picture with damaged EXIF data unturned, so that is no error.
        exif = Image.Exif()
        try:
            exif.load(picture.info.get('exif') or b'')
            orientation = exif.get(_TAG_ORIENTATION, 1)
        except Exception:
            return 1
    return orientation if orientation in range(1, 9) else 1


def _upright_size(picture):
    size = picture.size
    if _is_tiff(picture):
        # Whether picture.size is that before or after turning depends on the version of Pillow.
        size = int(picture.tag_v2[_TAG_WIDTH]), int(picture.tag_v2[_TAG_HEIGHT])
    return size[::-1] if _orientation(picture) >= 5 else size


def _upright(image, orientation):
    """Return (H, W, 3) pixels turned by an EXIF orientation: 2 to 4 mirror, 5 to 8 also swap the axes."""
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def _damaged(path, error):
    reason = ' '.join(str(error).split()) or type(error).__name__
    return ImageError(f'{path}: damaged or truncated ({reason}); copy or fetch it again')
