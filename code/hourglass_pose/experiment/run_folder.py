"""The folder of a run: keeps the files of a new run apart from those of an earlier run and of the user."""

import os
import re
import time
from typing import Callable, List, Sequence

from hourglass_pose.checkpoints.folder import CheckpointFolder
from hourglass_pose.checkpoints.paths import CONFIG_COPY
from hourglass_pose.config.config import Config, format_config, load_config
from hourglass_pose.errors import ConfigError, UserError
from hourglass_pose.files import write_whole
from hourglass_pose.invocation import command

GIVEN_CONFIG = 'config.given.cfg'

# The files that the program writes into a run folder. Checkpoints are moved last: as long as one exists, the folder
# holds an earlier run.
_RESULTS = re.compile(
    r'^(history\.csv|performance\.json|metrics\.json|predictions\.json|report\.html|\.partial-.*|'
    r'(pckh|predictions|worst)\.(png|svg))$'
)
_CHECKPOINTS = re.compile(r'^(latest|best|step-\d{8,})$')
_EVENTS = re.compile(r'^events\.out\.tfevents\.')


def refuse_mixing(folder: str, fresh: bool) -> None:
    """Raise ConfigError if a new run would mix with an earlier one."""
    if not fresh and CheckpointFolder(folder).steps():
        raise ConfigError(
            f'{folder} holds an earlier run; resume it by "{command("resume")} {folder}", start over by --fresh, or '
            'choose another folder by --set Saver.saver_directory=FOLDER'
        )


def set_earlier_run_aside(config: Config, fresh: bool, report: Callable[[str], None]) -> None:
    """Set an earlier run in the folder of a new one aside. Raises ConfigError without `fresh`.

    Only files that the program wrote are moved, into a subfolder; all other files stay.
    """
    folder = config.Saver.saver_directory
    refuse_mixing(folder, fresh)
    if not CheckpointFolder(folder).steps():
        return
    aside = os.path.join(folder, f'earlier-{time.strftime("%Y%m%d-%H%M%S")}')
    try:
        os.mkdir(aside)
        for name in _written(folder):
            os.rename(os.path.join(folder, name), os.path.join(aside, name))
        for logs in {config.Saver.log_dir_train, config.Saver.log_dir_test}:
            _move_events(folder, logs, aside)
        for name in sorted(filter(_CHECKPOINTS.match, os.listdir(folder))):
            os.rename(os.path.join(folder, name), os.path.join(aside, name))
    except OSError as error:
        raise ConfigError(
            f'{folder}: the earlier run cannot be set aside into {aside} ({error.strerror or error}); correct the '
            'permissions and repeat the command, or choose another folder by --set Saver.saver_directory=FOLDER'
        )
    report(f'the earlier run is now in {aside}')


def write_config_copy(config: Config, is_new: bool, report: Callable[[str], None]) -> None:
    """Write the settings into the run folder, where the next resume reads them.

    is_new: the run has just started, and an existing config.cfg in its folder is the user's, which is kept once under
    another name.
    """
    folder, text = config.Saver.saver_directory, format_config(config)
    path, given = os.path.join(folder, CONFIG_COPY), os.path.join(folder, GIVEN_CONFIG)
    if is_new and os.path.isfile(path) and not os.path.exists(given):
        with open(path, encoding='utf-8', errors='replace') as stream:
            is_other = stream.read() != text
        if is_other:
            os.replace(path, given)
            report(f'note: the run keeps its settings in {path}; the file that was there is now {given}')
    write_whole(path, text.encode('utf-8'))


def config_of_run(folder: str, overrides: Sequence[str] = ()) -> Config:
    """Return the Config that a run was started with, changed by overrides; the folder may have been renamed since.

    Raises ConfigError.
    """
    return load_config(os.path.join(folder, CONFIG_COPY), [f'Saver.saver_directory={folder!r}', *overrides])


def _written(folder: str) -> List[str]:
    names = sorted(filter(_RESULTS.match, os.listdir(folder)))
    return names + ([CONFIG_COPY] if _is_config_copy(os.path.join(folder, CONFIG_COPY)) else [])


def _is_config_copy(path: str) -> bool:
    """Return whether write_config_copy wrote a config.cfg, and not the user."""
    try:
        with open(path, encoding='utf-8') as stream:
            return stream.read() == format_config(load_config(path))
    except (OSError, ValueError, UserError):
        return False


def _move_events(folder: str, logs: str, aside: str) -> None:
    """Move TensorBoard's files of a log folder, if it is in the run folder."""
    below = os.path.relpath(logs, folder)
    if not os.path.isdir(logs) or below.split(os.sep)[0] == os.pardir:
        return
    for name in filter(_EVENTS.match, sorted(os.listdir(logs))):
        os.makedirs(os.path.join(aside, below), exist_ok=True)
        os.rename(os.path.join(logs, name), os.path.join(aside, below, name))
