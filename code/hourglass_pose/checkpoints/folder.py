"""Checkpoints on disk: written whole or not at all, described by a manifest, found again when the newest is damaged.

A run folder holds

    step-00001200/        one folder a checkpoint: the files of tf.train.Saver and manifest.json
    latest -> step-...    the newest
    best -> step-...      the one with the best validation PCKh so far

This module knows files only; variables and sessions are in training/saving.py.
"""

import hashlib
import json
import os
import re
import shutil

from hourglass_pose.errors import CheckpointError, UserError
from hourglass_pose.files import write_whole

MANIFEST = 'manifest.json'
MANIFEST_FORMAT = 2
_FOLDER = 'step-%08d'
_FOLDER_PATTERN = re.compile(r'^step-(\d{8,})$')
_PARTIAL = '.partial-'


class CheckpointFolder:
    """The checkpoints of one run. keep_last: how many are kept beside `best`."""

    def __init__(self, folder, keep_last=3):
        self.folder = folder
        self.keep_last = keep_last

    def write(self, step, manifest, write_files, is_best=False):
        """Write one checkpoint and return its folder.

        write_files(folder): writes the checkpoint's files into an empty folder. manifest: JSON-able dict, to which
        format and checksums are added. Everything is written under a temporary name, flushed to the disk, and
        renamed; until then the run's earlier checkpoints stay as they are. Raises CheckpointError when the disk
        refuses.
        """
        final = os.path.join(self.folder, _FOLDER % step)
        partial = os.path.join(self.folder, '%s%s-%d' % (_PARTIAL, _FOLDER % step, os.getpid()))
        replaced = f'{partial}.replaced'
        try:
            os.makedirs(partial)
            write_files(partial)
            files = {name: _file_record(os.path.join(partial, name)) for name in sorted(os.listdir(partial))}
            _write_manifest(partial, manifest, files)
            for name in list(files) + ['.']:
                _sync(os.path.join(partial, name))
            if os.path.isdir(final):
                # The same step again, after a resume from an older one: the new files take its place.
                os.rename(final, replaced)
            os.rename(partial, final)
            shutil.rmtree(replaced, ignore_errors=True)
            self._point('latest', final)
            if is_best:
                self._point('best', final)
            _sync(self.folder)
            self._prune(step)
        except (OSError, UserError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            if os.path.isdir(replaced) and not os.path.isdir(final):
                os.rename(replaced, final)
            raise self._refusal(step, error)
        return final

    def update(self, step, manifest, is_best=False):
        """Write the manifest of a checkpoint anew: its files are as they were, what is said of them has changed.

        Until the new manifest is whole on the disk the old one stays. Raises CheckpointError when the disk refuses,
        or when the checkpoint is not there.
        """
        folder = os.path.join(self.folder, _FOLDER % step)
        try:
            _write_manifest(folder, manifest, read_manifest(folder)['files'])
            if is_best:
                self._point('best', folder)
            _sync(self.folder)
        except (OSError, UserError) as error:
            raise self._refusal(step, error)

    def steps(self):
        """Return the steps of the checkpoints that are there, ascending."""
        try:
            names = os.listdir(self.folder)
        except OSError:
            return []
        return sorted(int(match.group(1)) for match in map(_FOLDER_PATTERN.match, names) if match)

    def newest_intact(self, report=lambda message: None):
        """Return the folder of the newest checkpoint whose files are whole, or None where there is none.

        report(message): told of every damaged one that is passed over.
        """
        for step in reversed(self.steps()):
            folder = os.path.join(self.folder, _FOLDER % step)
            try:
                verify(folder)
                return folder
            except CheckpointError as error:
                report(f'{error}; the checkpoint before it is used')
        return None

    def remove_partial(self):
        """Delete what an interrupted write left behind."""
        for name in os.listdir(self.folder) if os.path.isdir(self.folder) else []:
            if name.startswith(_PARTIAL):
                path = os.path.join(self.folder, name)
                if os.path.islink(path):
                    os.remove(path)
                else:
                    shutil.rmtree(path, ignore_errors=True)

    def _point(self, name, target):
        """Make the link `name` lead to a checkpoint, in one step."""
        link = os.path.join(self.folder, name)
        temporary = os.path.join(self.folder, '%s%s-%d' % (_PARTIAL, name, os.getpid()))
        os.symlink(os.path.basename(target), temporary)
        os.replace(temporary, link)

    def _refusal(self, step, error):
        return CheckpointError(
            '%s: the checkpoint of step %d cannot be written (%s); earlier checkpoints are untouched: free some '
            'space or mend the folder, then go on with load.py'
            % (self.folder, step, getattr(error, 'strerror', None) or error)
        )

    def _prune(self, newest):
        best = os.path.realpath(os.path.join(self.folder, 'best'))
        # Later ones can only be damaged: the run has gone back behind them, and they must not count as kept.
        for step in [step for step in self.steps() if step <= newest][: -self.keep_last]:
            folder = os.path.join(self.folder, _FOLDER % step)
            if os.path.realpath(folder) != best:
                shutil.rmtree(folder)


def find_checkpoint(path):
    """Return the checkpoint folder that a user's path means: itself, or `latest` of a run folder.

    Raises CheckpointError where there is none, naming what is there.
    """
    for candidate in (path, os.path.join(path, 'latest')):
        if os.path.isfile(os.path.join(candidate, MANIFEST)):
            return os.path.realpath(candidate)
    newest = CheckpointFolder(path).newest_intact()
    if newest:
        return newest
    if not os.path.exists(path):
        raise CheckpointError(
            f'{path}: there is no such checkpoint; give a run folder, or a checkpoint in it such as '
            'runs/hourglass/latest'
        )
    raise CheckpointError(
        f'{path}: this is no checkpoint, it has no {MANIFEST}; give a run folder, or a checkpoint in it such as '
        'runs/hourglass/latest'
    )


def read_manifest(folder):
    """Return a checkpoint's manifest as a dict. Raises CheckpointError for one that cannot be read."""
    path = os.path.join(folder, MANIFEST)
    try:
        with open(path) as stream:
            manifest = json.load(stream)
        if manifest['format'] > MANIFEST_FORMAT:
            raise CheckpointError(
                '%s: written by a newer version (format %s, this one reads format %d)'
                % (path, manifest['format'], MANIFEST_FORMAT)
            )
        if manifest['format'] < MANIFEST_FORMAT:
            raise CheckpointError(
                '%s: written by an older version (format %s, this one reads format %d), whose '
                'variables had other names; train anew, or use that version'
                % (path, manifest['format'], MANIFEST_FORMAT)
            )
        if manifest.pop('sha256') != _digest_of(manifest):
            raise ValueError('its text is not what was written')
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f'{path}: the manifest cannot be read ({type(error).__name__}: {error})')
    return manifest


def verify(folder):
    """Return the manifest of a checkpoint whose files have the sizes and checksums that it says.

    Raises CheckpointError naming the first file that has not.
    """
    manifest = read_manifest(folder)
    for name, record in manifest['files'].items():
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            raise CheckpointError(f'{path}: damaged, the file is missing')
        found = _file_record(path)
        if found != record:
            raise CheckpointError(
                '%s: damaged, %d bytes with SHA-256 %.8s, the manifest says %d bytes with %.8s'
                % (path, found['size'], found['sha256'], record['size'], record['sha256'])
            )
    return manifest


def _write_manifest(folder, manifest, files):
    manifest = dict(manifest, format=MANIFEST_FORMAT, files=files)
    manifest['sha256'] = _digest_of(manifest)
    text = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False)
    write_whole(os.path.join(folder, MANIFEST), (f'{text}\n').encode('ascii'))


def _digest_of(manifest):
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode('ascii')).hexdigest()


def _file_record(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as stream:
        for block in iter(lambda: stream.read(2**20), b''):
            digest.update(block)
    return {'size': os.path.getsize(path), 'sha256': digest.hexdigest()}


def _sync(path):
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
