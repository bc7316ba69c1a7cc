"""How a network predicts: the options that evaluate and submit share, and the generator that they ask for."""

import argparse

from tqdm import tqdm

from hourglass_pose.errors import UserError
from hourglass_pose.experiment import original_settings

LARGEST_ZOOM = 4.0


def scales_argument(text):
    """Return the numbers of '0.8,1,1.2'."""
    try:
        scales = tuple(float(number) for number in text.split(','))
    except ValueError:
        scales = ()
    if not scales or len(set(scales)) < len(scales) or not all(1 / LARGEST_ZOOM <= s <= LARGEST_ZOOM for s in scales):
        raise argparse.ArgumentTypeError(
            f'expected different numbers from {1 / LARGEST_ZOOM:g} to {LARGEST_ZOOM:g} such as 0.8,1,1.2; found '
            f'{text!r}'
        )
    return scales


def add_prediction_arguments(parser):
    """Add the options on how a network predicts."""
    parser.add_argument('--flip-test', choices=('on', 'off'), help='default: as in the training run')
    parser.add_argument('--decoding', choices=('dark', 'quarter', 'argmax'), help='default: as in the training run')
    parser.add_argument(
        '--crop-rule',
        choices=('box', 'centre_scale'),
        help='what crops are cut around; default: as in the training run',
    )
    parser.add_argument(
        '--scales',
        type=scales_argument,
        default=(1.0,),
        metavar='S,S,...',
        help='average the heatmaps of crops in which the person is this much larger, such as 0.8,1,1.2 (default: 1)',
    )
    parser.add_argument('--batch-size', type=int, default=16, help='persons prepared ahead; changes no bit of a result')
    parser.add_argument(
        '--workers',
        type=int,
        default=None,
        help='threads that prepare them, 0 for none (default: one a core); changes no bit of a result',
    )
    parser.add_argument('--device', choices=('auto', 'cpu', 'gpu', 'npu'), default='auto')
    parser.add_argument('--precision', choices=('auto', 'float32', 'mixed'), default='float32')


def check_numbers(options):
    """Raise UserError for a batch size or a number of workers that cannot be."""
    if options.batch_size < 1:
        raise UserError('--batch-size: expected an integer >= 1, found %d' % options.batch_size)
    if options.workers is not None and options.workers < 0:
        raise UserError('--workers: expected an integer >= 0, found %d' % options.workers)


def prediction_options(options):
    """Return the keywords for Predictor that the options ask for."""
    return dict(
        original_settings.predictor_options(options),
        flip_test=None if options.flip_test is None else options.flip_test == 'on',
        decoding=options.decoding,
        crop_rule=options.crop_rule,
        device=options.device,
        precision=options.precision,
    )


def make_generator(persons, predictor, scales, batch_size, workers):
    """Return the DataGenerator of persons. Its batches are the blocks that the network takes, whatever the options
    are, so a person's place in a block depends on nothing but the list of persons, and so do the last bits.
    """
    from hourglass_pose.input.generator import DataGenerator
    from hourglass_pose.input.samples import ImageCache, SampleMaker

    maker = SampleMaker(
        ImageCache(), predictor.rule, predictor.skeleton.flip_permutation, predictor.kept_joints, scales=scales
    )
    return DataGenerator(
        persons,
        maker,
        predictor.batch_size,
        workers=workers,
        prefetch=max(1, batch_size // predictor.batch_size),
        max_unreadable=_max_unreadable(predictor.stored),
        on_unreadable=lambda message: tqdm.write(f'left out: {message}'),
    )


def progress_bar(generator):
    """Return what wraps an iterable of the generator's validation batches to show a bar."""
    unit = 'person' if generator.batch_size == 1 else 'batch'
    return lambda batches: tqdm(
        batches, total=generator.num_validation_batches, unit=unit, leave=False, dynamic_ncols=True, disable=None
    )


def _max_unreadable(stored):
    from hourglass_pose.config.keys import KEY_BY_SPELLING

    if stored.manifest:
        return stored.manifest['config']['DataSetHG']['max_unreadable']
    return KEY_BY_SPELLING['max_unreadable'].default
