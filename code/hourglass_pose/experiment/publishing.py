"""A run made into a folder with its weights alone, without what belongs to one machine, to pass on or to train on."""

import os
import shutil
from typing import Any, Callable, Dict

from hourglass_pose.checkpoints.opening import open_checkpoint
from hourglass_pose.checkpoints.paths import CONFIG_COPY
from hourglass_pose.config.config import config_from_dict, format_sections
from hourglass_pose.config.keys import KEYS
from hourglass_pose.errors import CheckpointError
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.experiment.importing import require_new_folder, start_of_run, write_weights
from hourglass_pose.files import make_folder, write_whole
from hourglass_pose.training.run_log import HISTORY


def publish_weights(path: str, folder: str, report: Callable[[str], None] = print) -> None:
    """Make a run folder that holds the weights of a run at step 0, its settings and its history.

    The weights are the moving averages if there are any. The optimizer's state, paths and [Device] are left
    out, so that the folder says nothing of the machine.

    Args:
        path: a run folder or a checkpoint in it.
        folder: the folder to make.
        report: shows a line on what was written.

    Raises:
        CheckpointError: the checkpoint is not one of this program, or cannot be used.
        ConfigError: the folder holds a run or settings.
    """
    require_new_folder(folder)
    stored = open_checkpoint(path)
    if stored.manifest is None:
        raise CheckpointError(f'{path}: expected a checkpoint of a run, found weights of another program')
    from hourglass_pose.checkpoints.variables import network_values, shapes_of

    manifest = stored.manifest
    portable = _portable(manifest['config'])
    config = config_from_dict({**portable, 'Saver': {'saver_directory': folder}}, source='the checkpoint')
    values = network_values(stored, list(shapes_of(stored.hyperparameters)))
    make_folder(folder)
    trained = {key: manifest[key] for key in ('global_step', 'persons', 'versions') if key in manifest}
    write_weights(
        Experiment(config, report=lambda line: None),
        stored.hyperparameters,
        values,
        {
            **start_of_run(manifest['device']),
            'config': portable,
            'inference': stored.inference.as_dict(),
            'trained': trained,
            **({'source': stored.source} if stored.source else {}),
        },
    )
    history = os.path.join(os.path.dirname(stored.path), HISTORY)
    if os.path.isfile(history):
        shutil.copyfile(history, os.path.join(folder, HISTORY))
    write_whole(os.path.join(folder, CONFIG_COPY), format_sections(portable).encode('utf-8'))
    report(f'in {folder}: {CONFIG_COPY}, latest: the weights of step {stored.step} of {path} alone')


def _portable(values: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Return the sections of a manifest's config without what belongs to one machine."""
    paths = {(key.section, key.name) for key in KEYS if key.rule.is_path}
    return {
        section: {key: value for key, value in keys.items() if (section, key) not in paths}
        for section, keys in values.items()
        if section != 'Device'
    }
