"""import-weights: the weights of a PyTorch hourglass as a run folder to predict with and to train on from."""

import hashlib
import os
import shlex

from hourglass_pose.cli.train import CONFIG_COPY
from hourglass_pose.errors import CheckpointError, ConfigError
from hourglass_pose.files import write_whole

HELP = 'turn weights of a PyTorch hourglass into a checkpoint'

# Both programs learn Gaussians with a standard deviation of one cell of 64 by mean squared error, and move a quarter
# cell towards the higher neighbour. What either went on training with, apart from the schedule.
_OPTIMIZERS = {'bearpaw': ('rmsprop', 2.5e-4), 'princeton': ('adam', 2e-4)}

_LICENCES = {
    'bearpaw': 'bearpaw/pytorch-pose and anibali/pytorch-stacked-hourglass are published under the GNU GPL version 3 '
    'and say nothing of their weights in particular',
    'princeton': 'princeton-vl/pytorch_stacked_hourglass is published under the BSD 3-clause licence and says nothing '
    'of its weights in particular',
}


def add_arguments(parser):
    parser.add_argument('file', metavar='FILE', help='a state dict, or a checkpoint with one, written by torch.save')
    parser.add_argument(
        '--from',
        required=True,
        choices=sorted(_LICENCES),
        dest='code_base',
        help='whose network it is: bearpaw/pytorch-pose, also anibali/pytorch-stacked-hourglass, or '
        'princeton-vl/pytorch_stacked_hourglass',
    )
    parser.add_argument('--output', required=True, metavar='DIR', help='the run folder to make')


def run(options):
    from hourglass_pose.checkpoints.folder import CheckpointFolder
    from hourglass_pose.checkpoints.pytorch_file import read_state_dict

    folder = options.output
    if CheckpointFolder(folder).steps():
        raise ConfigError(f'{folder} holds an earlier run; name another folder by --output')
    if os.path.exists(os.path.join(folder, CONFIG_COPY)):
        raise ConfigError(f'{folder} holds a {CONFIG_COPY}, which would be replaced; name another folder by --output')
    state = read_state_dict(options.file)
    source = {'file': os.path.basename(options.file), 'sha256': _sha256(options.file), 'code_base': options.code_base}
    print(f'read: {len(state)} tensors in {options.file}, SHA-256 {source["sha256"]}')
    # TensorFlow takes seconds to load, so a wrong file is reported before it is.
    from hourglass_pose.checkpoints.pytorch_weights import CODE_BASES, convert
    from hourglass_pose.config.config import format_config
    from hourglass_pose.experiment.experiment import Experiment, make_folder
    from hourglass_pose.graph.summary import summarise_network

    try:
        network = convert(state, options.code_base)
    except CheckpointError as error:
        raise CheckpointError(f'{options.file}: {error}')
    config = _config(network.traits, options)
    source['left_out'] = list(network.unused + network.unknown)
    print(f'network: {CODE_BASES[options.code_base].title}; {summarise_network(network.traits).describe()}')
    print('\n'.join(network.lines()))
    if not config.Validation.flip_test:
        print(
            'note: nothing tells the names of its %d joints, so they are numbered and no left and right are known; '
            'name them by --set DataSetHG.joint_list=[...] when you train on' % network.traits.num_joints
        )
    make_folder(folder)
    _write_checkpoint(
        Experiment(config), network, dict(_start(), started_from=os.path.abspath(options.file), source=source)
    )
    # Last, for where one lies the command does not begin: an interrupted one can be given again.
    write_whole(os.path.join(folder, CONFIG_COPY), format_config(config).encode('utf-8'))
    print(f'in {folder}: config.cfg, latest')
    print(f'licence: {_LICENCES[options.code_base]}; importing them changes no licence')
    print(
        'next: python -m hourglass_pose predict --checkpoint {0}/latest PHOTO.jpg --output predictions\n'
        '      python -m hourglass_pose evaluate --checkpoint {0} --annotations FILE --images FOLDER --output results'
        '\n      python -m hourglass_pose resume {0} --set DataSetHG.training_txt_file=FILE --set '
        'DataSetHG.img_directory=FOLDER'.format(shlex.quote(folder.rstrip('/') or '/'))
    )


def _config(traits, options):
    """Return the Config of an imported network: what its code cropped, decoded and trained with."""
    from hourglass_pose.config.config import config_from_dict
    from hourglass_pose.input.cropping import BARE_BOX_MARGIN
    from hourglass_pose.skeleton import MPII_JOINTS

    is_mpii = traits.num_joints == len(MPII_JOINTS)
    optimizer, rate = _OPTIMIZERS[options.code_base]
    return config_from_dict(
        {
            'DataSetHG': {
                'joint_list': MPII_JOINTS if is_mpii else ['joint_%d' % index for index in range(traits.num_joints)],
                # Both crop by MPII's centre and scale, each with corners of its own.
                'crop_rule': 'centre_scale',
                'crop_corners': options.code_base,
                # For data without them, by crop_rule 'box'.
                'box_margin': BARE_BOX_MARGIN,
            },
            'Network': {
                'arch': traits.arch,
                'nStack': traits.num_stacks,
                'nFeat': traits.num_features,
                'nLow': traits.num_poolings,
                'nModules': traits.num_modules,
                'img_size': traits.input_size,
                'stem_feat': traits.stem_features,
                'input_mean': traits.input_mean,
            },
            'Train': {'loss': 'mse', 'sigma': 1.0, 'optimizer': optimizer, 'lear_rate': rate},
            'Validation': {'flip_test': is_mpii, 'decoding': 'quarter'},
            'Saver': {'saver_directory': options.output},
        },
        source=options.file,
    )


def _start():
    """Return what a manifest says of a run whose first step is still to come."""
    from hourglass_pose.tf_compat import describe_versions

    return {
        'global_step': 0,
        'epoch': 0,
        'steps_per_epoch': None,
        'progress': {'metrics': {}},
        'averaged_weights': False,
        'split_hash': None,
        'device': 'none, the weights were imported',
        'versions': describe_versions(),
    }


def _write_checkpoint(experiment, network, manifest):
    from hourglass_pose.checkpoints.folder import CheckpointFolder
    from hourglass_pose.checkpoints.variables import VariableSaver
    from hourglass_pose.graph.model import HourglassModel
    from hourglass_pose.tf_compat import tf

    config, size = experiment.config, network.traits.input_size
    manifest = dict(
        manifest,
        config=config.as_dict(),
        traits=network.traits.as_dict(),
        seed=config.Train.seed,
        inference=experiment.inference_record(None).as_dict(),
    )
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(device_count={'GPU': 0})) as session:
        tf.train.get_or_create_global_step()
        HourglassModel(network.traits).build(tf.zeros([1, size, size, 3]), is_training=False)
        session.run(
            [variable.initializer for variable in tf.global_variables()],
            {
                variable.initializer.inputs[1]: network.variables[variable.op.name]
                for variable in tf.global_variables()
                if variable.op.name in network.variables
            },
        )
        saver = VariableSaver(config.Network.name)
        CheckpointFolder(config.Saver.saver_directory).write(0, manifest, lambda folder: saver.save(session, folder))


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as stream:
        for block in iter(lambda: stream.read(2**20), b''):
            digest.update(block)
    return digest.hexdigest()
