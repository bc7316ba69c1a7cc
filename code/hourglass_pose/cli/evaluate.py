"""evaluate: PCKh and PCK of a checkpoint on annotated photos, together with baselines."""

import argparse

from hourglass_pose.cli.options import add_original_options, add_prediction_arguments, prediction_options

HELP = 'measure a checkpoint on annotated photos'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--checkpoint', required=True, help='a run folder, or a checkpoint in it such as RUN/best')
    parser.add_argument('--annotations', required=True, nargs='+', metavar='FILE', help='annotation files')
    parser.add_argument('--images', required=True, nargs='+', metavar='DIR', help='a folder of images for each file')
    parser.add_argument(
        '--split',
        choices=('all', 'train', 'valid'),
        default='all',
        help='all persons (default), or a split: of the annotations if they have one, otherwise of the training',
    )
    add_prediction_arguments(parser)
    parser.add_argument(
        '--on-bad-annotation',
        choices=('strict', 'skip'),
        default='strict',
        help='stop at invalid lines (default) or skip them',
    )
    parser.add_argument(
        '--coco-annotations',
        metavar='FILE',
        help="COCO's person_keypoints JSON that the annotations were made from, for AP, AR and coco_results.json "
        '(needs pycocotools)',
    )
    parser.add_argument('--output', required=True, metavar='DIR', help='folder for metrics.json and pictures')
    add_original_options(parser)


def run(options: argparse.Namespace) -> None:
    from hourglass_pose.experiment.evaluation_run import evaluate_checkpoint

    evaluate_checkpoint(
        options.checkpoint,
        options.annotations,
        options.images,
        options.output,
        options.split,
        options.on_bad_annotation,
        options.coco_annotations,
        options.scales,
        options.batch_size,
        options.workers,
        **prediction_options(options),
    )
