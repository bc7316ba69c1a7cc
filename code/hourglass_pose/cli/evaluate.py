"""evaluate: PCKh and PCK of a checkpoint on annotated photos, with baselines beside them."""

import os
import sys

from hourglass_pose.cli.options import add_original_options
from hourglass_pose.cli.prediction_options import (
    add_prediction_arguments,
    check_numbers,
    make_generator,
    prediction_options,
    progress_bar,
)
from hourglass_pose.errors import UserError

HELP = 'measure a checkpoint on annotated photos'


def add_arguments(parser):
    parser.add_argument('--checkpoint', required=True, help='a run folder, or a checkpoint in it such as RUN/best')
    parser.add_argument('--annotations', required=True, nargs='+', metavar='FILE', help='annotation files')
    parser.add_argument('--images', required=True, nargs='+', metavar='DIR', help='a folder of images for each file')
    parser.add_argument(
        '--split',
        choices=('all', 'train', 'valid'),
        default='all',
        help="all persons (default), or one side: that which the annotations say, else that of the network's training",
    )
    add_prediction_arguments(parser)
    parser.add_argument(
        '--on-bad-annotation',
        choices=('strict', 'skip'),
        default='strict',
        help='stop at wrong lines (default) or go on without them',
    )
    parser.add_argument('--output', required=True, metavar='DIR', help='folder for metrics.json and pictures')
    add_original_options(parser)


def run(options):
    check_numbers(options)
    evaluate(
        options.checkpoint,
        options.annotations,
        options.images,
        options.output,
        options.split,
        options.on_bad_annotation,
        options.scales,
        options.batch_size,
        options.workers,
        **prediction_options(options),
    )


def evaluate(
    checkpoint,
    annotation_files,
    image_folders,
    output,
    split='all',
    on_bad_annotation='strict',
    scales=(1.0,),
    batch_size=16,
    workers=None,
    **predictor_options,
):
    """Measure a checkpoint on annotated persons and write the results into the folder `output`.

    batch_size, workers: persons prepared ahead, and by how many threads.
    """
    from hourglass_pose.annotations.reading import read_annotations
    from hourglass_pose.config.config import format_sections
    from hourglass_pose.evaluation.evaluator import Evaluator
    from hourglass_pose.experiment.experiment import make_folder
    from hourglass_pose.prediction.predictor import Predictor
    from hourglass_pose.report.results import write_results
    from hourglass_pose.tf_compat import describe_versions

    make_folder(output)
    with Predictor(checkpoint, **predictor_options) as predictor:
        annotations = read_annotations(
            annotation_files,
            image_folders,
            len(predictor.skeleton),
            on_bad_annotation,
            joint_names=predictor.skeleton.joints,
            needs_centre=predictor.rule.needs_centre,
        )
        for problem in annotations.problems:
            print(f'left out: {problem}')
        persons = _persons_of_split(annotations.persons, split, predictor.stored)
        print(f'device: {predictor.runtime.description}')
        print(f'data: {annotations.describe()}; {len(persons)} persons measured')
        generator = make_generator(persons, predictor, scales, batch_size, workers)
        evaluator = Evaluator(generator, predictor.skeleton, predictor.mean_pose_crop, predictor.flip_test)
        evaluation = evaluator.evaluate(predictor.last_logits, progress_bar(generator))
    protocol = {
        'data': ', '.join(annotation_files),
        'split': split,
        'flip_test': predictor.flip_test,
        'scales': ', '.join(f'{scale:g}' for scale in scales),
        'decoding': predictor.codec.decoding,
        'crop_rule': predictor.rule.crop_rule,
        'crop_corners': predictor.rule.corners,
        'box_margin': predictor.rule.box_margin,
        'checkpoint': predictor.stored.path,
        'step': predictor.stored.step,
        'unreadable_images': len(evaluator.generator.unreadable),
        'command': ' '.join(sys.argv),
        'versions': describe_versions(),
    }
    settings = format_sections(predictor.stored.manifest['config']) if predictor.stored.manifest else ''
    write_results(
        output,
        evaluation,
        predictor.skeleton,
        protocol,
        annotations.sources,
        annotations.persons,
        history=_history_of(predictor.stored),
        config_text=settings,
    )


def _history_of(stored):
    """Return the rows of the history.csv of the run that a checkpoint of ours lies in, up to that checkpoint."""
    from hourglass_pose.training.run_log import HISTORY, read_history

    if not stored.manifest:
        return []
    rows = read_history(os.path.join(os.path.dirname(os.path.realpath(stored.path)), HISTORY))
    return [row for row in rows if row.get('step', '').isdigit() and int(row['step']) <= stored.step]


def _persons_of_split(persons, split, stored):
    """Return the persons on one side: that which the annotations say, else that of the network's training."""
    from hourglass_pose.annotations.splits import split_persons

    if split == 'all':
        # Those of a test split may have no joints to measure by.
        return [person for person in persons if person.labelled.any()]
    if all(person.split for person in persons):
        found = [person for person in persons if person.split == split]
        if not found:
            raise UserError(
                '--split %s: the annotations say another split of all %d persons; leave --split out, or '
                'give another file' % (split, len(persons))
            )
        return found
    if not stored.manifest:
        raise UserError(
            f'--split {split}: a checkpoint of the original code does not say whom it was trained on; leave '
            '--split out, or give a file of the persons to measure'
        )
    data = stored.manifest['config']['DataSetHG']
    return split_persons(persons, data['valid_fraction'], data['split_seed'])[split]
