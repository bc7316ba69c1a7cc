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

from hourglass_pose.atomic_file import write_whole
from hourglass_pose.errors import CheckpointError, UserError

MANIFEST = 'manifest.json'
MANIFEST_FORMAT = 1
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
        try:
            os.makedirs(partial)
            write_files(partial)
            files = {name: _file_record(os.path.join(partial, name)) for name in sorted(os.listdir(partial))}
            manifest = dict(manifest, format=MANIFEST_FORMAT, files=files)
            text = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False)
            write_whole(os.path.join(partial, MANIFEST), (text + '\n').encode('utf-8'))
            for name in list(files) + ['.']:
                _sync(os.path.join(partial, name))
            if os.path.isdir(final):
                # The same step again, after a resume from an older one: the new files take its place.
                shutil.rmtree(final)
            os.rename(partial, final)
            self._point('latest', final)
            if is_best:
                self._point('best', final)
            _sync(self.folder)
            self._prune()
        except (OSError, UserError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise CheckpointError(
                '%s: the checkpoint of step %d cannot be written (%s); earlier checkpoints are untouched: free some '
                'space or mend the folder, then go on with load.py'
                % (self.folder, step, getattr(error, 'strerror', None) or error))
        return final

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
                report('%s; the checkpoint before it is used' % error)
        return None

    def remove_partial(self):
        """Delete what an interrupted write left behind."""
        for name in os.listdir(self.folder) if os.path.isdir(self.folder) else []:
            if name.startswith(_PARTIAL):
                shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)

    def _point(self, name, target):
        """Make the link `name` lead to a checkpoint, in one step."""
        link = os.path.join(self.folder, name)
        temporary = os.path.join(self.folder, '%s%s-%d' % (_PARTIAL, name, os.getpid()))
        os.symlink(os.path.basename(target), temporary)
        os.replace(temporary, link)

    def _prune(self):
        best = os.path.realpath(os.path.join(self.folder, 'best'))
        for step in self.steps()[:-self.keep_last]:
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
        raise CheckpointError('%s: there is no such checkpoint; give a run folder, or a checkpoint in it such as '
                              'runs/hourglass/latest' % path)
    raise CheckpointError('%s: this is no checkpoint, it has no %s; give a run folder, or a checkpoint in it such as '
                          'runs/hourglass/latest' % (path, MANIFEST))


def read_manifest(folder):
    """Return a checkpoint's manifest as a dict. Raises CheckpointError for one that cannot be read."""
    path = os.path.join(folder, MANIFEST)
    try:
        with open(path) as stream:
            manifest = json.load(stream)
        if manifest['format'] > MANIFEST_FORMAT:
            raise CheckpointError('%s: written by a newer version (format %s, this one reads up to %d)'
                                  % (path, manifest['format'], MANIFEST_FORMAT))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError('%s: the manifest cannot be read (%s: %s)' % (path, type(error).__name__, error))
    return manifest


def verify(folder):
    """Return the manifest of a checkpoint whose files have the sizes and checksums that it says.

    Raises CheckpointError naming the first file that has not.
    """
    manifest = read_manifest(folder)
    for name, record in manifest['files'].items():
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            raise CheckpointError('%s: damaged, the file is missing' % path)
        found = _file_record(path)
        if found != record:
            raise CheckpointError('%s: damaged, %d bytes with SHA-256 %.8s, the manifest says %d bytes with %.8s'
                                  % (path, found['size'], found['sha256'], record['size'], record['sha256']))
    return manifest


def _file_record(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as stream:
        for block in iter(lambda: stream.read(2 ** 20), b''):
            digest.update(block)
    return {'size': os.path.getsize(path), 'sha256': digest.hexdigest()}


def _sync(path):
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
