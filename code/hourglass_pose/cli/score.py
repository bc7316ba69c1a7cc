"""score: PCKh of predictions that any program made, by the published protocol."""

import os
import sys
from collections import OrderedDict
from dataclasses import replace

import numpy as np

from hourglass_pose.errors import UserError

HELP = 'score predictions of any program by the published protocol'

SPLITS = ('all', 'train', 'valid', 'test')


def add_arguments(parser):
    parser.add_argument(
        '--predictions',
        required=True,
        metavar='FILE',
        help=".mat or .h5 with an array (N, 16, 2) in any order of its axes, MPII's submission .mat, "
        'or predictions.json',
    )
    parser.add_argument(
        '--annotations',
        required=True,
        metavar='FILE',
        help='ground truth .mat with head boxes (detections_our_format.mat, gt_valid.mat), or an annotation file',
    )
    parser.add_argument(
        '--split',
        choices=SPLITS,
        help='persons of the annotation file: those it assigns to a split, or all; given, missing '
        'predictions count as wrong (default: whom predictions name; for arrays valid, else all)',
    )
    parser.add_argument(
        '--predictions-count-from',
        type=int,
        choices=(0, 1),
        metavar='0|1',
        help='number of the first pixel in the predictions; default: 0 for our own JSON, else 1',
    )
    parser.add_argument('--variable', metavar='NAME', help='the array to take (default: by its usual name or shape)')
    parser.add_argument('--images', metavar='DIR', help='folder of images, for the picture of the worst persons')
    parser.add_argument('--output', metavar='DIR', help='folder for report.html, metrics.json, pckh.png and worst.png')


def run(options):
    from hourglass_pose.experiment.experiment import make_folder

    if options.images and not options.output:
        raise UserError('--images: the picture of the worst persons needs a place; add --output DIR')
    measured, truth, protocol = measure(
        options.predictions, options.annotations, options.split, options.variable, options.predictions_count_from
    )
    protocol['command'] = ' '.join(sys.argv)
    if options.output:
        make_folder(options.output)
    leave_results(options.output, options.images, measured, truth, protocol)


def measure(predictions_path, annotations_path, split=None, variable=None, count_from=None):
    """Return (Score, GroundTruth, protocol) of two files; the arguments are the options of the command."""
    from hourglass_pose.scoring.scoring import match, score

    predictions, truth = read_both(predictions_path, annotations_path, split, variable)
    joints, rows = match(predictions, truth, only_predicted=split is None)
    first = predictions.count_from if count_from is None else count_from
    measured, otherwise = [score(joints + (truth.count_from - start), rows, truth) for start in (first, 1 - first)]
    return (
        measured,
        truth,
        OrderedDict(
            [
                ('predictions', predictions_path),
                ('read_as', predictions.description),
                ('ground_truth', annotations_path),
                ('ground_truth_read_as', truth.description),
                ('rows_matched_by', 'order' if truth.persons is None or predictions.in_order else 'person'),
                ('annotated_persons_without_prediction', count_unpredicted(joints, truth)),
                ('predictions_count_from', first),
                ('ground_truth_counts_from', truth.count_from),
                ('counting', describe_counting(first, truth.count_from, measured.result, otherwise.result)),
            ]
        ),
    )


def read_both(predictions_path, annotations_path, split=None, variable=None):
    """Return (PredictedPoses, GroundTruth) of two files. Raises UserError for files that do not fit each other."""
    from hourglass_pose.scoring.array_files import kind_of, read_arrays
    from hourglass_pose.scoring.ground_truth import ground_truth_of_arrays, is_ground_truth
    from hourglass_pose.scoring.prediction_files import name_images, read_predictions
    from hourglass_pose.scoring.submission import find_release, official_images

    kind = kind_of(annotations_path)
    arrays = read_arrays(annotations_path, kind) if kind in ('matlab', 'hdf5') else {}
    if is_ground_truth(arrays):
        if split not in (None, 'all'):
            raise UserError(f'--split {split}: the ground truth .mat has one set of persons; leave --split out')
        truth = ground_truth_of_arrays(arrays, annotations_path)
        return read_predictions(predictions_path, len(truth.joints), variable), truth
    predictions = read_predictions(predictions_path, None, variable)
    release = find_release(arrays)
    if release is not None:
        if split not in (None, 'all'):
            raise UserError(
                f'--split {split}: the official file knows no such split; leave --split out, or prepare annotations'
            )
        return name_images(predictions, official_images(release, annotations_path)), official_truth(annotations_path)
    truth = annotated_truth(annotations_path, predictions.names, split, predictions.in_order)
    if predictions.in_order:
        # An array is read once more where the number of persons tells which of its axes is theirs.
        predictions = read_predictions(predictions_path, len(truth.joints), variable)
    return predictions, truth


def annotated_truth(path, names, split, in_order):
    """Return the GroundTruth of an annotation file. in_order: whether nothing but their number says whose rows are."""
    from hourglass_pose.annotations.reading import read_annotations
    from hourglass_pose.scoring.ground_truth import ground_truth_of_persons

    everyone = read_annotations(path, None, len(names), joint_names=names).persons
    if split is None:
        split = 'valid' if in_order and any(person.split == 'valid' for person in everyone) else 'all'
    persons = [person for person in everyone if split in ('all', person.split)]
    if not persons:
        raise UserError(
            f'--split {split}: {path} assigns no person to it; leave --split out, or prepare the annotations with '
            'their official split'
        )
    return ground_truth_of_persons(persons, everyone, names, f'annotated persons, split {split}')


def official_truth(path):
    """Return the GroundTruth of those persons of the official annotations that have joints."""
    from hourglass_pose.annotations.person import Person
    from hourglass_pose.converters.mpii_mat import read_mpii_mat
    from hourglass_pose.scoring.ground_truth import ground_truth_of_persons
    from hourglass_pose.skeleton import MPII_JOINTS

    persons = [person for person in read_mpii_mat(path) if isinstance(person, Person) and person.labelled.any()]
    if not persons:
        raise UserError(f'{path}: no person has joints, so there is nothing to score against')
    return ground_truth_of_persons(persons, persons, MPII_JOINTS, 'official annotations, all persons with joints')


def count_unpredicted(joints, truth):
    """Return how many persons of the truth have no prediction, be they left out or scored as wrong."""
    return len(truth.joints) - int((~np.isnan(joints).all(axis=(1, 2))).sum())


def describe_counting(first, truth_first, result, otherwise):
    """Return a line on how pixels were counted, and what counting them the other way would change."""
    done = (
        'compared as they stand'
        if first == truth_first
        else 'shifted by %+d px to the ground truth' % (truth_first - first)
    )
    name = 'pckh@0.5' if result.metrics['pckh@0.5']['mean'] is not None else 'pck@0.2'
    values = [found.metrics[name]['mean'] for found in (result, otherwise)]
    if None in values:
        return done
    return '%s; with --predictions-count-from %d the mean would be %.2f instead of %.2f' % (
        done,
        1 - first,
        values[1],
        values[0],
    )


def leave_results(folder, images, measured, truth, protocol):
    """Print the score, and write it and the pictures of it where there is a folder."""
    from hourglass_pose.evaluation.breakdown import WORST_PERSONS, break_down, format_breakdown, worst_persons
    from hourglass_pose.report import tables as report

    breakdown = break_down(measured.result, measured.skeleton, truth.traits.of_rows(measured.rows))
    places, percents = worst_persons(measured.result, measured.skeleton)
    worst = [(truth.row_name(measured.rows[place]), percent) for place, percent in zip(places, percents)]
    worst = worst[:WORST_PERSONS]
    metrics = report.build_metrics(measured.result, {}, protocol, breakdown, worst)
    print(report.format_table(metrics, subject='predictions'))
    print(f'\n{format_breakdown(breakdown, report.METRIC_TITLES)}')
    if not folder:
        return
    report.write_json(os.path.join(folder, 'metrics.json'), metrics)
    report.draw_pckh_curve(
        os.path.join(folder, 'pckh.png'), measured.result, {}, os.path.basename(protocol['predictions'])
    )
    written = leave_report(folder, images, measured, truth, metrics)
    written += ['metrics.json', 'pckh.png']
    if images and truth.persons is not None:
        written += draw_worst(folder, images, measured, truth, places, percents)
    elif images:
        print('no picture of the worst persons: the ground truth does not say in which images its persons are')
    print(f'in {folder}: {", ".join(written)}')


def leave_report(folder, images, measured, truth, metrics):
    """Write report.html, with pictures where their images are there, and return the names of what was written."""
    from hourglass_pose.report.page import write_report_page

    persons = joints = None
    if images and truth.persons is not None:
        persons = [
            replace(truth.persons[row], image_path=os.path.join(images, truth.persons[row].image))
            for row in measured.rows
        ]
        joints = measured.joints - truth.count_from
    return write_report_page(
        folder,
        os.path.basename(metrics['protocol']['predictions']),
        metrics,
        measured.result,
        {},
        measured.skeleton,
        persons,
        joints,
        subject='predictions',
    )


def draw_worst(folder, images, measured, truth, places, percents):
    """Write worst.png of the worst persons whose picture is there; return ['worst.png'], or [] without any.

    places, percents: the persons, worst first, as worst_persons returns them.
    """
    from hourglass_pose.evaluation.breakdown import WORST_PERSONS
    from hourglass_pose.report.results import write_worst

    persons = [truth.persons[measured.rows[place]] for place in places]
    persons = [replace(person, image_path=os.path.join(images, person.image)) for person in persons]
    there = [index for index, person in enumerate(persons) if os.path.isfile(person.image_path)][:WORST_PERSONS]
    if len(there) < min(WORST_PERSONS, len(persons)):
        print(f'worst.png: the worst of the {len(there)} persons whose image is in {images}')
    # Pictures are drawn in our frame, whatever the one of the score.
    joints = measured.joints[places[there]] - truth.count_from
    return write_worst(folder, [persons[index] for index in there], joints, percents[there], measured.skeleton)
