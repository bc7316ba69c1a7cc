"""Predictions for many persons: their poses, and their evaluation as Results."""

import os
from dataclasses import replace
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from tqdm import tqdm

from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.reading import AnnotationSet
from hourglass_pose.annotations.splits import split_persons
from hourglass_pose.errors import UserError, counted
from hourglass_pose.evaluation.evaluator import Evaluator, predict_persons
from hourglass_pose.evaluation.passes import run_in_passes
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.input.pixels import ImageCache
from hourglass_pose.input.samples import SampleMaker
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.report.results import Results, results_of_evaluation
from hourglass_pose.scoring.coco import CocoAnnotations, CocoScore, coco_results, lacking_joints
from hourglass_pose.training.run_log import HISTORY, read_history


def person_generator(
    persons: Sequence[Person],
    predictor: Predictor,
    scales: Sequence[float] = (1.0,),
    batch_size: int = 16,
    workers: Optional[int] = None,
    max_unreadable: float = 0.01,
) -> DataGenerator:
    """Return the DataGenerator of persons for a Predictor.

    Its batches are always the blocks that the network takes. So the position of a person in a block, and the last bits
    of its heatmaps, depend only on the list of persons and not on the options.

    Args:
        scales: of the crops of each person, as factors on its size in the crop.
        batch_size: number of persons prepared in advance.
        workers: threads that prepare them, None for one for each core.
        max_unreadable: largest share of persons whose photo may be unreadable.
    """
    maker = SampleMaker(
        ImageCache(), predictor.rule, predictor.skeleton.flip_permutation, predictor.kept_joints, scales=scales
    )
    return DataGenerator(
        persons,
        maker,
        predictor.batch_size,
        workers=workers,
        prefetch=max(1, batch_size // predictor.batch_size),
        max_unreadable=max_unreadable,
        on_unreadable=lambda message: tqdm.write(f'left out: {message}'),
    )


def evaluate_persons(
    predictor: Predictor,
    annotations: AnnotationSet,
    split: str = 'all',
    coco: Optional[CocoAnnotations] = None,
    config_text: str = '',
    command: str = '',
    **generator_options: Any,
) -> Results:
    """Return the Results of a Predictor on annotated persons.

    Args:
        split: 'all', 'train' or 'valid', as in persons_of_split.
        coco: the official annotations, for AP and AR.
        config_text: settings of the training run, for the report.
        command: for the protocol.
        generator_options: as in person_generator.

    Raises UserError if the split has no persons, ImageError if too many photos cannot be read.
    """
    persons = persons_of_split(annotations.persons, split, predictor.stored)
    print(f'device: {predictor.engine.description}')
    print(f'data: {annotations.describe()}; {counted(len(persons), "person")} measured')
    generator = person_generator(persons, predictor, **generator_options)
    evaluator = Evaluator(generator, predictor.codec, predictor.skeleton, predictor.mean_pose_crop, predictor.flip_test)
    evaluation = evaluator.evaluate(predictor.last_logits, progress_bar(generator))
    if predictor.engine.gives_person:
        evaluation = replace(evaluation, person=evaluator.measure_person(partial(_person_logits, predictor)))
    files = [path for path, _ in annotations.sources]
    protocol = {
        'data': ', '.join(files),
        'split': split,
        'flip_test': predictor.flip_test,
        'scales': ', '.join(f'{scale:g}' for scale in generator.sample_maker.scales),
        'decoding': predictor.codec.decoding,
        'crop_rule': predictor.rule.crop_rule,
        'crop_corners': predictor.rule.corners,
        'box_margin': predictor.rule.box_margin,
        'checkpoint': predictor.stored.path,
        'step': predictor.stored.step,
        'unreadable_images': len(generator.unreadable),
        'command': command,
        'versions': predictor.engine.versions(),
    }
    progress = (predictor.stored.manifest or {}).get('progress', {})
    protocol.update((key, progress[key]) for key in ('best_by', 'best_score') if progress.get(key) is not None)
    history = _history_of(predictor.stored)
    results = results_of_evaluation(
        evaluation, predictor.skeleton, protocol, annotations.persons, files, history, config_text
    )
    return results if coco is None else replace(results, coco=_score_by_coco(results, coco))


def predict_all(
    predictor: Predictor, persons: Sequence[Person], **generator_options: Any
) -> Iterator[Tuple[Person, np.ndarray]]:
    """Yield (person, joints_img float64 (J, 2)) of persons with a readable photo.

    Args:
        generator_options: as in person_generator.

    Raises ImageError if too many photos cannot be read.
    """
    generator = person_generator(persons, predictor, **generator_options)
    for index, joints_img, _ in predict_persons(
        generator, predictor.last_logits, predictor.codec, predictor.flip_test, progress_bar(generator)
    ):
        yield persons[index], joints_img


def persons_of_split(persons: Sequence[Person], split: str, stored: Any) -> List[Person]:
    """Return the persons of a split: that of the annotations if they have one, otherwise that of the training.

    Args:
        split: 'all', 'train' or 'valid'.
        stored: the checkpoint, whose manifest has the settings of its split.

    Raises UserError if the annotations assign no person to the split, or the checkpoint does not record it.
    """
    if split == 'all':
        # Persons of a test split may have no joints to measure by.
        return [person for person in persons if person.labelled.any()]
    if all(person.split for person in persons):
        found = [person for person in persons if person.split == split]
        if not found:
            raise UserError(
                f'--split {split}: the annotations assign all {len(persons)} persons to another split; leave --split '
                'out, or give another file'
            )
        return found
    if not stored.manifest:
        raise UserError(
            f'--split {split}: a checkpoint of the original code does not record its training persons; leave '
            '--split out, or give a file of the persons to measure'
        )
    data = stored.manifest['config']['DataSetHG']
    return list(
        split_persons(persons, data['valid_fraction'], data['split_seed'], data.get('split_by', 'image'))[split]
    )


def progress_bar(generator: DataGenerator) -> Callable[[Any], Any]:
    """Return a function that wraps an iterable of the generator's validation batches to show a bar."""
    unit = 'person' if generator.batch_size == 1 else 'batch'
    return lambda batches: tqdm(
        batches, total=generator.num_validation_batches, unit=unit, leave=False, dynamic_ncols=True, disable=None
    )


def _person_logits(predictor: Predictor, crops: np.ndarray) -> np.ndarray:
    """Return the person logits (N,) of crops, without flip test."""
    return run_in_passes(predictor.engine.run, crops, predictor.engine.pass_sizes(1))[-1]


def _score_by_coco(results: Results, coco: CocoAnnotations) -> CocoScore:
    assert results.persons is not None and results.joints_img is not None and results.scores is not None
    joints = results.skeleton.joints
    image_ids = coco.image_ids([person.image for person in results.persons])
    lacking = lacking_joints(joints)
    notes = [f'the network lacks {", ".join(lacking)}; AP counts them as wrong'] if lacking else []
    return coco.score(coco_results(results.joints_img, results.scores, joints, image_ids), notes)


def _history_of(stored: Any) -> List[Dict[str, str]]:
    """Return the rows of history.csv of the run that a checkpoint belongs to, up to that checkpoint."""
    if not stored.manifest:
        return []
    rows = read_history(os.path.join(os.path.dirname(os.path.realpath(stored.path)), HISTORY))
    return [row for row in rows if row.get('step', '').isdigit() and int(row['step']) <= stored.step]
