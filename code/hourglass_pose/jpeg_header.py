"""The header of a JPEG: its size and EXIF data, found without decoding if it is an ordinary one."""

from dataclasses import dataclass
from typing import Optional

_START, _END = b'\xff\xd8', b'\xff\xd9'
_EXIF = b'Exif\0\0'
_APP1, _SCAN = 0xE1, 0xDA
# Frames with Huffman coding, 8 bits: baseline, extended sequential, progressive.
_FRAMES = (0xC0, 0xC1, 0xC2)
# All other frames; 0xC4, 0xC8 and 0xCC are no frames.
_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)


@dataclass(frozen=True)
class JpegHeader:
    """width, height: in pixels, before any turning. exif: its EXIF segment, b'' without one."""

    width: int
    height: int
    exif: bytes


def read_jpeg_header(data: bytes) -> Optional[JpegHeader]:
    """Return the JpegHeader of a whole file, or None if it is not an ordinary grey or colour JPEG.

    An ordinary one is read in the same way by every decoder: one frame of 8 bits with one or three components, at most
    one EXIF segment, and the end-of-image marker at the end. Anything else is left to a decoder.
    """
    if not data.startswith(_START) or not data.endswith(_END):
        return None
    size, exif, at = None, b'', len(_START)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], 'big')
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == _SCAN:
            return JpegHeader(size[0], size[1], exif) if size else None
        if marker < 0xC0 or 0xD0 <= marker <= 0xD9 or length < 2:
            return None
        body = at + 4
        if marker in _FRAMES:
            if size or length < 8 or data[body] != 8 or data[body + 5] not in (1, 3):
                return None
            size = int.from_bytes(data[body + 3 : body + 5], 'big'), int.from_bytes(data[body + 1 : body + 3], 'big')
            if min(size) < 1:
                return None
        elif marker in _OTHER_FRAMES:
            return None
        elif marker == _APP1 and data.startswith(_EXIF, body):
            if exif:
                return None
            exif = data[body : at + 2 + length]
        at += 2 + length
    return None
