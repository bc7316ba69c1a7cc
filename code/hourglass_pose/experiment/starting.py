"""How a run starts: from scratch, from the weights of another network, or from where it was stopped."""

import os
import sys
from contextlib import ExitStack
from typing import Callable, List, Optional, Sequence

from tqdm import tqdm

import hourglass_pose
from hourglass_pose.checkpoints.folder import CheckpointFolder, run_folder_of
from hourglass_pose.checkpoints.manifest import read_manifest
from hourglass_pose.checkpoints.opening import open_checkpoint
from hourglass_pose.checkpoints.original import find_original
from hourglass_pose.checkpoints.paths import ORIGINAL, OURS, identify
from hourglass_pose.checkpoints.run_lock import FolderLock
from hourglass_pose.checkpoints.stored import StoredNetwork, check_hyperparameters, check_transferable
from hourglass_pose.config.config import Config, format_config, load_config
from hourglass_pose.errors import CheckpointError
from hourglass_pose.experiment.experiment import Experiment, make_folder
from hourglass_pose.experiment.original_settings import config_of_original, notes_on_original
from hourglass_pose.experiment.run_folder import CONFIG_COPY, make_way, refuse_mixing, write_config_copy
from hourglass_pose.experiment.training_data import require_data, with_synthetic_people

# The folder of load.py, where the original code's manual has people put a downloaded checkpoint.
PROGRAM_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(hourglass_pose.__file__)))


def train(
    config: Config,
    resume_folder: Optional[str] = None,
    initial: Optional[StoredNetwork] = None,
    weights_from: Optional[StoredNetwork] = None,
    fresh: bool = False,
    quiet: bool = False,
    synthetic: bool = False,
    notes: Sequence[str] = (),
) -> None:
    """Train with a Config, in its saver_directory; evaluate and write results when the last epoch is done.

    Of many processes the first one alone writes and prints. It holds the lock of the folder from before it writes
    anything.

    Args:
        resume_folder: checkpoint of the run that goes on.
        initial: network of the original code, whose weights and optimizer's state a new run starts with.
        weights_from: network whose weights a new run starts with, as far as they fit.
        fresh: set an earlier run in the folder aside.
        quiet: do not print the settings.
        synthetic: train on rendered people.
        notes: lines to print first.
    """
    folder = config.Saver.saver_directory
    # Mistakes are reported before TensorFlow is loaded, which takes seconds.
    if not synthetic:
        require_data(config)
    if not resume_folder and int(os.environ.get('RANK_SIZE') or 1) == 1:
        refuse_mixing(folder, fresh)
    _check_network(config, resume_folder, weights_from)
    from hourglass_pose.experiment.training_run import TrainingRun, open_device

    with open_device(config) as runtime, ExitStack() as stack:
        report: Callable[[str], None] = tqdm.write if runtime.is_chief else _silent
        if runtime.is_chief:
            make_folder(folder)
            stack.enter_context(FolderLock(folder, report))
            if not resume_folder:
                refuse_mixing(folder, fresh)
            if synthetic:
                with_synthetic_people(config)
        runtime.barrier()
        # What the first process has rendered is there and whole; the others only find it.
        config = with_synthetic_people(config) if synthetic else config
        if resume_folder:
            resume_folder = _newest_now(folder, resume_folder)
        for note in [*notes, *([f'going on from {resume_folder}'] if resume_folder else [])]:
            report(note)
        experiment = Experiment(config, say=report)
        if not quiet:
            report(format_config(config))
        # Mistakes in the data are reported before an earlier run is set aside.
        experiment.split()
        # So are settings that do not fit the checkpoint, before they replace the run's own.
        training_run = TrainingRun(
            experiment, runtime, resume_folder, initial, command=' '.join(sys.argv), weights_from=weights_from
        )
        if runtime.is_chief:
            if not resume_folder:
                make_way(config, fresh, report)
            write_config_copy(config, not resume_folder, report)
        training_run.run()


def resume(path: Optional[str], config_path: Optional[str], overrides: Sequence[str], quiet: bool = False) -> None:
    """Go on with a stopped run, or train on from a checkpoint of the original code.

    Args:
        path: a run folder, a checkpoint in it, or the prefix of a checkpoint of the original code; None for the
            saver_directory of the config, and then for the folder of load.py.
        config_path: the settings of a run that trains on from the original code's checkpoint; None for the defaults.
        overrides: settings, as in load_config.

    Raises:
        CheckpointError: there is nothing to go on from.
    """
    if path is None:
        path = _default_path(load_config(config_path, overrides).Saver.saver_directory)
    if CheckpointFolder(path).steps():
        _go_on(path, overrides, [])
        return
    found = identify(path)
    if found.kind == ORIGINAL:
        _train_on(open_checkpoint(path), config_path, overrides, quiet)
        return
    run = run_folder_of(found.path) if found.kind == OURS else None
    if run is None or not os.path.isfile(os.path.join(run, CONFIG_COPY)):
        raise CheckpointError(
            f'{path}: this checkpoint lies in no run folder, so there is no run to go on with; start a new run with '
            f'its weights by "python train_launcher.py --initialise-from {path}"'
        )
    _go_on(run, overrides, [f'note: a run goes on from its newest checkpoint, whichever of {run} is given'])


def _check_network(config: Config, resume_folder: Optional[str], weights_from: Optional[StoredNetwork]) -> None:
    """Raise CheckpointError where a checkpoint does not fit the network of the config."""
    experiment = Experiment(config)
    if resume_folder:
        check_hyperparameters(resume_folder, experiment.hyperparameters())
    if weights_from:
        check_transferable(weights_from, experiment.hyperparameters(), experiment.skeleton.joints)
        folder = os.path.realpath(config.Saver.saver_directory)
        if weights_from.manifest and os.path.dirname(weights_from.path) == folder:
            raise CheckpointError(
                f'{weights_from.path} lies in the folder of the new run, where --fresh sets it aside; name another '
                'folder by --set Saver.saver_directory=FOLDER'
            )


def _default_path(folder: str) -> str:
    """Return the folder of the config if there is a run or a checkpoint in it, otherwise the folder of load.py."""
    for candidate in (folder, PROGRAM_FOLDER):
        if CheckpointFolder(candidate).steps() or find_original(candidate):
            return candidate
    raise CheckpointError(
        f'{folder} and {PROGRAM_FOLDER}: there is no checkpoint to go on from; name a run folder or the prefix of a '
        'checkpoint, or start a run by "python train_launcher.py"'
    )


def _go_on(folder: str, overrides: Sequence[str], notes: List[str]) -> None:
    newest = CheckpointFolder(folder).newest_intact(lambda message: notes.append(f'damaged: {message}'))
    if newest is None:
        raise CheckpointError(
            f'{folder}: no checkpoint of this run is whole; {notes[-1]}; start over by "python train_launcher.py '
            '--fresh"'
        )
    # The settings the run was started with, not those of a config.cfg that may have changed since.
    # The folder itself may have been moved.
    settings = os.path.join(folder, CONFIG_COPY)
    config = load_config(settings, [f'Saver.saver_directory={folder!r}', *overrides])
    notes.append(f'settings: those of the run, in {settings}; --set Section.key=value changes one, --config does not')
    train(config, resume_folder=newest, quiet=True, notes=notes)


def _newest_now(folder: str, checkpoint: str) -> str:
    """Return the newest intact checkpoint where the run has gone on since `checkpoint` was found to be it.

    Until the lock was taken another process may have trained in the folder.
    """
    steps = CheckpointFolder(folder).steps()
    if steps and steps[-1] > read_manifest(checkpoint)['global_step']:
        return CheckpointFolder(folder).newest_intact() or checkpoint
    return checkpoint


def _train_on(stored: StoredNetwork, config_path: Optional[str], overrides: Sequence[str], quiet: bool) -> None:
    """Start a run of ours with the weights, and the optimizer's state where it fits, of the original code's."""
    config = config_of_original(stored, config_path, overrides)
    trained = '' if stored.step is None else f', trained for {stored.step} steps'
    notes = [f'training on from {stored.path}{trained}', *notes_on_original(stored, config_path, config)]
    train(config, initial=stored, quiet=quiet, notes=notes)


def _silent(line: str) -> None:
    """Print nothing: another process does."""
