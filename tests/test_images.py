"""Images: every supported kind is read upright as 8-bit RGB; damaged files are named."""

import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hourglass_pose import images
from hourglass_pose.errors import ImageError
from hourglass_pose.images import IMAGE_EXTENSIONS, describe_content, image_size, read_image, read_shrunk_image

RGB = np.random.RandomState(0).randint(0, 256, (5, 7, 3)).astype(np.uint8)
# Smooth, so that JPEG keeps it.
RAMP = np.dstack(
    [np.tile(np.linspace(20, 220, 48), (32, 1)), np.tile(np.linspace(200, 60, 32), (48, 1)).T, np.full((32, 48), 120)]
).astype(np.uint8)


def saved(folder, image, name, **settings):
    path = str(folder.join(name))
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **settings)
    return path


def written(folder, data, name='image.jpg'):
    path = str(folder.join(name))
    with open(path, 'wb') as stream:
        stream.write(data)
    return path


def encoded(image, form='JPEG', **settings):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, form, **settings)
    return stream.getvalue()


def exif_of(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    return exif


def png_header(width, height):
    """Return a PNG that claims a size and has next to no pixels."""

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    rgb_of_8_bits = (8, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, *rgb_of_8_bits))
        + chunk(b'IDAT', zlib.compress(b'\0' * 9))
        + chunk(b'IEND', b'')
    )


def assert_read(path, expected, tolerance=0):
    found = read_image(path)
    assert found.dtype == np.uint8 and found.flags['C_CONTIGUOUS'] and found.flags['WRITEABLE']
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= tolerance
    assert image_size(path) == (expected.shape[1], expected.shape[0])


@pytest.mark.parametrize('name', ['a.png', 'a.bmp', 'a.tif', 'a.ppm', 'a.PNG'])
def test_lossless_images_are_read_exactly(tmpdir, name):
    assert_read(saved(tmpdir, RGB, name), RGB)


@pytest.mark.parametrize(
    'name, settings',
    [('a.jpg', {'quality': 95}), ('a.jpg', {'quality': 95, 'progressive': True}), ('a.webp', {'quality': 95})],
)
def test_lossy_images_are_read_in_the_right_colours(tmpdir, name, settings):
    assert_read(saved(tmpdir, RAMP, name, **settings), RAMP, tolerance=12)


def test_both_jpeg_decoders_give_the_same_pixels(tmpdir):
    data = encoded(np.random.RandomState(1).randint(0, 256, (61, 83, 3)).astype(np.uint8))
    by_cv2 = read_image(written(tmpdir, data))
    by_pillow = read_image(written(tmpdir, data + b'trailing bytes of a camera'))
    np.testing.assert_array_equal(by_cv2, by_pillow)


@pytest.mark.parametrize('name', ['a.png', 'a.jpg', 'a.tif', 'a.bmp'])
def test_grey_becomes_rgb(tmpdir, name):
    grey = np.full((4, 6), 77, np.uint8)
    assert_read(saved(tmpdir, grey, name), np.dstack([grey] * 3), tolerance=1)


def test_one_bit_becomes_black_and_white(tmpdir):
    bits = np.array([[0, 255, 0], [255, 255, 0]], np.uint8)
    assert_read(saved(tmpdir, Image.fromarray(bits).convert('1'), 'a.png'), np.dstack([bits] * 3))


@pytest.mark.parametrize(
    'extension, shape', [('.png', (4, 6)), ('.tif', (4, 6)), ('.pgm', (4, 6)), ('.png', (4, 6, 3)), ('.tif', (4, 6, 3))]
)
def test_sixteen_bits_are_scaled_to_eight(tmpdir, extension, shape):
    deep = np.linspace(0, 65535, int(np.prod(shape))).astype(np.uint16).reshape(shape)
    path = written(tmpdir, cv2.imencode(extension, deep)[1].tobytes(), f'a{extension}')
    expected = np.dstack([deep] * 3) if deep.ndim == 2 else deep[..., ::-1]
    assert_read(path, expected // 256)


def test_transparency_is_composited_over_white(tmpdir):
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 200, 51]]], np.uint8)
    expected = np.array([[[10, 20, 30], [255, 255, 255], [204, 224, 244]]], np.uint8)
    assert_read(saved(tmpdir, rgba, 'a.png'), expected, tolerance=1)
    grey = Image.fromarray(np.array([[[100, 255], [100, 0]]], np.uint8), 'LA')
    assert_read(saved(tmpdir, grey, 'grey.png'), np.array([[[100] * 3, [255] * 3]], np.uint8))


def test_palettes_are_resolved_with_their_transparency(tmpdir):
    palette = Image.fromarray(np.array([[0, 1], [2, 0]], np.uint8), 'P')
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    expected = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 0, 0]]], np.uint8)
    assert_read(saved(tmpdir, palette, 'a.png'), expected)
    expected[0, 1] = 255
    assert_read(saved(tmpdir, palette, 'b.png', transparency=1), expected)


def test_cmyk_jpeg_becomes_rgb(tmpdir):
    assert_read(saved(tmpdir, Image.fromarray(RAMP).convert('CMYK'), 'a.jpg', quality=95), RAMP, tolerance=12)


def test_one_pixel_is_an_image(tmpdir):
    pixel = np.array([[[1, 2, 3]]], np.uint8)
    assert_read(saved(tmpdir, pixel, 'a.png'), pixel)
    assert read_image(saved(tmpdir, pixel, 'a.jpg')).shape == (1, 1, 3)


# By the table of the EXIF standard: 0th row and column of the stored pixels -> sides of the upright image.
UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize('orientation', sorted(UPRIGHT))
@pytest.mark.parametrize(
    'name, settings',
    [
        ('a.jpg', {'quality': 95}),
        ('a.png', {}),
        ('a.webp', {'lossless': True}),
        ('a.tif', {}),
        ('lzw.tif', {'compression': 'tiff_lzw'}),
    ],
)
def test_exif_orientation_is_applied(tmpdir, orientation, name, settings):
    path = saved(tmpdir, RAMP, name, exif=exif_of(orientation), **settings)
    assert_read(path, UPRIGHT[orientation](RAMP), tolerance=12 if name == 'a.jpg' else 0)


@pytest.mark.parametrize('exif', [exif_of(0).tobytes(), exif_of(9).tobytes(), b'Exif\0\0damaged'])
@pytest.mark.filterwarnings('ignore:.*EXIF')
def test_an_invalid_orientation_is_ignored(tmpdir, exif):
    assert_read(saved(tmpdir, RAMP, 'a.jpg', quality=95, exif=exif), RAMP, tolerance=12)


def test_content_decides_not_the_name(tmpdir):
    assert_read(written(tmpdir, encoded(RGB, 'PNG'), 'a.jpg'), RGB)


@pytest.mark.parametrize('form', ['JPEG', 'PNG', 'BMP', 'WEBP', 'TIFF', 'PPM'])
@pytest.mark.parametrize('share', [0.2, 0.5, 0.9])
def test_a_truncated_image_is_refused_and_named(tmpdir, form, share):
    data = encoded(np.random.RandomState(2).randint(0, 256, (64, 64, 3)).astype(np.uint8), form)
    path = written(tmpdir, data[: int(len(data) * share)])
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert str(caught.value).startswith(f'{path}: damaged or truncated (')
    assert '\n' not in str(caught.value)


def test_a_jpeg_without_its_last_bytes_is_refused(tmpdir):
    data = encoded(RAMP)
    for length in range(len(data) - 60, len(data) - 10):
        with pytest.raises(ImageError):
            read_image(written(tmpdir, data[:length]))


def test_a_truncated_jpeg_that_cv2_would_decode_in_part_is_refused(tmpdir, monkeypatch):
    path = written(tmpdir, encoded(RAMP)[:-100])
    monkeypatch.setattr(images.cv2, 'imdecode', lambda data, flags: np.full(RAMP.shape, 128, np.uint8))
    with pytest.raises(ImageError, match='damaged or truncated'):
        read_image(path)


@pytest.mark.parametrize(
    'data, reason',
    [
        (b'', 'the file is empty'),
        (b'not an image', 'not a JPEG, PNG'),
        (b'\xff\xd8\xff', 'damaged'),
        (b'\xff\xd8\xff\xe0\xff\xd9', 'damaged'),
        (b'RIFF1234AVI ', 'a video (AVI), not a JPEG'),
        (b'RIFF1234WEBP', 'damaged'),
        (b'P6\nx', 'damaged'),
        (b'P6\n0 0\n255\n', ''),
        (b'II*\0\x08\0\0\0', 'damaged'),
    ],
)
@pytest.mark.filterwarnings('ignore:.*EXIF')
def test_a_file_that_is_not_an_image_is_named(tmpdir, data, reason):
    path = written(tmpdir, data)
    for read in (read_image, image_size):
        with pytest.raises(ImageError) as caught:
            read(path)
        assert str(caught.value).startswith(f'{path}: {reason}')


def test_a_missing_file_is_named_by_its_absolute_path(tmpdir, monkeypatch):
    monkeypatch.chdir(tmpdir)
    with pytest.raises(ImageError) as caught:
        read_image('none.jpg')
    assert str(caught.value).startswith(f'none.jpg: no such file (absolute path: {os.path.abspath("none.jpg")}')


def test_a_folder_is_not_an_image(tmpdir):
    with pytest.raises(ImageError, match='a folder, not an image'):
        read_image(str(tmpdir))


def test_a_path_through_a_file_is_an_image_error(tmpdir):
    with pytest.raises(ImageError, match='cannot be opened'):
        image_size(os.path.join(saved(tmpdir, RGB, 'a.png'), 'b.png'))


def test_a_file_without_permission_is_an_image_error(tmpdir, monkeypatch):
    def refuse(path, mode):
        raise PermissionError(13, 'Permission denied', path)

    monkeypatch.setattr(images, 'open', refuse, raising=False)
    with pytest.raises(ImageError, match=r'cannot be opened \(Permission denied\)'):
        read_image(str(tmpdir.join('a.png')))


@pytest.mark.parametrize('width, height', [(20000, 10000), (10001, 10000), (60000, 60000)])
def test_an_image_over_100_megapixels_is_refused_by_its_header(tmpdir, recwarn, width, height):
    path = written(tmpdir, png_header(width, height), 'a.png')
    assert image_size(path) == (width, height)
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert str(caught.value) == (f'{path}: {width} x {height} pixels; at most 100 megapixels are read; scale it down')
    assert not recwarn.list


def test_a_real_image_of_20000_x_10000_pixels_is_refused(tmpdir):
    path = saved(tmpdir, Image.new('1', (20000, 10000)), 'a.png')
    with pytest.raises(ImageError, match='20000 x 10000 pixels'):
        read_image(path)


def test_32_bits_a_channel_are_refused(tmpdir):
    for kind in (np.float32, np.int32):
        with pytest.raises(ImageError, match='32 bits a channel; expected 8 or 16'):
            read_image(saved(tmpdir, np.zeros((4, 6), kind), 'a.tif'))


SMALL = [encoded(RAMP[:16, :16], form) for form in ('JPEG', 'PNG', 'BMP', 'WEBP', 'TIFF', 'PPM')]


@settings(max_examples=300, deadline=None)
@given(
    data=st.sampled_from(SMALL),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.integers(0, 40),
)
@pytest.mark.filterwarnings('ignore')
def test_any_damage_gives_an_image_or_an_image_error(tmpdir_factory, data, changes, cut):
    data = bytearray(data[: len(data) - cut])
    for position, value in changes:
        data[position % len(data)] = value
    path = written(tmpdir_factory.getbasetemp(), bytes(data), 'damaged')
    try:
        size = image_size(path)
        image = read_image(path)
    except ImageError as error:
        assert '\n' not in str(error) and str(error).startswith(f'{path}: ')
    else:
        assert image.dtype == np.uint8 and image.shape == (size[1], size[0], 3)


@pytest.mark.parametrize('extension', IMAGE_EXTENSIONS)
def test_every_extension_that_folders_are_searched_for_can_be_read(tmpdir, extension):
    path = saved(tmpdir, RAMP, f'a{extension}')
    assert_read(path, RAMP, tolerance=30)


@pytest.mark.parametrize(
    'head, content',
    [
        (b'GIF89a', 'a GIF'),
        (b'\0\0\0\x18ftypheic\0\0\0\0', 'an HEIC image'),
        (b'\0\0\0\x18ftypmif1\0\0\0\0', 'an HEIC image'),
        (b'\0\0\0\x18ftypavif\0\0\0\0', 'an AVIF image'),
        (b'\0\0\0\x18ftypisom\0\0\0\0', 'a video (MP4)'),
        (b'\0\0\0\x14ftypqt  \0\0\0\0', 'a video (QuickTime)'),
        (b'\x1a\x45\xdf\xa3', 'a video (Matroska or WebM)'),
        (b'RIFF\0\0\0\0AVI LIST', 'a video (AVI)'),
        (b'plain text', None),
        (b'', None),
    ],
)
def test_files_that_cannot_be_read_are_described_by_content_not_by_name(tmpdir, head, content):
    path = written(tmpdir, head)
    assert describe_content(path) == content
    if content:
        with pytest.raises(ImageError) as caught:
            read_image(path)
        assert str(caught.value).startswith(f'{path}: {content}, not a JPEG')


def test_an_image_that_can_be_read_and_a_missing_file_have_no_description(tmpdir):
    assert describe_content(saved(tmpdir, RGB, 'a.png')) is None
    assert describe_content(str(tmpdir.join('none'))) is None


def test_pillows_own_limit_is_restored(tmpdir):
    before = Image.MAX_IMAGE_PIXELS
    image_size(written(tmpdir, png_header(60000, 60000), 'a.png'))
    assert Image.MAX_IMAGE_PIXELS == before


def centre_of_light(image):
    light = image.sum(axis=-1, dtype=np.float64)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(light * x).sum(), (light * y).sum()]) / light.sum()


@pytest.mark.parametrize('settings', [{}, {'progressive': True}, {'subsampling': 0}])
@pytest.mark.parametrize('most, shrink', [(1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (8, 8), (30, 8)])
def test_a_jpeg_is_decoded_at_a_fraction_of_its_size_and_nothing_moves(tmpdir, most, shrink, settings):
    # The sides are no multiples of 8, so the last pixels of the shrunk image stand for fewer ones.
    y, x = np.mgrid[:203, :301]
    light = 250 * np.exp(-((x - 140.3) ** 2 + (y - 91.6) ** 2) / (2.0 * 20**2))
    path = saved(tmpdir, np.dstack([light, light * 0.8, light * 0.6]).astype(np.uint8), 'a.jpg', quality=98, **settings)
    image, found = read_shrunk_image(path, most)
    assert found == shrink and image.shape == (-(-203 // shrink), -(-301 // shrink), 3)
    # The blob is smooth on every grid: its centre of mass is exact but for the rounding of levels.
    expected = (centre_of_light(read_image(path)) + 0.5) / shrink - 0.5
    np.testing.assert_allclose(centre_of_light(image), expected, atol=0.05 / shrink)
    # Blue comes first.
    assert image[..., 2].sum() > image[..., 1].sum() > image[..., 0].sum()


def test_what_cannot_be_shrunk_is_read_in_full(tmpdir):
    turned = saved(tmpdir, RAMP, 'turned.jpg', exif=exif_of(6))
    cmyk = saved(tmpdir, Image.fromarray(RAMP).convert('CMYK'), 'cmyk.jpg')
    for path in (saved(tmpdir, RAMP, 'a.png'), turned, cmyk, written(tmpdir, encoded(RAMP) + b'rest')):
        image, shrink = read_shrunk_image(path, 8)
        assert shrink == 1
        np.testing.assert_array_equal(image[..., ::-1], read_image(path))
    upright = saved(tmpdir, RAMP, 'upright.jpg', exif=exif_of(1))
    assert read_shrunk_image(upright, 8)[1] == 8
