"""The results of an evaluation on the disk and on the screen, and the pictures of a run in TensorBoard."""

import os

import numpy as np

from hourglass_pose.data.images import read_image
from hourglass_pose.errors import ImageError
from hourglass_pose.evaluation import report
from hourglass_pose.prediction.drawing import (
    contact_sheet, draw_skeleton, draw_truth, heatmap_overlay, pose_tile, write_png)
from hourglass_pose.tf_compat import describe_versions

SHEET_PERSONS = 24
_SHEET_COLUMNS = 6
_TILE_WH = (200, 200)
_PICTURED_SAMPLES = 4


def write_results(folder, evaluation, skeleton, protocol, sources, say=print):
    """Write metrics.json, pckh.png, predictions.json and predictions.png, and show the table.

    sources: (annotation file, image folder) by Person.source.
    """
    metrics = report.build_metrics(evaluation.result, evaluation.baselines, protocol)
    report.write_json(os.path.join(folder, 'metrics.json'), metrics)
    report.draw_pckh_curve(os.path.join(folder, 'pckh.png'), evaluation.result, evaluation.baselines,
                           protocol.get('data', ''))
    predictions = [
        report.Prediction(person.image, person.person_id, joints, scores, person.box_img, sources[person.source][0])
        for person, joints, scores in zip(evaluation.persons, evaluation.joints_img, evaluation.scores)]
    report.write_predictions(os.path.join(folder, 'predictions.json'), predictions, skeleton, describe_versions())
    write_png(os.path.join(folder, 'predictions.png'), sheet_of_predictions(evaluation, skeleton))
    say(report.format_table(metrics))
    say('in %s: metrics.json, pckh.png, predictions.json, predictions.png' % folder)


def sheet_of_predictions(evaluation, skeleton):
    """Return a contact sheet of persons spread evenly over the evaluation, predicted and labelled poses drawn."""
    count = min(SHEET_PERSONS, len(evaluation.persons))
    tiles, captions = [], []
    for index in np.unique(np.linspace(0, len(evaluation.persons) - 1, count).astype(int)):
        person = evaluation.persons[index]
        image = read_image(person.image_path)
        tiles.append(pose_tile(image, skeleton, _TILE_WH, evaluation.joints_img[index], person.joints_img,
                               person.labelled, box_img=person.box_img))
        captions.append(person.person_id)
    return contact_sheet(tiles, _SHEET_COLUMNS, _TILE_WH, captions)


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
            truth = draw_truth(crop, batch.joints_crop[row], batch.joint_weights[row] > 0, self.skeleton)
            tiles += [crop, heatmap_overlay(crop, batch.heatmaps[row], self.skeleton),
                      heatmap_overlay(crop, np.maximum(maps, 0), self.skeleton),
                      draw_skeleton(truth, joints, self.skeleton)]
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
