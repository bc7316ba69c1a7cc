"""The evaluation of a checkpoint on annotated photos, from paths and options to the files of results."""

import sys
from typing import Any, Optional, Sequence

from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.config.config import format_sections
from hourglass_pose.config.keys import KEY_BY_SPELLING
from hourglass_pose.files import make_folder
from hourglass_pose.prediction.measuring import evaluate_persons
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.report.results import write_results
from hourglass_pose.scoring.coco import CocoAnnotations


def evaluate_checkpoint(
    checkpoint: str,
    annotation_files: Sequence[str],
    image_folders: Sequence[str],
    output: str,
    split: str = 'all',
    on_bad_annotation: str = 'strict',
    coco_annotations: Optional[str] = None,
    scales: Sequence[float] = (1.0,),
    batch_size: int = 16,
    workers: Optional[int] = None,
    **predictor_options: Any,
) -> None:
    """Measure a checkpoint on annotated persons, show the results and write them into the folder `output`.

    Args:
        annotation_files, image_folders: a folder of images for each file.
        split, scales, batch_size, workers: as in evaluate_persons and person_generator.
        on_bad_annotation: 'strict' or 'skip'.
        coco_annotations: COCO's official JSON, for AP and AR.
        predictor_options: keywords of Predictor.

    Raises UserError if a file cannot be opened, read or written.
    """
    coco = CocoAnnotations(coco_annotations) if coco_annotations else None
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
        manifest = predictor.stored.manifest
        results = evaluate_persons(
            predictor,
            annotations,
            split,
            coco,
            config_text=format_sections(manifest['config']) if manifest else '',
            command=' '.join(sys.argv),
            scales=scales,
            batch_size=batch_size,
            workers=workers,
            max_unreadable=max_unreadable(predictor),
        )
    write_results(output, results)


def max_unreadable(predictor: Predictor) -> float:
    """Return the largest share of persons with an unreadable photo, as in the network's training."""
    manifest = predictor.stored.manifest
    return manifest['config']['DataSetHG']['max_unreadable'] if manifest else KEY_BY_SPELLING['max_unreadable'].default
