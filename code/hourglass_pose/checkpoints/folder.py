"""The checkpoints of a run: written whole or not at all, pruned, and found again when the newest is damaged.

A run folder holds

    step-00001200/        one folder a checkpoint: the files of tf.train.Saver and manifest.json
    latest -> step-...    the newest
    best -> step-...      the best so far: the newest whose manifest has `is_best`

This module knows files only; variables and sessions are in checkpoints/variables.py.
"""

import os
import re
import shutil
from typing import Callable, List, Optional

from hourglass_pose.checkpoints.manifest import MANIFEST, Manifest, read_manifest, rewrite_manifest, verify
from hourglass_pose.checkpoints.manifest import write_manifest as _write_manifest
from hourglass_pose.errors import CheckpointError, UserError

LINKS = ('latest', 'best')
_FOLDER_PATTERN = re.compile(r'^step-(\d{8,})$')
_PARTIAL = '.partial-'
_REPLACED_PATTERN = re.compile(r'^\.partial-(step-\d{8,})-\d+\.replaced$')


class CheckpointFolder:
    """The checkpoints of one run. keep_last: how many are kept beside `best`."""

    def __init__(self, folder: str, keep_last: int = 3) -> None:
        self.folder = folder
        self.keep_last = keep_last

    def write(self, step: int, manifest: Manifest, write_files: Callable[[str], None], is_best: bool = False) -> str:
        """Write one checkpoint and return its folder.

        Everything is written under a temporary name, flushed to the disk, and renamed; until then the run's earlier
        checkpoints stay as they are.

        Args:
            manifest: what can be written as JSON; the format, checksums and `is_best` are added.
            write_files: writes the checkpoint's files into an empty folder.
            is_best: whether this is the best checkpoint so far.

        Raises:
            CheckpointError: the disk refuses.
        """
        final = self._folder_of(step)
        partial = os.path.join(self.folder, f'{_PARTIAL}{os.path.basename(final)}-{os.getpid()}')
        replaced = f'{partial}.replaced'
        try:
            os.makedirs(partial)
            write_files(partial)
            names = sorted(os.listdir(partial))
            _write_manifest(partial, dict(manifest, is_best=is_best), names)
            for name in [*names, '.']:
                _sync(os.path.join(partial, name))
            if os.path.isdir(final):
                # The same step again, after a resume from an older one.
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
        """Replace the manifest of a checkpoint; its files, and that it was the best, stay.

        Until the new manifest is whole on the disk the old one stays. Raises CheckpointError when the disk refuses,
        or when the checkpoint is not there.
        """
        folder = self._folder_of(step)
        try:
            old = read_manifest(folder)
            if is_best:
                # First: whenever the program is killed, the link leads to the best checkpoint.
                self._point('best', folder)
            rewrite_manifest(folder, dict(manifest, is_best=is_best or old.get('is_best', False)), old['files'])
            _sync(self.folder)
        except (OSError, UserError) as error:
            raise self._refusal(step, error)

    def steps(self) -> List[int]:
        """Return the steps of the checkpoints that are there, ascending."""
        try:
            names = os.listdir(self.folder)
        except OSError:
            return []
        return sorted(int(match.group(1)) for match in map(_FOLDER_PATTERN.match, names) if match)

    def newest_intact(self, report: Callable[[str], None] = lambda message: None) -> Optional[str]:
        """Return the folder of the newest checkpoint whose files are whole, or None where there is none.

        report: gets a line for every damaged one that is passed over.
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
        """Remove what an interrupted write left behind, and make `latest` and `best` links that are right.

        A copy of a run may hold folders in place of the links; an interrupted program may have written a manifest and
        not yet the link.

        newest: step from which the run goes on; later checkpoints do not count. Raises CheckpointError where a folder
        of a user has the name of a link, or the disk refuses.
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
                    # Interrupted between the two renames: the checkpoint that was to be replaced is still whole.
                    os.rename(path, os.path.join(self.folder, replaced.group(1)))
                elif os.path.islink(path):
                    os.remove(path)
                else:
                    shutil.rmtree(path, ignore_errors=True)

    def _replace_copy(self, path: str) -> None:
        """Remove a folder that is a copy of a checkpoint where a link belongs; keep the copy if it is the only one."""
        if os.path.islink(path) or not os.path.lexists(path):
            return
        if not os.path.isfile(os.path.join(path, MANIFEST)):
            raise CheckpointError(
                f'{path}: this is no link to a checkpoint, and the program has not written it; move it away'
            )
        step = self._folder_of(read_manifest(path)['global_step'])
        if os.path.isdir(step):
            shutil.rmtree(path)
        else:
            os.rename(path, step)

    def _best(self, steps: List[int]) -> Optional[int]:
        """Return the best of the steps: the newest whose manifest has `is_best`, or a newer one that the link leads to.

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
        """Make the link `name` lead to a checkpoint, in one step."""
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
            f'({getattr(error, "strerror", None) or error}); earlier checkpoints are untouched: free some space or '
            'mend the folder, then go on with load.py'
        )

    def _prune(self, newest: int) -> None:
        """Remove old checkpoints, as far as the disk lets: one that stays costs space and no training."""
        # Later ones can only be damaged: the run has gone back behind them, and they must not count as kept.
        steps = [step for step in self.steps() if step <= newest]
        best = self._best(steps)
        for step in steps[: -self.keep_last]:
            if step != best:
                shutil.rmtree(self._folder_of(step), ignore_errors=True)


def find_checkpoint(path: str) -> str:
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


def run_folder_of(checkpoint: str) -> Optional[str]:
    """Return the run folder that a checkpoint folder lies in, or None where it lies alone, as a copy of it does."""
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
