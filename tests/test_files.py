"""A file is written whole or left as it was; its first bytes tell its kind."""

import hashlib
import os

import pytest

from hourglass_pose import files
from hourglass_pose.errors import UserError, counted


def test_new_content_replaces_the_old_and_leaves_nothing_else(tmp_path):
    path = tmp_path / 'metrics.json'
    for content in (b'old', b'new'):
        files.write_whole(path, content)
    assert path.read_bytes() == b'new'
    assert os.listdir(str(tmp_path)) == ['metrics.json']


def test_failed_write_keeps_the_old_file_and_names_the_path(tmp_path, monkeypatch):
    path = tmp_path / 'metrics.json'
    files.write_whole(path, b'old')

    def disk_is_full(descriptor):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(files.os, 'fsync', disk_is_full)
    with pytest.raises(UserError, match='metrics.json: cannot be written .No space left on device'):
        files.write_whole(path, b'new')
    assert path.read_bytes() == b'old'
    assert os.listdir(str(tmp_path)) == ['metrics.json']


def test_missing_folder_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match='No such file or directory'):
        files.write_whole(tmp_path / 'absent' / 'x.png', b'')


@pytest.mark.parametrize('size', [0, 10, (1 << 20) + 1])
def test_the_digest_is_that_of_the_whole_content(tmp_path, size):
    content = bytes(size)
    (tmp_path / 'x').write_bytes(content)
    assert files.file_sha256(tmp_path / 'x') == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    'head, kind',
    [
        (b'\x89HDF\r\n\x1a\n', 'hdf5'),
        (b'\0' * 1024 + b'\x89HDF\r\n\x1a\n', 'hdf5'),
        (b'MATLAB 7.3 MAT-file'.ljust(512) + b'\x89HDF\r\n\x1a\n', 'matlab73'),
        (b'MATLAB 5.0 MAT-file', 'matlab'),
        (b'\xef\xbb\xbf \n[1]', 'json'),
        (b'{', 'json'),
        (b'\x1f\x8b\x08', 'gzip'),
        (b'', None),
        (b'RIFF\0\0\0\0WAVE', None),
        (b'a.jpgA 1 2 3', None),
    ],
)
def test_first_bytes_tell_the_kind(tmp_path, head, kind):
    (tmp_path / 'x').write_bytes(head)
    assert files.kind_of_file(tmp_path / 'x') == kind


@pytest.mark.parametrize('text', ['', '{', '[' * 100000, b'\xff', '{"a": 1} x'])
def test_json_that_cannot_be_parsed_is_a_value_error(text):
    with pytest.raises(ValueError):
        files.parse_json(text)


def test_json_is_parsed_from_text_and_from_bytes_with_or_without_a_byte_order_mark():
    for text in ('{"a": "ä"}', '{"a": "ä"}'.encode(), '{"a": "ä"}'.encode('utf-8-sig')):
        assert files.parse_json(text) == {'a': 'ä'}


def test_numbers_are_written_with_their_noun():
    assert counted(1, 'person') == '1 person'
    assert counted(12345, 'image') == '12,345 images'
    assert counted(2, 'person by its labels') == '2 persons by its labels'
