"""Weights of a PyTorch hourglass made into a run folder: settings, and a checkpoint at step 0."""

import os
import shlex
from typing import Any, Callable, Dict, Mapping

from hourglass_pose.checkpoints.folder import CheckpointFolder
from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.checkpoints.paths import CONFIG_COPY
from hourglass_pose.config.config import Config, config_from_dict, format_config
from hourglass_pose.errors import ConfigError
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.files import make_folder, write_whole
from hourglass_pose.invocation import command

# Optimizer and learning rate of each code base.
_OPTIMIZERS = {'bearpaw': ('rmsprop', 2.5e-4), 'princeton': ('adam', 2e-4)}

_LICENCES = {
    'bearpaw': 'bearpaw/pytorch-pose and anibali/pytorch-stacked-hourglass are published under the GNU GPL version 3 '
    'and do not mention their weights in particular',
    'princeton': 'princeton-vl/pytorch_stacked_hourglass is published under the BSD 3-clause licence and does not '
    'mention its weights in particular',
}


def import_run(path: str, code_base: str, folder: str, report: Callable[[str], None]) -> None:
    """Make a run folder from the state dict in a file.

    Args:
        path: file that torch.save wrote.
        code_base: key of CODE_BASES.
        folder: the run folder, which must not hold a run or settings.
        report: shows a line on what was read and written.

    Raises:
        CheckpointError: the file cannot be read, or holds another network.
        ConfigError: the folder holds a run or settings, or the network cannot be trained further.
        UserError: PyTorch is not installed.
    """
    require_new_folder(folder)
    from hourglass_pose.checkpoints.pytorch.network import import_state_dict

    imported = import_state_dict(path, code_base, report)
    from hourglass_pose.checkpoints.pytorch.weights import CODE_BASES
    from hourglass_pose.graph.summary import summarise_network

    network = imported.network
    config = _config(network.hyperparameters, imported.inference, code_base, folder, path)
    report(f'network: {CODE_BASES[code_base].title}; {summarise_network(network.hyperparameters).describe()}')
    for line in network.lines():
        report(line)
    if not config.Validation.flip_test:
        report(
            f'note: the names of its {network.hyperparameters.num_joints} joints are not known, so they are numbered '
            'and left and right are not known; name them by --set DataSetHG.joint_list=[...] when you train on'
        )
    make_folder(folder)
    start = start_of_run('none, the weights were imported')
    manifest = dict(start, started_from=os.path.abspath(path), source=imported.source)
    write_weights(Experiment(config), network.hyperparameters, network.variables, manifest)
    # Written last: the command refuses a folder that holds one, and an interrupted command can be repeated.
    write_whole(os.path.join(folder, CONFIG_COPY), format_config(config).encode('utf-8'))
    report(f'in {folder}: config.cfg, latest')
    report(f'licence: {_LICENCES[code_base]}; importing them changes no licence')
    run = shlex.quote(folder.rstrip('/') or '/')
    report(
        f'next: {command("predict")} --checkpoint {run}/latest PHOTO.jpg --output predictions\n'
        f'      {command("evaluate")} --checkpoint {run} --annotations FILE --images FOLDER --output '
        'results\n'
        f'      {command("resume")} {run} --set DataSetHG.training_txt_file=FILE --set '
        'DataSetHG.img_directory=FOLDER'
    )


def require_new_folder(folder: str) -> None:
    """Raise ConfigError if a folder holds a run or settings."""
    if CheckpointFolder(folder).steps():
        raise ConfigError(f'{folder} holds an earlier run; name another folder by --output')
    if os.path.exists(os.path.join(folder, CONFIG_COPY)):
        raise ConfigError(f'{folder} holds a {CONFIG_COPY}, which would be replaced; name another folder by --output')


def _config(hyperparameters: Any, inference: InferenceRecord, code_base: str, folder: str, path: str) -> Config:
    """Return the Config of an imported network: how its code base crops, decodes and trains."""
    optimizer, rate = _OPTIMIZERS[code_base]
    return config_from_dict(
        {
            'DataSetHG': {
                'joint_list': list(inference.joints),
                'crop_rule': inference.crop_rule,
                'crop_corners': inference.crop_corners,
                'box_margin': inference.box_margin,
            },
            'Network': {
                'arch': hyperparameters.arch,
                'nStack': hyperparameters.num_stacks,
                'nFeat': hyperparameters.num_features,
                'nLow': hyperparameters.num_poolings,
                'nModules': hyperparameters.num_modules,
                'img_size': hyperparameters.input_size,
                'stem_feat': hyperparameters.stem_features,
                'input_mean': hyperparameters.input_mean,
            },
            'Train': {'loss': inference.loss, 'sigma': inference.sigma, 'optimizer': optimizer, 'lear_rate': rate},
            'Validation': {'flip_test': inference.flip_test, 'decoding': inference.decoding},
            'Saver': {'saver_directory': folder},
        },
        source=path,
    )


def start_of_run(device: str) -> Dict[str, Any]:
    """Return the part of a manifest that describes a run before its first step. device: where the weights are from."""
    from hourglass_pose.tf_compat import describe_versions

    return {
        'global_step': 0,
        'epoch': 0,
        'steps_per_epoch': None,
        'progress': {'metrics': {}},
        'averaged_weights': False,
        'split_hash': None,
        'device': device,
        'versions': describe_versions(),
    }


def write_weights(
    experiment: Experiment, hyperparameters: Any, variables: Mapping[str, Any], manifest: Dict[str, Any]
) -> None:
    """Write weights {name: array} as the checkpoint at step 0 of an Experiment's run folder.

    manifest: what the experiment does not give, or gives otherwise.
    """
    from hourglass_pose.checkpoints.variables import VariableSaver, assign
    from hourglass_pose.graph.model import HourglassModel
    from hourglass_pose.tf_compat import tf

    config, size = experiment.config, hyperparameters.input_size
    whole = {
        'config': config.as_dict(),
        'hyperparameters': hyperparameters.as_dict(),
        'seed': config.Train.seed,
        'inference': experiment.inference_record(None).as_dict(),
        **manifest,
    }
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(device_count={'GPU': 0})) as session:
        step = tf.train.get_or_create_global_step()
        HourglassModel(hyperparameters).build(tf.zeros([1, size, size, 3]), is_training=False)
        session.run(step.initializer)
        assign(session, tf.global_variables(), variables)
        saver = VariableSaver(config.Network.name)
        CheckpointFolder(config.Saver.saver_directory).write(0, whole, lambda folder: saver.save(session, folder))
