"""Results of an evaluation, and the function that shows and writes them: tables, JSON, curve, images, page."""

import os
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import counted
from hourglass_pose.evaluation.breakdown import PersonAttributes, attributes_of_persons, break_down, worst_persons
from hourglass_pose.evaluation.evaluator import Evaluation
from hourglass_pose.evaluation.headline import shown_metrics
from hourglass_pose.evaluation.pckh import PckhResult
from hourglass_pose.evaluation.person_output import PersonMeasure
from hourglass_pose.files import write_whole
from hourglass_pose.report.drawing import write_png
from hourglass_pose.report.json_files import Prediction, build_metrics, write_json, write_predictions
from hourglass_pose.report.page import PAGE, PageContent, PersonImage, write_page
from hourglass_pose.report.person_tiles import PersonTiles, Ranked
from hourglass_pose.report.plots import history_figures, pckh_figure, png_of
from hourglass_pose.report.tables import format_breakdown, format_coco, format_table
from hourglass_pose.scoring.coco import CocoScore
from hourglass_pose.scoring.scoring import Score
from hourglass_pose.skeleton import Skeleton

WORST_PERSONS = 100
_WORST_COLUMNS = 10
_PAGE_PERSONS = 12
_PAGE_TILE_WH = (320, 320)


@dataclass(frozen=True, eq=False)
class Results:
    """The results of an evaluation, of a network or of predictions from a file.

    title: what was evaluated, for instance the names of the annotation files. subject: origin of the poses, in at most
    13 characters. result: PckhResult of N persons. baselines: name -> PckhResult on the same persons.
    protocol: how it was measured, as build_metrics takes it. attributes: of the N persons. names: of the N persons.
    persons: the N persons if their photos are known, otherwise None. joints_img: (N, J, 2) float64, predicted, in
    photo pixels; needed with persons. scores: (N, J), for predictions.json, which is not written without them.
    sources: annotation files by Person.source. person: PersonMeasure of the network, if it was measured.
    coco: AP and AR, if COCO's annotations were given. history: rows of the run's history.csv.
    config_text: its settings.
    """

    title: str
    subject: str
    result: PckhResult
    baselines: Dict[str, PckhResult]
    skeleton: Skeleton
    protocol: Dict[str, Any]
    attributes: PersonAttributes
    names: Sequence[str]
    persons: Optional[Sequence[Person]] = None
    joints_img: Optional[np.ndarray] = None
    scores: Optional[np.ndarray] = None
    sources: Sequence[str] = ()
    person: Optional[PersonMeasure] = None
    coco: Optional[CocoScore] = None
    history: Sequence[Dict[str, str]] = ()
    config_text: str = ''


def results_of_evaluation(
    evaluation: Evaluation,
    skeleton: Skeleton,
    protocol: Dict[str, Any],
    all_persons: Iterable[Person],
    sources: Sequence[str],
    history: Sequence[Dict[str, str]] = (),
    config_text: str = '',
) -> Results:
    """Return the Results of a network.

    Args:
        all_persons: all annotated persons; neighbours are counted among them.
        sources, history, config_text: as in Results.
    """
    return Results(
        title=', '.join(map(_data_title, sources)),
        subject='this network',
        result=evaluation.result,
        baselines=evaluation.baselines,
        skeleton=skeleton,
        protocol=protocol,
        attributes=attributes_of_persons(evaluation.persons, all_persons),
        names=[person.person_id for person in evaluation.persons],
        persons=evaluation.persons,
        joints_img=evaluation.joints_img,
        scores=evaluation.scores,
        sources=sources,
        person=evaluation.person,
        history=history,
        config_text=config_text,
    )


def results_of_score(score: Score, image_folder: Optional[str] = None) -> Results:
    """Return the Results of predictions from a file.

    Args:
        image_folder: folder of the photos; None for results without images.
    """
    truth = score.truth
    persons = None
    if image_folder is not None and truth.persons is not None:
        persons = [truth.persons[row] for row in score.rows]
        persons = [replace(person, image_path=os.path.join(image_folder, person.image)) for person in persons]
    return Results(
        title=os.path.basename(score.protocol['predictions']),
        subject='predictions',
        result=score.result,
        baselines={},
        skeleton=score.skeleton,
        protocol=score.protocol,
        attributes=truth.attributes.of_rows(score.rows),
        names=[truth.row_name(row) for row in score.rows],
        persons=persons,
        joints_img=score.joints - truth.count_from,
    )


def _data_title(path: str) -> str:
    """Return the name of an annotation file, or of its folder if the file has the name that all data sets share."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.basename(folder) or name if name == 'dataset.txt' else name


def write_results(folder: Optional[str], results: Results, show: Callable[[str], Any] = print) -> None:
    """Show the tables of an evaluation, and write all its files into a folder.

    These are metrics.json, report.html, pckh.png, and if photos and predictions are known predictions.json,
    predictions.png and worst.png. A photo that cannot be read is left out of the images; it is not an error.

    Args:
        folder: an existing folder; None only shows the tables.
        show: function that shows a text.

    Raises UserError if a file cannot be written.
    """
    breakdown = break_down(results.result, results.skeleton, results.attributes)
    ranked = list(zip(*worst_persons(results.result, results.skeleton)))
    worst = [(results.names[row], percent) for row, percent in ranked[:WORST_PERSONS]]
    metrics = build_metrics(results.result, results.baselines, results.protocol, breakdown, worst)
    show(format_table(metrics, subject=results.subject))
    show(f'\n{format_breakdown(breakdown)}\n')
    if results.person is not None:
        metrics['person'] = results.person.as_dict()
        show(f'{results.person.line()}\n')
    if results.coco is not None:
        metrics['coco'] = results.coco.stats
        show(f'{format_coco(results.coco)}\n')
    if folder is None:
        return
    written = ['metrics.json', 'pckh.png', PAGE]
    write_json(os.path.join(folder, 'metrics.json'), metrics)
    curve = pckh_figure(results.result, results.baselines, results.protocol.get('data', results.title))
    write_whole(os.path.join(folder, 'pckh.png'), png_of(curve))
    if results.coco is not None:
        write_json(os.path.join(folder, 'coco_results.json'), results.coco.results)
        written.append('coco_results.json')
    if results.persons is not None and results.scores is not None:
        _write_predictions(os.path.join(folder, 'predictions.json'), results)
        written.append('predictions.json')
    images = _PersonImages()
    if results.persons is not None and results.joints_img is not None:
        tiles = PersonTiles(results.persons, results.joints_img, results.skeleton)
        written += _write_sheets(folder, tiles, ranked)
        images = _images_for_page(tiles, ranked, results.names)
        if tiles.unreadable:
            show(f'note: photos that cannot be read and are missing from the images: {len(tiles.unreadable)}')
    content = PageContent(
        results.title,
        results.subject,
        metrics,
        curve if np.isfinite(results.result.curves['mean']).all() else None,
        history_figures(results.history, shown_metrics(metrics)),
        images.worst,
        images.best,
        results.config_text,
    )
    write_page(os.path.join(folder, PAGE), content)
    show(f'in {folder}: {", ".join(written)}')


class _PersonImages(NamedTuple):
    worst: Sequence[PersonImage] = ()
    best: Sequence[PersonImage] = ()


def _write_sheets(folder: str, tiles: PersonTiles, ranked: Ranked) -> List[str]:
    """Write the contact sheets of the persons with readable photos and return the names of the files."""
    written = []
    for name, sheet in (
        ('predictions.png', tiles.spread_sheet()),
        ('worst.png', tiles.ranked_sheet(ranked, WORST_PERSONS, _WORST_COLUMNS)),
    ):
        if sheet is not None:
            write_png(os.path.join(folder, name), sheet)
            written.append(name)
    return written


def _images_for_page(tiles: PersonTiles, ranked: Ranked, names: Sequence[str]) -> _PersonImages:
    """Return the images of the worst and of the best persons of a ranking, the worst first."""
    # With few persons, no person is among both the worst and the best.
    count = min(_PAGE_PERSONS, -(-len(ranked) // 2))
    return _PersonImages(
        *(
            [
                PersonImage(tile, names[row], f'{percent:.0f} %')
                for tile, row, percent in tiles.first(order, count, _PAGE_TILE_WH)
            ]
            for order in (ranked, ranked[count:][::-1])
        )
    )


def write_coco_score(
    folder: Optional[str], coco: CocoScore, predictions_path: str, annotation_paths: Sequence[str], command: str
) -> None:
    """Show the CocoScore of files, and write metrics.json into a folder. Raises UserError if that fails.

    Args:
        folder: an existing folder; None only shows the table.
    """
    print(format_coco(coco))
    if folder is not None:
        protocol = {
            'predictions': predictions_path,
            'ground_truth': ', '.join(annotation_paths),
            'read_as': f'COCO results, {counted(len(coco.results), "person")}',
            'notes': list(coco.notes),
            'command': command,
        }
        write_json(os.path.join(folder, 'metrics.json'), {'coco': coco.stats, 'protocol': protocol})
        print(f'in {folder}: metrics.json')


def _write_predictions(path: str, results: Results) -> None:
    assert results.persons is not None and results.joints_img is not None and results.scores is not None
    predictions = [
        Prediction(person.image, person.person_id, joints, scores, person.box_img, results.sources[person.source])
        for person, joints, scores in zip(results.persons, results.joints_img, results.scores)
    ]
    write_predictions(path, predictions, results.skeleton, results.protocol.get('versions', {}))
