"""Evaluating a checkpoint: Predictor, annotations, evaluator and report put together."""

from typing import Any, Dict, Optional, Sequence

from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.config.config import format_sections
from hourglass_pose.config.keys import KEY_BY_SPELLING
from hourglass_pose.experiment.experiment import make_folder
from hourglass_pose.prediction.measuring import evaluate_persons
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.report.results import write_results
from hourglass_pose.scoring.coco import CocoAnnotations


def evaluate_checkpoint(
    checkpoint: str,
    annotation_files: Sequence[str],
    image_folders: Sequence[str],
    folder: str,
    split: str = 'all',
    on_bad_annotation: str = 'strict',
    coco_annotations: Optional[str] = None,
    command: str = '',
    generator_options: Optional[Dict[str, Any]] = None,
    **predictor_options: Any,
) -> None:
    """Measure a checkpoint on annotated persons, print the scores and write the results into a folder.

    Args:
        checkpoint: any path that open_checkpoint or an engine takes.
        split: 'all', 'train' or 'valid', as in persons_of_split.
        on_bad_annotation: 'strict' or 'skip', as in read_annotations.
        coco_annotations: COCO's official JSON, for AP and AR.
        command: for the protocol.
        generator_options: as in person_generator.
        predictor_options: as in Predictor.

    Raises:
        UserError: files that do not fit each other or cannot be read or written.
    """
    coco = CocoAnnotations(coco_annotations) if coco_annotations else None
    make_folder(folder)
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
            command=command,
            max_unreadable=max_unreadable_of(predictor),
            **(generator_options or {}),
        )
    write_results(folder, results)


def max_unreadable_of(predictor: Predictor) -> float:
    """Return the share of images that may be unreadable: that of the network's training, otherwise the default."""
    manifest = predictor.stored.manifest
    if manifest:
        return float(manifest['config']['DataSetHG']['max_unreadable'])
    return float(KEY_BY_SPELLING['max_unreadable'].default)
