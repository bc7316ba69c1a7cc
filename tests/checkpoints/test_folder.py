"""Checkpoint folders: complete or absent, damaged ones recognised, and the right ones kept."""

import errno
import json
import os
import shutil
from contextlib import contextmanager

import pytest

from hourglass_pose.checkpoints import manifest as manifests
from hourglass_pose.checkpoints.folder import CheckpointFolder, find_checkpoint, run_folder_of
from hourglass_pose.checkpoints.manifest import MANIFEST, read_manifest, verify
from hourglass_pose.errors import CheckpointError


class Killed(BaseException):
    """Stands for SIGKILL: nothing that the program does about errors may see it."""


def files_of(step):
    def write(folder):
        for name in ('net.index', 'net.data-00000-of-00001'):
            with open(os.path.join(folder, name), 'wb') as stream:
                stream.write(f'{name} of step {step}'.encode() * 20)

    return write


@pytest.fixture
def run(tmp_path):
    return CheckpointFolder(str(tmp_path / 'run'), keep_last=3)


def write(run, *steps, **options):
    for step in steps:
        run.write(step, {'global_step': step}, files_of(step), **options)


def folder_of(run, step):
    return os.path.join(run.folder, f'step-{step:08d}')


def linked(run, name):
    return os.path.basename(os.path.realpath(os.path.join(run.folder, name)))


def visible(run):
    return sorted(name for name in os.listdir(run.folder) if name.startswith('step-'))


def test_checkpoint_has_its_files_and_a_manifest_that_vouches_for_them(run):
    folder = run.write(7, {'global_step': 7, 'hyperparameters': {'num_stacks': 2}}, files_of(7))
    assert folder == folder_of(run, 7)
    assert sorted(os.listdir(folder)) == [MANIFEST, 'net.data-00000-of-00001', 'net.index']
    manifest = verify(folder)
    assert (manifest['global_step'], manifest['hyperparameters'], manifest['format']) == (7, {'num_stacks': 2}, 2)
    assert set(manifest['files']) == {'net.index', 'net.data-00000-of-00001'}
    assert sorted(os.listdir(run.folder)) == ['latest', 'step-00000007']


def test_latest_and_best_are_relative_links_that_move_with_the_folder(run, tmp_path):
    write(run, 1, is_best=True)
    write(run, 2)
    moved = str(tmp_path / 'moved')
    os.rename(run.folder, moved)
    assert find_checkpoint(os.path.join(moved, 'latest')) == os.path.join(os.path.realpath(moved), 'step-00000002')
    assert find_checkpoint(os.path.join(moved, 'best')) == os.path.join(os.path.realpath(moved), 'step-00000001')


def test_last_n_and_the_best_are_kept(run):
    write(run, 1, 2, is_best=True)
    write(run, 3, 4, 5, 6)
    assert run.steps() == [2, 4, 5, 6]
    assert linked(run, 'best') == 'step-00000002' and linked(run, 'latest') == 'step-00000006'
    write(run, 7, is_best=True)
    write(run, 8)
    assert run.steps() == [6, 7, 8]


def test_new_checkpoint_is_kept_even_before_a_damaged_later_one(tmp_path):
    run = CheckpointFolder(str(tmp_path), keep_last=1)
    write(run, 30)
    os.remove(os.path.join(folder_of(run, 30), 'net.index'))
    write(run, 20)
    assert run.newest_intact() == folder_of(run, 20)


@pytest.mark.parametrize('failure', [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), OSError('disk quota')])
def test_failure_while_writing_leaves_earlier_checkpoints_and_no_litter(run, failure):
    write(run, 1, is_best=True)

    def no_space(folder):
        files_of(2)(folder)
        raise failure

    with pytest.raises(CheckpointError, match='step 2 cannot be written .*(No space left|quota).*earlier checkpoints'):
        run.write(2, {}, no_space)
    assert sorted(os.listdir(run.folder)) == ['best', 'latest', 'step-00000001']
    assert run.newest_intact() == folder_of(run, 1)
    write(run, 2)
    assert linked(run, 'latest') == 'step-00000002'


@pytest.mark.parametrize('function', ['fsync', 'rename', 'symlink', 'replace'])
def test_no_space_at_any_call_leaves_earlier_checkpoints(run, monkeypatch, function):
    write(run, 1)

    def no_space(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, function, no_space)
        with pytest.raises(CheckpointError, match='No space left on device'):
            write(run, 2)
    assert verify(folder_of(run, 1))['global_step'] == 1
    assert run.newest_intact() in (folder_of(run, 1), folder_of(run, 2))


def test_failure_while_replacing_a_step_puts_the_old_one_back(run, monkeypatch):
    write(run, 1)
    rename, calls = os.rename, []

    def fail_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, 'rename', fail_second)
        with pytest.raises(CheckpointError):
            write(run, 1)
    assert len(calls) == 3
    assert sorted(os.listdir(run.folder)) == ['latest', 'step-00000001']
    assert verify(folder_of(run, 1))


def kill_points():
    """(function of os, how many calls pass before the kill): every system call that a write makes."""
    return [
        (name, passed)
        for name, count in (('fsync', 5), ('rename', 1), ('symlink', 2), ('replace', 3))
        for passed in range(count)
    ]


@contextmanager
def killed_in(monkeypatch, name, passed):
    """A context that a kill in a call of os.`name` ends, after `passed` of its calls have returned."""
    real, calls = getattr(os, name), []

    def killed(*arguments):
        calls.append(arguments)
        if len(calls) > passed:
            raise Killed()
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, name, killed)
        with pytest.raises(Killed):
            yield


@pytest.mark.parametrize('name, passed', kill_points())
def test_kill_at_any_moment_leaves_an_intact_checkpoint(tmp_path, monkeypatch, name, passed):
    run = CheckpointFolder(str(tmp_path), keep_last=1)
    write(run, 1, is_best=True)
    with killed_in(monkeypatch, name, passed):
        write(run, 2, is_best=True)
    for link in ('latest', 'best'):
        assert linked(run, link) in visible(run)
    newest = run.newest_intact(report=pytest.fail)
    assert newest in (folder_of(run, 1), folder_of(run, 2))
    run.repair()
    assert [entry for entry in os.listdir(run.folder) if entry.startswith('.')] == []
    assert run.newest_intact() == newest
    write(run, 3)
    assert linked(run, 'latest') == 'step-00000003'


def truncate(path):
    with open(path, 'r+b') as stream:
        stream.truncate(os.path.getsize(path) - 1)


def flip_a_bit(path):
    with open(path, 'r+b') as stream:
        stream.seek(os.path.getsize(path) // 2)
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 1]))


DAMAGES = {
    'truncated': lambda folder: truncate(os.path.join(folder, 'net.index')),
    'flipped': lambda folder: flip_a_bit(os.path.join(folder, 'net.data-00000-of-00001')),
    'missing': lambda folder: os.remove(os.path.join(folder, 'net.index')),
    'emptied': lambda folder: [os.remove(os.path.join(folder, name)) for name in os.listdir(folder)],
    'manifest flipped': lambda folder: flip_a_bit(os.path.join(folder, MANIFEST)),
    'manifest truncated': lambda folder: truncate(os.path.join(folder, MANIFEST)),
}
for garbage in (
    b'',
    b'{',
    b'[]',
    b'7',
    b'null',
    b'"text"',
    b'{}',
    b'{"format": "x"}',
    b'{"format": 2}',
    b'\xff\xfe',
    b'{"format": 2, "files": {"net.index": 3}, "sha256": 5}',
):

    def overwrite(folder, content=garbage):
        with open(os.path.join(folder, MANIFEST), 'wb') as stream:
            stream.write(content)

    DAMAGES[f'manifest is {garbage!r}'] = overwrite


@pytest.mark.parametrize('damage', sorted(DAMAGES))
def test_damaged_newest_is_reported_and_the_one_before_is_used(run, damage):
    write(run, 1, 2, 3)
    DAMAGES[damage](folder_of(run, 3))
    if damage == 'manifest truncated':
        # The last byte is a line feed, which may be missing.
        truncate(os.path.join(folder_of(run, 3), MANIFEST))
    with pytest.raises(CheckpointError):
        verify(folder_of(run, 3))
    reports = []
    assert run.newest_intact(reports.append) == folder_of(run, 2)
    assert len(reports) == 1 and 'step-00000003' in reports[0] and 'the one before' not in reports[0].split(';')[0]
    assert '\n' not in reports[0]


def test_every_flipped_bit_of_a_checkpoint_is_noticed(run):
    write(run, 1)
    folder = folder_of(run, 1)
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with open(path, 'rb') as stream:
            content = stream.read()
        for index in range(0, len(content.rstrip()), 11):
            with open(path, 'wb') as stream:
                stream.write(content[:index] + bytes([content[index] ^ 2]) + content[index + 1 :])
            with pytest.raises(CheckpointError):
                verify(folder)
        with open(path, 'wb') as stream:
            stream.write(content)
    assert verify(folder)


def test_all_damaged_is_the_same_as_none_but_reported(run):
    assert run.newest_intact(pytest.fail) is None and run.steps() == []
    write(run, 1, 2)
    for step in (1, 2):
        truncate(os.path.join(folder_of(run, step), 'net.index'))
    reports = []
    assert run.newest_intact(reports.append) is None
    assert len(reports) == 2


def test_newer_format_is_refused_by_its_number(run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(manifests, 'MANIFEST_FORMAT', 3)
        write(run, 1)
    with pytest.raises(CheckpointError, match=r'written by a newer version \(format 3, this one reads format 2\)'):
        read_manifest(folder_of(run, 1))


def test_older_format_is_refused_with_what_to_do(run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(manifests, 'MANIFEST_FORMAT', 1)
        write(run, 1)
    with pytest.raises(CheckpointError, match=r'written by an older version \(format 1, .*train again'):
        read_manifest(folder_of(run, 1))


@pytest.mark.parametrize('files', [3, {'model.index': 3}, {'model.index': {'size': 3}}])
def test_manifest_without_checksums_is_refused_in_one_line(run, files):
    write(run, 1)
    manifests.rewrite_manifest(folder_of(run, 1), {}, files)
    with pytest.raises(CheckpointError, match='sizes and checksums'):
        verify(folder_of(run, 1))


def test_update_changes_the_manifest_and_not_the_files(run):
    write(run, 1, 2)
    before = verify(folder_of(run, 2))
    run.update(2, {'global_step': 2, 'metrics': {'pckh@0.5': 50.0}}, is_best=True)
    after = verify(folder_of(run, 2))
    assert after['files'] == before['files'] and after['metrics'] == {'pckh@0.5': 50.0}
    assert linked(run, 'best') == 'step-00000002'


def test_failed_update_keeps_the_manifest_and_is_reported(run, monkeypatch):
    write(run, 1)

    def no_space(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', no_space)
        with pytest.raises(CheckpointError, match='No space left'):
            run.update(1, {'global_step': 5})
    assert verify(folder_of(run, 1))['global_step'] == 1
    with pytest.raises(CheckpointError, match='step 9 cannot be written'):
        run.update(9, {})


def test_unwritable_folder_is_a_checkpoint_error(tmp_path):
    (tmp_path / 'file').write_bytes(b'')
    with pytest.raises(CheckpointError, match='Not a directory'):
        write(CheckpointFolder(str(tmp_path / 'file' / 'run')), 1)


def test_find_takes_a_checkpoint_a_link_or_a_run(run):
    write(run, 1, is_best=True)
    write(run, 2)
    real = os.path.realpath(run.folder)
    for path, step in ((run.folder, 2), (folder_of(run, 1), 1), (os.path.join(run.folder, 'best'), 1)):
        assert find_checkpoint(path) == os.path.join(real, f'step-{step:08d}')
    os.remove(os.path.join(run.folder, 'latest'))
    assert find_checkpoint(run.folder) == folder_of(run, 2)


def test_find_reports_whether_the_path_or_the_checkpoint_is_missing(tmp_path):
    with pytest.raises(CheckpointError, match='absent: there is no such checkpoint; give a run folder'):
        find_checkpoint(str(tmp_path / 'absent'))
    with pytest.raises(CheckpointError, match='this is not a checkpoint, because it has no manifest.json'):
        find_checkpoint(str(tmp_path))


def test_manifest_survives_a_round_trip(run):
    written = {
        'progress': {'loss_sum': 0.1 + 0.2, 'best_score': None, 'big': 2**60, 'tiny': 5e-324},
        'config': {'DataSetHG': {'img_directory': ['/photos/Bilder/\u4eba']}},
    }
    run.write(1, written, files_of(1))
    manifest = read_manifest(folder_of(run, 1))
    assert {name: manifest[name] for name in written} == json.loads(json.dumps(written)) == written


def test_partial_folders_of_other_runs_are_not_seen_and_removed(run):
    write(run, 1)
    shutil.copytree(folder_of(run, 1), os.path.join(run.folder, '.partial-step-00000002-4711'))
    os.symlink('step-00000002', os.path.join(run.folder, '.partial-latest-4711'))
    assert run.steps() == [1] and run.newest_intact(pytest.fail) == folder_of(run, 1)
    run.repair()
    assert sorted(os.listdir(run.folder)) == ['latest', 'step-00000001']


def test_clean_up_that_fails_is_no_failure_of_the_new_checkpoint(run, monkeypatch):
    write(run, 1, 2, 3)

    def busy(path, *arguments, **options):
        # The error of NFS while another machine reads a file of the folder.
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))

    with monkeypatch.context() as patch:
        patch.setattr(os, 'rmdir', busy)
        write(run, 4)
    assert linked(run, 'latest') == 'step-00000004' and verify(folder_of(run, 4))
    write(run, 5)
    assert run.steps() == [3, 4, 5]


@pytest.mark.parametrize('name, passed', [('symlink', 0), ('replace', 0), ('fsync', 0), ('replace', 1), ('fsync', 1)])
def test_best_is_right_after_a_kill_at_any_moment_of_an_update(run, monkeypatch, name, passed):
    write(run, 1, is_best=True)
    write(run, 2)
    with killed_in(monkeypatch, name, passed):
        run.update(2, {'global_step': 2}, is_best=True)
    # Before the link has moved, the validation of step 2 is made again after a resume.
    is_told = bool(read_manifest(folder_of(run, 2)).get('is_best'))
    assert linked(run, 'best') == 'step-00000002' or not is_told
    before = linked(run, 'best')
    run.repair()
    assert linked(run, 'best') == before


def test_best_is_not_pruned_even_where_its_link_is_missing(run):
    write(run, 1, is_best=True)
    os.remove(os.path.join(run.folder, 'best'))
    write(run, 2, 3, 4, 5)
    assert run.steps() == [1, 3, 4, 5]
    run.repair()
    assert linked(run, 'best') == 'step-00000001'


def test_manifest_that_is_written_again_stays_the_best(run):
    write(run, 1, is_best=True)
    run.update(1, {'global_step': 1})
    write(run, 2)
    run.repair()
    assert linked(run, 'best') == 'step-00000001'


def test_best_of_an_earlier_version_is_the_one_of_its_link(run):
    write(run, 1, 2)
    os.symlink('step-00000001', os.path.join(run.folder, 'best'))
    run.repair()
    assert linked(run, 'best') == 'step-00000001'
    write(run, 3, 4, 5)
    assert run.steps() == [1, 3, 4, 5]


def test_checkpoints_after_the_resumed_one_do_not_count_as_the_best(run):
    write(run, 1, 2, is_best=True)
    run.repair(newest=1)
    assert linked(run, 'best') == linked(run, 'latest') == 'step-00000001'


def test_copy_of_a_run_with_folders_in_place_of_links_is_resumed(run, tmp_path):
    write(run, 1, is_best=True)
    write(run, 2)
    copied = CheckpointFolder(shutil.copytree(run.folder, str(tmp_path / 'copied')))
    assert not os.path.islink(os.path.join(copied.folder, 'best'))
    assert find_checkpoint(os.path.join(copied.folder, 'latest'))
    copied.repair()
    assert (linked(copied, 'latest'), linked(copied, 'best')) == ('step-00000002', 'step-00000001')
    write(copied, 3, is_best=True)
    assert linked(copied, 'best') == linked(copied, 'latest') == 'step-00000003'


def test_copy_of_the_best_alone_becomes_a_checkpoint_of_its_own(run, tmp_path):
    write(run, 1, is_best=True)
    copied = CheckpointFolder(str(tmp_path / 'copied'))
    shutil.copytree(os.path.join(run.folder, 'best'), os.path.join(copied.folder, 'best'))
    copied.repair()
    assert copied.steps() == [1] and linked(copied, 'best') == 'step-00000001'


def test_folder_of_a_user_with_the_name_of_a_link_is_left_alone(run):
    write(run, 1)
    os.mkdir(os.path.join(run.folder, 'best'))
    with pytest.raises(CheckpointError, match='best: this is neither a link'):
        run.repair()
    assert os.path.isdir(os.path.join(run.folder, 'best'))


def test_replaced_checkpoint_is_restored_after_a_kill_between_the_renames(run, monkeypatch):
    write(run, 1)
    rename, calls = os.rename, []

    def killed_at_the_second(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise Killed()
        rename(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, 'rename', killed_at_the_second)
        with pytest.raises(Killed):
            write(run, 1)
    assert run.steps() == []
    run.repair()
    assert run.newest_intact(pytest.fail) == folder_of(run, 1)


def test_a_checkpoint_knows_its_run_unless_it_was_copied_alone(run, tmp_path):
    write(run, 1)
    real = os.path.realpath(run.folder)
    assert run_folder_of(os.path.join(run.folder, 'latest')) == run_folder_of(folder_of(run, 1)) == real
    shutil.copytree(folder_of(run, 1), str(tmp_path / 'alone'))
    assert run_folder_of(str(tmp_path / 'alone')) is None
