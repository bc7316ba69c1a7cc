"""The starts of a run: from scratch, from the weights of another network, or from its newest checkpoint."""

import os
import sys
from contextlib import ExitStack
from typing import Callable, List, Optional, Sequence

from tqdm import tqdm

import hourglass_pose
from hourglass_pose.checkpoints.folder import CheckpointFolder
from hourglass_pose.checkpoints.manifest import read_manifest
from hourglass_pose.checkpoints.opening import open_checkpoint
from hourglass_pose.checkpoints.paths import CONFIG_COPY, find_original, run_to_resume
from hourglass_pose.checkpoints.run_lock import FolderLock
from hourglass_pose.checkpoints.stored import StoredNetwork, check_hyperparameters, check_transferable
from hourglass_pose.config.config import Config, format_config, load_config
from hourglass_pose.errors import CheckpointError, counted
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.experiment.original_settings import config_of_original, notes_on_original
from hourglass_pose.experiment.run_folder import config_of_run, refuse_mixing, set_earlier_run_aside, write_config_copy
from hourglass_pose.experiment.same_settings import require_same_settings
from hourglass_pose.experiment.training_data import require_data, with_synthetic_people
from hourglass_pose.files import make_folder
from hourglass_pose.invocation import command
from hourglass_pose.runtime.cluster.spec import cluster_of_environment

# The folder of load.py; the original code's manual tells its users to put a downloaded checkpoint there.
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

    Of many processes only the first one writes and prints. It takes the lock of the folder before it writes anything.

    Args:
        resume_folder: checkpoint of the run that is resumed.
        initial: network of the original code, whose weights and optimizer's state a new run starts with.
        weights_from: network whose weights a new run starts with, as far as they fit.
        fresh: set an earlier run in the folder aside.
        quiet: do not print the settings.
        synthetic: train on rendered people.
        notes: lines to print first.
    """
    folder = config.Saver.saver_directory
    # Mistakes are reported before TensorFlow is loaded, which takes seconds.
    cluster = cluster_of_environment()
    if not synthetic:
        require_data(config)
    if not resume_folder and cluster is None and int(os.environ.get('RANK_SIZE') or 1) == 1:
        refuse_mixing(folder, fresh)
    _check_settings(config, resume_folder, weights_from)
    from hourglass_pose.experiment.run_parts import open_device
    from hourglass_pose.experiment.training_run import TrainingRun

    with open_device(config, cluster) as runtime, ExitStack() as stack:
        report: Callable[[str], None] = tqdm.write if runtime.is_chief else _silent
        if runtime.is_chief:
            make_folder(folder)
            stack.enter_context(FolderLock(folder, report))
            if not resume_folder:
                refuse_mixing(folder, fresh)
        config = _with_rendered_people(config, runtime.is_chief, runtime.barrier) if synthetic else config
        require_same_settings(config, runtime.exchange)
        resume_folder = _newest_now(folder, resume_folder) if resume_folder else None
        for note in [*notes, *([f'resuming from {resume_folder}'] if resume_folder else [])]:
            report(note)
        if not quiet:
            report(format_config(config))
        # Reads the data and refuses settings that do not fit, before an earlier run is set aside and before the
        # settings replace those of the run.
        training_run = TrainingRun(
            Experiment(config, report), runtime, resume_folder, initial, ' '.join(sys.argv), weights_from
        )
        if runtime.is_chief:
            if not resume_folder:
                set_earlier_run_aside(config, fresh, report)
            write_config_copy(config, not resume_folder, report)
        training_run.run()


def resume(path: Optional[str], config_path: Optional[str], overrides: Sequence[str], quiet: bool = False) -> None:
    """Resume a stopped run, or continue the training of a checkpoint of the original code.

    Args:
        path: a run folder, a checkpoint in it, or the prefix of a checkpoint of the original code; None for the
            saver_directory of the config, and then for the folder of load.py.
        config_path: the settings of a run that continues the original code's training; None for the defaults.
        overrides: settings, as in load_config.

    Raises:
        CheckpointError: there is no checkpoint to resume from.
    """
    if path is None:
        path = _default_path(load_config(config_path, overrides).Saver.saver_directory)
    run = run_to_resume(path)
    if run is None:
        _continue_original(open_checkpoint(path), config_path, overrides, quiet)
        return
    notes = [] if run == path else [f'note: the run in {run} resumes from its newest checkpoint, not from {path}']
    _resume_run(run, overrides, notes)


def _with_rendered_people(config: Config, is_chief: bool, barrier: Callable[[], None]) -> Config:
    """Return the config with rendered people as its data; the chief process renders them, the others find them."""
    if is_chief:
        with_synthetic_people(config)
    barrier()
    return with_synthetic_people(config)


def _check_settings(config: Config, resume_folder: Optional[str], weights_from: Optional[StoredNetwork]) -> None:
    """Raise CheckpointError or ConfigError if the config fits neither itself nor the checkpoints that it names."""
    experiment = Experiment(config)
    experiment.require_sides()
    if resume_folder:
        check_hyperparameters(resume_folder, experiment.hyperparameters())
    experiment.teacher()
    if weights_from:
        check_transferable(weights_from, experiment.hyperparameters(), experiment.skeleton.joints)
        folder = os.path.realpath(config.Saver.saver_directory)
        if weights_from.manifest and os.path.dirname(weights_from.path) == folder:
            raise CheckpointError(
                f'{weights_from.path} is in the folder of the new run, where --fresh sets it aside; choose another '
                'folder by --set Saver.saver_directory=FOLDER'
            )


def _default_path(folder: str) -> str:
    """Return the folder of the config if it holds a run or a checkpoint, otherwise the folder of load.py."""
    for candidate in (folder, PROGRAM_FOLDER):
        if CheckpointFolder(candidate).steps() or find_original(candidate):
            return candidate
    raise CheckpointError(
        f'{folder} and {PROGRAM_FOLDER}: there is no checkpoint to resume from; give a run folder or the prefix of a '
        f'checkpoint, or start a run by "{command("train")}"'
    )


def _resume_run(folder: str, overrides: Sequence[str], notes: List[str]) -> None:
    newest = CheckpointFolder(folder).newest_intact(lambda message: notes.append(f'damaged: {message}'))
    if newest is None:
        raise CheckpointError(
            f'{folder}: no checkpoint of this run is intact; {notes[-1]}; start over by "{command("train")} --fresh"'
        )
    # Not those of a config.cfg that may have changed since.
    config, settings = config_of_run(folder, overrides), os.path.join(folder, CONFIG_COPY)
    notes.append(f'settings: those of the run, in {settings}; --set Section.key=value changes one, --config does not')
    train(config, resume_folder=newest, quiet=True, notes=notes)


def _newest_now(folder: str, checkpoint: str) -> str:
    """Return the newest intact checkpoint: `checkpoint`, or a later one.

    Another process may have trained in the folder after `checkpoint` was found and before the lock was taken.
    """
    steps = CheckpointFolder(folder).steps()
    if steps and steps[-1] > read_manifest(checkpoint)['global_step']:
        return CheckpointFolder(folder).newest_intact() or checkpoint
    return checkpoint


def _continue_original(
    stored: StoredNetwork, config_path: Optional[str], overrides: Sequence[str], quiet: bool
) -> None:
    """Start a run with the weights of the original code's checkpoint, and the optimizer's state where it fits."""
    config = config_of_original(stored, config_path, overrides)
    trained = '' if stored.step is None else f', trained for {counted(stored.step, "step")}'
    notes = [f'continuing the training of {stored.path}{trained}', *notes_on_original(stored, config_path, config)]
    train(config, initial=stored, quiet=quiet, notes=notes)


def _silent(line: str) -> None:
    """Print nothing: the first process prints."""
