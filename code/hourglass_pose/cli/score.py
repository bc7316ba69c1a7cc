"""score: PCKh or AP of the predictions of any program, by the published protocol."""

import argparse
import sys

from hourglass_pose.errors import UserError

HELP = 'score predictions of any program by the published protocol'

SPLITS = ('all', 'train', 'valid', 'test')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--predictions',
        required=True,
        metavar='FILE',
        help=".mat or .h5 with an array (N, 16, 2) in any order of its axes, MPII's submission .mat, "
        "predictions.json, or COCO's results.json",
    )
    parser.add_argument(
        '--annotations',
        required=True,
        nargs='+',
        metavar='FILE',
        help='a ground truth .mat with head boxes (detections_our_format.mat, gt_valid.mat), annotation files, '
        "or COCO's person_keypoints JSON for its results",
    )
    parser.add_argument(
        '--split',
        choices=SPLITS,
        help='persons of the annotation files to score: those of a split, or all; missing predictions then count as '
        'wrong (default: the persons that the predictions name; for arrays the split valid if it exists)',
    )
    parser.add_argument(
        '--predictions-count-from',
        type=int,
        choices=(0, 1),
        metavar='0|1',
        help='number of the first pixel in the predictions (default: 0 for our own JSON, otherwise 1)',
    )
    parser.add_argument('--variable', metavar='NAME', help='the array to take (default: by its usual name or shape)')
    parser.add_argument('--images', metavar='DIR', help='folder of images, for pictures of persons')
    parser.add_argument('--output', metavar='DIR', help='folder for report.html, metrics.json, curve and pictures')


def run(options: argparse.Namespace) -> None:
    from hourglass_pose.files import make_folder
    from hourglass_pose.report.results import results_of_score, write_coco_score, write_results
    from hourglass_pose.scoring.coco import are_coco_files, score_coco_files
    from hourglass_pose.scoring.score_files import score_files

    command = ' '.join(sys.argv)
    if options.images and not options.output:
        raise UserError('--images: pictures of persons need a folder; add --output DIR')
    if are_coco_files(options.predictions, options.annotations):
        coco = score_coco_files(options.predictions, options.annotations)
        if options.output:
            make_folder(options.output)
        write_coco_score(options.output, coco, options.predictions, options.annotations, command)
        return
    score = score_files(
        options.predictions,
        options.annotations,
        options.split,
        options.variable,
        options.predictions_count_from,
        command,
    )
    if options.images and score.truth.persons is None:
        print('note: no pictures of persons; the ground truth does not name the images of its persons')
    if options.output:
        make_folder(options.output)
    write_results(options.output, results_of_score(score, options.images))
