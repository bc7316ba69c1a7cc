"""A file is written whole or left as it was."""

import os

import pytest

from hourglass_pose import files as atomic_file
from hourglass_pose.errors import UserError


def test_new_content_replaces_the_old_and_leaves_nothing_else(tmp_path):
    path = tmp_path / 'metrics.json'
    for content in (b'old', b'new'):
        atomic_file.write_whole(path, content)
    assert path.read_bytes() == b'new'
    assert os.listdir(str(tmp_path)) == ['metrics.json']


def test_failed_write_keeps_the_old_file_and_names_the_path(tmp_path, monkeypatch):
    path = tmp_path / 'metrics.json'
    atomic_file.write_whole(path, b'old')

    def disk_is_full(descriptor):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(atomic_file.os, 'fsync', disk_is_full)
    with pytest.raises(UserError, match='metrics.json: cannot be written .No space left on device'):
        atomic_file.write_whole(path, b'new')
    assert path.read_bytes() == b'old'
    assert os.listdir(str(tmp_path)) == ['metrics.json']


def test_missing_folder_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match='No such file or directory'):
        atomic_file.write_whole(tmp_path / 'absent' / 'x.png', b'')
