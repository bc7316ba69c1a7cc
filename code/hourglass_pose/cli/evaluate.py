"""evaluate: PCKh and PCK of a checkpoint on annotated photos, with baselines beside them."""

import argparse
import sys

from hourglass_pose.cli.prediction_options import add_prediction_arguments, generator_options, prediction_options
from hourglass_pose.experiment import original_settings

HELP = 'measure a checkpoint on annotated photos'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--checkpoint', required=True, help='a run folder, or a checkpoint in it such as RUN/best')
    parser.add_argument('--annotations', required=True, nargs='+', metavar='FILE', help='annotation files')
    parser.add_argument('--images', required=True, nargs='+', metavar='DIR', help='a folder of images for each file')
    parser.add_argument(
        '--split',
        choices=('all', 'train', 'valid'),
        default='all',
        help='all persons (default), or a split: as the annotations assign it, otherwise as in the training',
    )
    add_prediction_arguments(parser)
    parser.add_argument(
        '--on-bad-annotation',
        choices=('strict', 'skip'),
        default='strict',
        help='stop at wrong lines (default) or go on without them',
    )
    parser.add_argument(
        '--coco-annotations',
        metavar='FILE',
        help="COCO's person_keypoints JSON that the annotations were made from, for AP and AR (needs pycocotools)",
    )
    parser.add_argument('--output', required=True, metavar='DIR', help='folder for metrics.json and pictures')
    original_settings.add_arguments(parser)


def run(options: argparse.Namespace) -> None:
    from hourglass_pose.annotations.reading import read_annotations
    from hourglass_pose.config.config import format_sections
    from hourglass_pose.experiment.experiment import make_folder
    from hourglass_pose.prediction.measuring import evaluate_persons
    from hourglass_pose.prediction.predictor import Predictor
    from hourglass_pose.report.results import write_results
    from hourglass_pose.scoring.coco import CocoAnnotations

    coco = CocoAnnotations(options.coco_annotations) if options.coco_annotations else None
    make_folder(options.output)
    with Predictor(options.checkpoint, **prediction_options(options)) as predictor:
        annotations = read_annotations(
            options.annotations,
            options.images,
            len(predictor.skeleton),
            options.on_bad_annotation,
            joint_names=predictor.skeleton.joints,
            needs_centre=predictor.rule.needs_centre,
        )
        for problem in annotations.problems:
            print(f'left out: {problem}')
        manifest = predictor.stored.manifest
        results = evaluate_persons(
            predictor,
            annotations,
            options.split,
            coco,
            config_text=format_sections(manifest['config']) if manifest else '',
            command=' '.join(sys.argv),
            **generator_options(options, predictor),
        )
    write_results(options.output, results)
