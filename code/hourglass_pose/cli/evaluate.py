"""evaluate: PCKh and PCK of a checkpoint on annotated photos, with baselines beside them."""

import argparse
import sys

from tqdm import tqdm

from hourglass_pose.cli import original_settings
from hourglass_pose.errors import UserError

HELP = 'measure a checkpoint on annotated photos'


LARGEST_ZOOM = 4.0


def scales_argument(text):
    """Return the numbers of '0.8,1,1.2'."""
    try:
        scales = tuple(float(number) for number in text.split(','))
    except ValueError:
        scales = ()
    if not scales or len(set(scales)) < len(scales) or not all(1 / LARGEST_ZOOM <= s <= LARGEST_ZOOM for s in scales):
        raise argparse.ArgumentTypeError('expected different numbers from %g to %g such as 0.8,1,1.2; found %r'
                                         % (1 / LARGEST_ZOOM, LARGEST_ZOOM, text))
    return scales


def add_arguments(parser):
    parser.add_argument('--checkpoint', required=True, help='a run folder, or a checkpoint in it such as RUN/best')
    parser.add_argument('--annotations', required=True, nargs='+', metavar='FILE', help='annotation files')
    parser.add_argument('--images', required=True, nargs='+', metavar='DIR', help='a folder of images for each file')
    parser.add_argument('--split', choices=('all', 'train', 'valid'), default='all',
                        help='all persons (default), or the side of the split the network was trained with')
    parser.add_argument('--flip-test', choices=('on', 'off'), help='default: as in the training run')
    parser.add_argument('--decoding', choices=('dark', 'quarter', 'argmax'), help='default: as in the training run')
    parser.add_argument('--crop-rule', choices=('box', 'centre_scale'),
                        help='what crops are cut around; default: as in the training run')
    parser.add_argument('--on-bad-annotation', choices=('strict', 'skip'), default='strict',
                        help='stop at wrong lines (default) or go on without them')
    parser.add_argument('--scales', type=scales_argument, default=(1.0,), metavar='S,S,...',
                        help='average the heatmaps of crops in which the person is this much larger, such as 0.8,1,1.2 '
                             '(default: 1)')
    parser.add_argument('--batch-size', type=int, default=16, help='persons prepared ahead; changes no bit of a result')
    parser.add_argument('--workers', type=int, default=None,
                        help='threads that prepare them, 0 for none (default: one a core); changes no bit of a result')
    parser.add_argument('--device', choices=('auto', 'cpu', 'gpu', 'npu'), default='auto')
    parser.add_argument('--precision', choices=('auto', 'float32', 'mixed'), default='float32')
    parser.add_argument('--output', required=True, metavar='DIR', help='folder for metrics.json and pictures')
    original_settings.add_arguments(parser)


def run(options):
    if options.batch_size < 1:
        raise UserError('--batch-size: expected an integer >= 1, found %d' % options.batch_size)
    if options.workers is not None and options.workers < 0:
        raise UserError('--workers: expected an integer >= 0, found %d' % options.workers)
    flip_test = None if options.flip_test is None else options.flip_test == 'on'
    evaluate(options.checkpoint, options.annotations, options.images, options.output, options.split,
             options.on_bad_annotation, options.scales, options.batch_size, options.workers, flip_test=flip_test,
             decoding=options.decoding, crop_rule=options.crop_rule, device=options.device,
             precision=options.precision,
             **original_settings.predictor_options(options))


def evaluate(checkpoint, annotation_files, image_folders, output, split='all', on_bad_annotation='strict',
             scales=(1.0,), batch_size=16, workers=None, **predictor_options):
    """Measure a checkpoint on annotated persons and write the results into the folder `output`.

    batch_size, workers: persons prepared ahead, and by how many threads.
    """
    from hourglass_pose.cli.experiment import make_folder
    from hourglass_pose.cli.results import write_results
    from hourglass_pose.data.annotations import read_annotations
    from hourglass_pose.evaluation.evaluator import Evaluator
    from hourglass_pose.prediction.predictor import Predictor
    from hourglass_pose.tf_compat import describe_versions
    make_folder(output)
    with Predictor(checkpoint, **predictor_options) as predictor:
        annotations = read_annotations(annotation_files, image_folders, len(predictor.skeleton), on_bad_annotation,
                                       joint_names=predictor.skeleton.joints, needs_centre=predictor.rule.needs_centre)
        for problem in annotations.problems:
            print('left out: %s' % problem)
        persons = _persons_of_split(annotations.persons, split, predictor.stored)
        print('device: %s' % predictor.runtime.description)
        print('data: %s; %d persons measured' % (annotations.describe(), len(persons)))
        generator = _generator(persons, predictor, scales, batch_size, workers)
        evaluator = Evaluator(generator, predictor.skeleton, predictor.mean_pose_crop,
                              predictor.flip_test)
        evaluation = evaluator.evaluate(
            predictor.last_logits, lambda batches: tqdm(
                batches, total=evaluator.num_batches, unit='person' if generator.batch_size == 1 else 'batch',
                leave=False, dynamic_ncols=True, disable=None))
    protocol = {
        'data': ', '.join(annotation_files), 'split': split, 'flip_test': predictor.flip_test,
        'scales': ', '.join('%g' % scale for scale in scales), 'decoding': predictor.codec.decoding,
        'crop_rule': predictor.rule.crop_rule, 'crop_corners': predictor.rule.corners,
        'box_margin': predictor.rule.box_margin, 'checkpoint': predictor.stored.path, 'step': predictor.stored.step,
        'unreadable_images': len(evaluator.generator.unreadable), 'command': ' '.join(sys.argv),
        'versions': describe_versions()}
    write_results(output, evaluation, predictor.skeleton, protocol, annotations.sources, annotations.persons)


def _persons_of_split(persons, split, stored):
    """Return the persons on one side of the split that the network was trained with."""
    from hourglass_pose.data.splits import split_persons
    if split == 'all':
        return persons
    if not stored.manifest:
        raise UserError('--split %s: a checkpoint of the original code does not say whom it was trained on; leave '
                        '--split out, or give a file of the persons to measure' % split)
    data = stored.manifest['config']['DataSetHG']
    return split_persons(persons, data['valid_fraction'], data['split_seed'])[split]


def _max_unreadable(stored):
    from hourglass_pose.config_keys import KEY_BY_SPELLING
    if stored.manifest:
        return stored.manifest['config']['DataSetHG']['max_unreadable']
    return KEY_BY_SPELLING['max_unreadable'].default


def _generator(persons, predictor, scales, batch_size, workers):
    """Return the DataGenerator of persons. Its batches are the blocks that the network takes, whatever the options
    are, so a person's place in a block depends on nothing but the list of persons, and so do the last bits.
    """
    from hourglass_pose.data.augmentation import AugmentationRanges
    from hourglass_pose.data.generator import DataGenerator
    from hourglass_pose.data.samples import ImageCache, SampleMaker
    maker = SampleMaker(ImageCache(), predictor.codec, predictor.rule, predictor.skeleton.flip_permutation,
                        predictor.kept_joints, AugmentationRanges(), seed=0, scales=scales)
    return DataGenerator(persons, maker, predictor.batch_size, workers=workers,
                         prefetch=max(1, batch_size // predictor.batch_size),
                         max_unreadable=_max_unreadable(predictor.stored),
                         on_unreadable=lambda message: tqdm.write('left out: %s' % message))
