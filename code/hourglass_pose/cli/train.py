"""train: from random weights to a trained network; resume shares all of it."""

import os
import sys
import time

from tqdm import tqdm

import hourglass_pose
from hourglass_pose.config.config import format_config, load_config
from hourglass_pose.errors import AnnotationError, ConfigError
from hourglass_pose.experiment.experiment import Experiment, make_folder
from hourglass_pose.files import write_whole

HELP = 'train a network from the settings of a config.cfg'
CONFIG_COPY = 'config.cfg'
GIVEN_CONFIG = 'config.given.cfg'

PROGRAM = os.path.dirname(os.path.abspath(hourglass_pose.__file__))


def add_arguments(parser):
    add_config_arguments(parser)
    parser.add_argument(
        '--synthetic', action='store_true', help='draw DataSetHG.synthetic_images pictures of people and train on them'
    )
    parser.add_argument(
        '--fresh', action='store_true', help='start over: an earlier run in Saver.saver_directory is set aside'
    )


def add_config_arguments(parser):
    """Add the arguments that `train` and `resume` share."""
    parser.add_argument('--config', default='config.cfg', help='the settings (default: config.cfg)')
    parser.add_argument(
        '--set',
        action='append',
        default=[],
        metavar='SECTION.KEY=VALUE',
        dest='overrides',
        help='override a setting, for instance Train.batch_size=8; may be repeated',
    )
    parser.add_argument('--quiet', action='store_true', help='do not print the resolved settings')


def run(options):
    config = load_config(options.config, options.overrides)
    if not config.Train.training:
        config = with_synthetic_people(config) if options.synthetic else config
        require_data(config)
        validate(config)
        return
    if not options.synthetic:
        require_data(config)
    train(config, fresh=options.fresh, quiet=options.quiet, synthetic=options.synthetic)


def validate(config):
    """Measure the newest checkpoint of the run on its validation persons."""
    from hourglass_pose.experiment.evaluation_run import evaluate_checkpoint

    data, folder = config.DataSetHG, config.Saver.saver_directory
    evaluate_checkpoint(
        folder,
        data.training_txt_file,
        data.img_directory,
        folder,
        'valid',
        data.on_bad_annotation,
        flip_test=config.Validation.flip_test,
        decoding=config.Validation.decoding,
        device=config.Device.device,
        precision=config.Device.precision,
        batch_size=config.Validation.valid_batch_size,
    )


def with_synthetic_people(config):
    """Return the config with its data replaced by a data set of drawn people, drawing it where it is not there."""
    from hourglass_pose.config.config import config_from_dict
    from hourglass_pose.synthetic.dataset import write_synthetic_dataset

    folder = os.path.join(os.path.dirname(config.Saver.saver_directory), 'synthetic_people')
    make_folder(folder)
    count = config.DataSetHG.synthetic_images
    annotations = write_synthetic_dataset(folder, count, config.Train.seed, drawing_bar, os.cpu_count() or 1)
    settings = config.as_dict()
    settings['DataSetHG'].update(training_txt_file=[annotations], img_directory=[os.path.join(folder, 'images')])
    return config_from_dict(settings)


def drawing_bar(items):
    return tqdm(items, desc='drawing people', unit='image', leave=False, dynamic_ncols=True, disable=None)


def require_data(config):
    """Raise AnnotationError, with what to do, where the data is not there."""
    data = config.DataSetHG
    missing = [path for path in tuple(data.training_txt_file) + tuple(data.img_directory) if not os.path.exists(path)]
    if missing:
        raise AnnotationError(
            'no training data: {} is not there. MPII is had from its authors (human-pose.mpi-inf.mpg.de: images and '
            'annotations); name your own files by --set DataSetHG.training_txt_file=FILE --set '
            'DataSetHG.img_directory=FOLDER; or add --synthetic, which draws people and trains on them'.format(
                ', '.join(missing)
            )
        )


def train(config, resume_folder=None, initial=None, fresh=False, quiet=False, synthetic=False, notes=()):
    """Train as a Config says, in its saver_directory; evaluate and leave results there when the last epoch is done.

    resume_folder: checkpoint of the run that goes on. initial: StoredNetwork whose weights a new run starts with.
    synthetic: draw people and train on them. notes: lines to show first. Of many processes the first one alone writes
    and speaks.
    """
    if not resume_folder and int(os.environ.get('RANK_SIZE') or 1) == 1:
        # A mistake is reported before TensorFlow is loaded, which takes seconds.
        refuse_mixing(config.Saver.saver_directory, fresh)
    from hourglass_pose.experiment.training_run import TrainingRun, open_device

    with open_device(config) as runtime:
        say = tqdm.write if runtime.is_chief else silent
        for note in notes:
            say(note)
        config = _prepared(config, runtime, resume_folder, fresh, synthetic)
        experiment = Experiment(config, say=say)
        if not quiet:
            say(format_config(config))
        training_run = TrainingRun(experiment, runtime, resume_folder, initial, command=' '.join(sys.argv))
        if runtime.is_chief:
            # Not before the settings are known to fit the checkpoint: the copy is what the next resume goes by.
            text = format_config(config)
            if not resume_folder:
                keep_given(config.Saver.saver_directory, text, say)
            write_whole(os.path.join(config.Saver.saver_directory, CONFIG_COPY), text.encode('utf-8'))
        training_run.run()


def _prepared(config, runtime, resume_folder, fresh, synthetic):
    """Make the folder of the run and the drawn data by the first process alone; return the Config with the data."""
    if runtime.is_chief:
        if not resume_folder:
            make_way(config.Saver.saver_directory, fresh)
        make_folder(config.Saver.saver_directory)
        if synthetic:
            with_synthetic_people(config)
    runtime.barrier()
    # What the first process has drawn is there and whole; the others only find it.
    return with_synthetic_people(config) if synthetic else config


def keep_given(folder, text, say):
    """Rename a config.cfg in the folder of a new run that is not the run's own, once.

    The settings of the original code have the run in their own folder.
    """
    path, given = os.path.join(folder, CONFIG_COPY), os.path.join(folder, GIVEN_CONFIG)
    if os.path.exists(given) or not os.path.isfile(path):
        return
    with open(path, encoding='utf-8', errors='replace') as stream:
        if stream.read() == text:
            return
    os.replace(path, given)
    say(f'note: the run keeps its settings in {path}; the file that was there is now {given}')


def silent(*lines):
    """Say nothing: another process says it."""


def refuse_mixing(folder, fresh):
    """Raise ConfigError where a new run would mix with an earlier one."""
    from hourglass_pose.checkpoints.folder import CheckpointFolder

    if not fresh and CheckpointFolder(folder).steps():
        raise ConfigError(
            f'{folder} holds an earlier run; go on with it by "python load.py", start over by --fresh, or name '
            'another folder by --set Saver.saver_directory=FOLDER'
        )


def make_way(folder, fresh):
    """Keep a new run from mixing with an earlier one: refuse, or set the earlier one aside."""
    from hourglass_pose.checkpoints.folder import CheckpointFolder

    refuse_mixing(folder, fresh)
    if not CheckpointFolder(folder).steps():
        return
    for inside in (os.getcwd(), PROGRAM):
        if os.path.commonpath([os.path.realpath(folder), os.path.realpath(inside)]) == os.path.realpath(folder):
            raise ConfigError(
                f'{folder} holds an earlier run and cannot be set aside, for {inside} is in it; name another folder '
                'by --set Saver.saver_directory=FOLDER'
            )
    aside = '{}.{}'.format(folder, time.strftime('%Y%m%d-%H%M%S'))
    os.rename(folder, aside)
    print(f'the earlier run is now in {aside}')
