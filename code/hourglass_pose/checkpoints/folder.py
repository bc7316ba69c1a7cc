"""The checkpoints of a run: written atomically, pruned, and found again if the newest one is damaged.

A run folder holds

    step-00001200/        one folder a checkpoint: the files of tf.train.Saver and manifest.json
    latest -> step-...    the newest
    best -> step-...      the best so far: the newest whose manifest has `is_best`

This module handles files only; variables and sessions are in checkpoints/variables.py.
"""

import os
import re
import shutil
from typing import Callable, List, Optional

from hourglass_pose.checkpoints.manifest import (
    MANIFEST,
    Manifest,
    read_manifest,
    rewrite_manifest,
    verify,
    write_manifest,
)
from hourglass_pose.errors import CheckpointError, UserError
from hourglass_pose.invocation import command

LINKS = ('latest', 'best')
_FOLDER_PATTERN = re.compile(r'^step-(\d{8,})$')
_PARTIAL = '.partial-'
_REPLACED_PATTERN = re.compile(r'^\.partial-(step-\d{8,})-\d+\.replaced$')


class CheckpointFolder:
    """The checkpoints of one run. keep_last: how many are kept in addition to `best`."""

    def __init__(self, folder: str, keep_last: int = 3) -> None:
        self.folder = folder
        self.keep_last = keep_last

    def write(self, step: int, manifest: Manifest, write_files: Callable[[str], None], is_best: bool = False) -> str:
        """Write one checkpoint and return its folder.

        Everything is written under a temporary name, flushed to the disk, and renamed. Until then the earlier
        checkpoints of the run stay unchanged.

        Args:
            manifest: JSON-able; the format, checksums and `is_best` are added.
            write_files: writes the checkpoint's files into an empty folder.
            is_best: whether this is the best checkpoint so far.

        Raises:
            CheckpointError: the checkpoint cannot be written.
        """
        final = self._folder_of(step)
        partial = os.path.join(self.folder, f'{_PARTIAL}{os.path.basename(final)}-{os.getpid()}')
        replaced = f'{partial}.replaced'
        try:
            os.makedirs(partial)
            write_files(partial)
            names = sorted(os.listdir(partial))
            write_manifest(partial, dict(manifest, is_best=is_best), names)
            for name in [*names, '.']:
                _sync(os.path.join(partial, name))
            if os.path.isdir(final):
                # The same step was written before the run resumed from an older checkpoint.
                os.rename(final, replaced)
            os.rename(partial, final)
            shutil.rmtree(replaced, ignore_errors=True)
            self._point('latest', final)
            if is_best:
                self._point('best', final)
            _sync(self.folder)
        except (OSError, UserError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            if os.path.isdir(replaced) and not os.path.isdir(final):
                os.rename(replaced, final)
            raise self._refusal(step, error)
        self._prune(step)
        return final

    def update(self, step: int, manifest: Manifest, is_best: bool = False) -> None:
        """Replace the manifest of a checkpoint. Its files stay, and so does an `is_best` of the old manifest.

        The old manifest stays until the new one is complete on the disk. Raises CheckpointError if it cannot be
        written, or if the checkpoint does not exist.
        """
        folder = self._folder_of(step)
        try:
            old = read_manifest(folder)
            if is_best:
                # First, so that the link is right even if the program is killed before the manifest is written.
                self._point('best', folder)
            rewrite_manifest(folder, dict(manifest, is_best=is_best or old.get('is_best', False)), old['files'])
            _sync(self.folder)
        except (OSError, UserError) as error:
            raise self._refusal(step, error)

    def steps(self) -> List[int]:
        """Return the steps of the existing checkpoints, ascending."""
        try:
            names = os.listdir(self.folder)
        except OSError:
            return []
        return sorted(int(match.group(1)) for match in map(_FOLDER_PATTERN.match, names) if match)

    def newest_intact(self, report: Callable[[str], None] = lambda message: None) -> Optional[str]:
        """Return the folder of the newest checkpoint whose files are intact, or None if there is none.

        report: shows a line for every damaged one that is skipped.
        """
        for step in reversed(self.steps()):
            folder = self._folder_of(step)
            try:
                verify(folder)
                return folder
            except CheckpointError as error:
                report(f'{error}; the checkpoint before it is used')
        return None

    def repair(self, newest: Optional[int] = None) -> None:
        """Remove the remains of an interrupted write, and make `latest` and `best` correct links.

        A copy of a run may hold folders in place of the links, and an interrupted program may have written a manifest
        but not the link.

        newest: step from which the run resumes; later checkpoints do not count. Raises CheckpointError if a folder of
        the user has the name of a link, or if the links cannot be written.
        """
        self._remove_partial()
        try:
            for name in LINKS:
                self._replace_copy(os.path.join(self.folder, name))
            steps = [step for step in self.steps() if newest is None or step <= newest]
            best = self._best(steps)
            if steps:
                self._point('latest', self._folder_of(steps[-1]))
            if best is not None:
                self._point('best', self._folder_of(best))
        except OSError as error:
            raise CheckpointError(f'{self.folder}: the links to checkpoints cannot be made ({error.strerror or error})')

    def _remove_partial(self) -> None:
        for name in os.listdir(self.folder) if os.path.isdir(self.folder) else []:
            if name.startswith(_PARTIAL):
                path = os.path.join(self.folder, name)
                replaced = _REPLACED_PATTERN.match(name)
                if replaced and not os.path.lexists(os.path.join(self.folder, replaced.group(1))):
                    # Interrupted between the two renames: the checkpoint to be replaced is still intact.
                    os.rename(path, os.path.join(self.folder, replaced.group(1)))
                elif os.path.islink(path):
                    os.remove(path)
                else:
                    shutil.rmtree(path, ignore_errors=True)

    def _replace_copy(self, path: str) -> None:
        """Remove a copy of a checkpoint that has the name of a link; rename it if it is the only copy."""
        if os.path.islink(path) or not os.path.lexists(path):
            return
        if not os.path.isfile(os.path.join(path, MANIFEST)):
            raise CheckpointError(
                f'{path}: this is neither a link to a checkpoint nor written by this program; move it away'
            )
        step = self._folder_of(read_manifest(path)['global_step'])
        if os.path.isdir(step):
            shutil.rmtree(path)
        else:
            os.rename(path, step)

    def _best(self, steps: List[int]) -> Optional[int]:
        """Return the best of the steps: the newest whose manifest has `is_best`, or a newer one that `best` points to.

        The link is written first and may be lost in a copy; manifests of earlier versions have no `is_best`.
        """
        match = _FOLDER_PATTERN.match(os.path.basename(os.path.realpath(os.path.join(self.folder, 'best'))))
        linked = int(match.group(1)) if match else None
        for step in reversed(steps):
            try:
                if step == linked or read_manifest(self._folder_of(step)).get('is_best'):
                    return step
            except CheckpointError:
                continue
        return None

    def _point(self, name: str, target: str) -> None:
        """Make the link `name` point to a checkpoint, atomically."""
        link = os.path.join(self.folder, name)
        if os.path.islink(link) and os.readlink(link) == os.path.basename(target):
            return
        temporary = os.path.join(self.folder, f'{_PARTIAL}{name}-{os.getpid()}')
        os.symlink(os.path.basename(target), temporary)
        os.replace(temporary, link)

    def _folder_of(self, step: int) -> str:
        return os.path.join(self.folder, f'step-{step:08d}')

    def _refusal(self, step: int, error: Exception) -> CheckpointError:
        return CheckpointError(
            f'{self.folder}: the checkpoint of step {step} cannot be written '
            f'({getattr(error, "strerror", None) or error}); earlier checkpoints are unchanged: free some space or '
            f'correct the permissions of the folder, then "{command("resume")} {self.folder}"'
        )

    def _prune(self, newest: int) -> None:
        """Remove old checkpoints; failures are ignored, as a remaining checkpoint only takes space."""
        # Later ones are damaged, as the run resumed from before them; they must not count as kept.
        steps = [step for step in self.steps() if step <= newest]
        best = self._best(steps)
        for step in steps[: -self.keep_last]:
            if step != best:
                shutil.rmtree(self._folder_of(step), ignore_errors=True)


def find_checkpoint(path: str) -> str:
    """Return the checkpoint folder that a user's path means: itself, or `latest` of a run folder.

    Raises CheckpointError if there is none, with a description of what the path is.
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
        f'{path}: this is not a checkpoint, because it has no {MANIFEST}; give a run folder, or a checkpoint in it '
        'such as runs/hourglass/latest'
    )


def run_folder_of(checkpoint: str) -> Optional[str]:
    """Return the run folder that holds a checkpoint folder, or None for a copy outside of a run."""
    checkpoint = os.path.realpath(checkpoint)
    parent, name = os.path.split(checkpoint)
    if _FOLDER_PATTERN.match(name):
        return parent
    # In a copied run, `latest` and `best` may be folders.
    return parent if name in LINKS and CheckpointFolder(parent).steps() else None


def _sync(path: str) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
