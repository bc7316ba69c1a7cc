"""Images of a training for TensorBoard: input, target and prediction of some samples, and validated persons."""

from typing import Any

import numpy as np

from hourglass_pose.evaluation.evaluator import Evaluation
from hourglass_pose.input.generator import Batch
from hourglass_pose.report.drawing import heatmap_overlay, render_skeleton, render_truth
from hourglass_pose.report.person_tiles import SHEET_TILE_WH, PersonTiles
from hourglass_pose.report.sheets import contact_sheet
from hourglass_pose.representations.heatmap.numpy import HeatmapCodec
from hourglass_pose.skeleton import Skeleton

_SHOWN_SAMPLES = 4
_CAPTIONS = ('input', 'target', 'prediction', 'overlay')


class TrainingPictures:
    """Writes images of inputs, targets and predictions to a run log."""

    def __init__(self, codec: HeatmapCodec, skeleton: Skeleton) -> None:
        self.codec = codec
        self.skeleton = skeleton

    def training(self, run_log: Any, step: int, batch: Batch, logits: np.ndarray) -> None:
        """Write a sheet of a training batch: input, target, prediction, overlay. logits: (B, H, W, J)."""
        tiles = []
        for row in np.flatnonzero(batch.mask)[:_SHOWN_SAMPLES]:
            crop, maps = batch.images[row], self.codec.maps_of_logits(logits[row])
            joints, _ = self.codec.decode(maps)
            truth = render_truth(crop, batch.joints_crop[row], batch.labelled[row], self.skeleton)
            target = self.codec.target_maps(batch.joints_crop[row], batch.labelled[row])
            tiles += [
                crop,
                heatmap_overlay(crop, target, self.skeleton),
                heatmap_overlay(crop, np.maximum(maps, 0), self.skeleton),
                render_skeleton(truth, joints, self.skeleton),
            ]
        if tiles:
            captions = list(_CAPTIONS) * (len(tiles) // len(_CAPTIONS))
            run_log.picture('train', step, 'samples', contact_sheet(tiles, len(_CAPTIONS), SHEET_TILE_WH, captions))

    def validation(self, run_log: Any, step: int, evaluation: Evaluation) -> None:
        """Write the contact sheet of a validation, unless no photo can be read."""
        sheet = PersonTiles(evaluation.persons, evaluation.joints_img, self.skeleton).spread_sheet()
        if sheet is not None:
            run_log.picture('test', step, 'predictions', sheet)
