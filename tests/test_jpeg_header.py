"""The header of a JPEG: Pillow finds the same size, and what is not ordinary is left to it."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hourglass_pose.jpeg_header import JpegHeader, read_jpeg_header

PHOTO = Image.fromarray(np.random.RandomState(0).randint(0, 256, (17, 23, 3)).astype(np.uint8))


def encoded(photo=PHOTO, **settings):
    stream = io.BytesIO()
    photo.save(stream, 'JPEG', **settings)
    return stream.getvalue()


@pytest.mark.parametrize(
    'options', [{}, {'progressive': True}, {'subsampling': 0}, {'comment': b'\xff\xc0 no frame'}, {'dpi': (300, 300)}]
)
def test_the_size_of_an_ordinary_jpeg_is_found(options):
    assert read_jpeg_header(encoded(**options)) == JpegHeader(23, 17, b'')
    assert read_jpeg_header(encoded(PHOTO.convert('L'), **options)) == JpegHeader(23, 17, b'')


def test_exif_data_is_returned_as_pillow_finds_it():
    exif = Image.Exif()
    exif[274] = 6
    data = encoded(exif=exif)
    assert read_jpeg_header(data).exif == Image.open(io.BytesIO(data)).info['exif']


def test_unusual_files_are_left_to_a_decoder():
    data = encoded()
    frame = data.index(b'\xff\xc0')
    exif = b'\xff\xe1\x00\x0aExif\0\0MM'
    for other in (
        b'',
        b'\x89PNG',
        data[:-1],
        data + b'rest',
        encoded(PHOTO.convert('CMYK')),
        data[:frame] + b'\xff\xc9' + data[frame + 2 :],
        data[: frame + 4] + b'\x0c' + data[frame + 5 :],
        data[: frame + 5] + b'\0\0' + data[frame + 7 :],
        data[:2] + exif + exif + data[2:],
    ):
        assert read_jpeg_header(other) is None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(2, 600), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_headers_raise_nothing(changes):
    data = bytearray(encoded())
    for at, value in changes:
        data[at] = value
    found = read_jpeg_header(bytes(data))
    assert found is None or min(found.width, found.height) >= 1
