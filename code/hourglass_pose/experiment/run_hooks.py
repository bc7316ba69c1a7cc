"""The hooks of a run: which there are, in which order, and with which settings of a Config."""

from typing import Any, Dict, List

import numpy as np

from hourglass_pose.checkpoints.folder import CheckpointFolder
from hourglass_pose.evaluation.best import BestMetric
from hourglass_pose.evaluation.evaluator import Evaluator
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.report.training_pictures import TrainingPictures
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.training.hooks.checkpoint import Checkpoint
from hourglass_pose.training.hooks.early_stopping import EarlyStopping
from hourglass_pose.training.hooks.hook import Hook
from hourglass_pose.training.hooks.log import Log
from hourglass_pose.training.hooks.pictures import Pictures
from hourglass_pose.training.hooks.progress_bar import ProgressBar
from hourglass_pose.training.hooks.timing import Timing
from hourglass_pose.training.hooks.validation import Validation
from hourglass_pose.training.run_log import RunLog
from hourglass_pose.training.start import Start
from hourglass_pose.training.train_graph import TrainGraph
from hourglass_pose.training.validation_loss import ValidationLoss


def make_validation(
    experiment: Experiment, runtime: Runtime, graph: TrainGraph, best_metric: BestMetric, mean_pose_crop: np.ndarray
) -> Validation:
    """Return the validation of a run. mean_pose_crop: the mean training pose, (J, 2) crop pixels."""
    config = experiment.config.Validation
    generator = experiment.generator(
        experiment.split()['valid'], config.valid_batch_size, runtime.rank, runtime.world_size
    )
    evaluator = Evaluator(
        generator, experiment.codec, experiment.skeleton, mean_pose_crop, config.flip_test, config.valid_iteration
    )
    loss = ValidationLoss(graph, experiment.codec) if best_metric.kind == 'loss' else None
    return Validation(evaluator, config.valid_every, best_metric, loss)


def make_hooks(
    experiment: Experiment,
    runtime: Runtime,
    start: Start,
    manifest: Dict[str, Any],
    timing: Timing,
    validation: Validation,
) -> List[Hook]:
    """Return the hooks of a run in the order in which they are called. Only the first process has log and pictures.

    manifest: the part of the manifests that does not depend on the position of the training.
    """
    config, saver, is_chief = experiment.config, experiment.config.Saver, runtime.is_chief
    folder = CheckpointFolder(saver.saver_directory, saver.keep_last)
    log: List[Hook] = []
    pictures: List[Hook] = []
    if is_chief:
        folder.repair(start.manifest.get('global_step'))
        run_log = RunLog(saver.saver_directory, saver.log_dir_train, saver.log_dir_test)
        renderer = TrainingPictures(experiment.codec, experiment.skeleton)
        log = [Log(run_log, saver.saver_step, validation, start.saver if config.Train.w_summary else None)]
        pictures = [Pictures(renderer, run_log, saver.saver_step, validation)]
    return [
        timing,
        *log,
        ProgressBar(),
        validation,
        *pictures,
        EarlyStopping(config.Train.patience, validation),
        Checkpoint(
            folder,
            start.saver,
            manifest,
            validation,
            every=saver.checkpoint_every,
            minutes=saver.checkpoint_minutes,
            resumed_here=start.is_in(folder.folder),
        ),
    ]
