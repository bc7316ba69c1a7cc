"""The results of an evaluation on the disk and on the screen, and the pictures of a run in TensorBoard."""

import os

import numpy as np

from hourglass_pose.errors import ImageError
from hourglass_pose.evaluation.breakdown import (
    WORST_PERSONS,
    break_down,
    format_breakdown,
    traits_of_persons,
    worst_persons,
)
from hourglass_pose.images import read_image
from hourglass_pose.report import tables as report
from hourglass_pose.report.drawing import (
    contact_sheet,
    draw_skeleton,
    draw_truth,
    heatmap_overlay,
    pose_tile,
    write_png,
)
from hourglass_pose.report.page import write_report_page

SHEET_PERSONS = 24
SHEET_COLUMNS = 6
_TILE_WH = (200, 200)
_PICTURED_SAMPLES = 4
_WORST_COLUMNS = 10


def write_results(folder, evaluation, skeleton, protocol, sources, everyone, say=print, history=(), config_text=''):
    """Write metrics.json, report.html, pictures and predictions.json, and show table and breakdown.

    sources: (annotation file, image folder) by Person.source. everyone: all annotated persons, for the neighbours of
    those measured. history, config_text: of the run, as write_html_report takes them.
    """
    breakdown = break_down(evaluation.result, skeleton, traits_of_persons(evaluation.persons, everyone))
    places, percents = [ranked[:WORST_PERSONS] for ranked in worst_persons(evaluation.result, skeleton)]
    worst = [evaluation.persons[place] for place in places]
    metrics = report.build_metrics(
        evaluation.result,
        evaluation.baselines,
        protocol,
        breakdown,
        [(person.person_id, percent) for person, percent in zip(worst, percents)],
    )
    report.write_json(os.path.join(folder, 'metrics.json'), metrics)
    report.draw_pckh_curve(
        os.path.join(folder, 'pckh.png'), evaluation.result, evaluation.baselines, protocol.get('data', '')
    )
    predictions = [
        report.Prediction(person.image, person.person_id, joints, scores, person.box_img, sources[person.source][0])
        for person, joints, scores in zip(evaluation.persons, evaluation.joints_img, evaluation.scores)
    ]
    report.write_predictions(os.path.join(folder, 'predictions.json'), predictions, skeleton, protocol['versions'])
    write_png(os.path.join(folder, 'predictions.png'), sheet_of_predictions(evaluation, skeleton))
    written = write_report_page(
        folder,
        ', '.join(os.path.basename(path) for path, _ in sources),
        metrics,
        evaluation.result,
        evaluation.baselines,
        skeleton,
        evaluation.persons,
        evaluation.joints_img,
        history=history,
        config_text=config_text,
    )
    written += ['metrics.json', 'pckh.png', 'predictions.json', 'predictions.png']
    written += write_worst(folder, worst, evaluation.joints_img[places], percents, skeleton)
    say(report.format_table(metrics))
    say(f'\n{format_breakdown(breakdown, report.METRIC_TITLES)}\n')
    say(f'in {folder}: {", ".join(written)}')


def write_worst(folder, persons, joints_img, percents, skeleton):
    """Write worst.png, a contact sheet of persons whose pictures can be read; return ['worst.png'], [] without any.

    joints_img: (K, J, 2), the predictions. percents: (K,), for the captions.
    """
    tiles, captions = [], []
    for person, joints, percent in zip(persons, joints_img, percents):
        try:
            image = read_image(person.image_path)
        except ImageError:
            # Scores need no pictures, so a sheet of those that are there is better than an end.
            continue
        tiles.append(
            pose_tile(image, skeleton, _TILE_WH, joints, person.joints_img, person.labelled, box_img=person.box_img)
        )
        captions.append(f'{percent:.0f} % {person.person_id}')
    if not tiles:
        return []
    write_png(os.path.join(folder, 'worst.png'), contact_sheet(tiles, _WORST_COLUMNS, _TILE_WH, captions))
    return ['worst.png']


def sheet_of_predictions(evaluation, skeleton):
    """Return a contact sheet of persons spread evenly over the evaluation, predicted and labelled poses drawn."""
    count = min(SHEET_PERSONS, len(evaluation.persons))
    tiles, captions = [], []
    for index in np.unique(np.linspace(0, len(evaluation.persons) - 1, count).astype(int)):
        person = evaluation.persons[index]
        image = read_image(person.image_path)
        tiles.append(
            pose_tile(
                image,
                skeleton,
                _TILE_WH,
                evaluation.joints_img[index],
                person.joints_img,
                person.labelled,
                box_img=person.box_img,
            )
        )
        captions.append(person.person_id)
    return contact_sheet(tiles, SHEET_COLUMNS, _TILE_WH, captions)


class TrainingPictures:
    """Draws what the network sees, should see and does see, for TensorBoard."""

    def __init__(self, codec, skeleton):
        self.codec = codec
        self.skeleton = skeleton

    def training(self, run_log, step, batch, logits):
        """Write a sheet of a training batch: input, target, prediction, overlay. logits: (B, H, W, J)."""
        tiles = []
        for row in np.flatnonzero(batch.mask)[:_PICTURED_SAMPLES]:
            crop, maps = batch.images[row], self.codec.maps_of_logits(logits[row])
            joints, _ = self.codec.decode(maps)
            truth = draw_truth(crop, batch.joints_crop[row], batch.labelled[row], self.skeleton)
            target = self.codec.target_maps(batch.joints_crop[row], batch.labelled[row])
            tiles += [
                crop,
                heatmap_overlay(crop, target, self.skeleton),
                heatmap_overlay(crop, np.maximum(maps, 0), self.skeleton),
                draw_skeleton(truth, joints, self.skeleton),
            ]
        if tiles:
            captions = ['input', 'target', 'prediction', 'overlay'] * (len(tiles) // 4)
            run_log.picture('train', step, 'samples', contact_sheet(tiles, 4, _TILE_WH, captions))

    def validation(self, run_log, step, evaluation):
        """Write the contact sheet of a validation."""
        try:
            run_log.picture('test', step, 'predictions', sheet_of_predictions(evaluation, self.skeleton))
        except ImageError:
            # A picture that vanished between validation and drawing spoils the sheet, not the training.
            return
