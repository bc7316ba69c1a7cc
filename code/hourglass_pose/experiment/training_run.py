"""TrainingRun: puts the parts of one run together, trains, and writes the results."""

import os
from itertools import chain
from typing import Any, Dict, Optional

import numpy as np

from hourglass_pose.checkpoints.manifest import read_manifest
from hourglass_pose.checkpoints.stored import StoredNetwork, check_hyperparameters
from hourglass_pose.checkpoints.transfer import initialise_from
from hourglass_pose.checkpoints.variables import VariableSaver
from hourglass_pose.config.config import format_config
from hourglass_pose.errors import ConfigError, TrainingError, counted
from hourglass_pose.evaluation.best import choose_best_metric
from hourglass_pose.evaluation.evaluator import Evaluation, mean_training_pose
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.experiment.run_hooks import make_hooks, make_validation
from hourglass_pose.experiment.run_length import length_of_run, require_same_epochs
from hourglass_pose.experiment.run_parts import train_graph
from hourglass_pose.graph.summary import NetworkSummary
from hourglass_pose.report.results import results_of_evaluation, write_results
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.tf_compat import TF_VERSION, describe_versions, reason_of, tf
from hourglass_pose.training.hooks.timing import Timing
from hourglass_pose.training.run_log import HISTORY, read_history
from hourglass_pose.training.start import Start
from hourglass_pose.training.train_graph import TrainGraph
from hourglass_pose.training.trainer import Trainer


class TrainingRun:
    """One run of an Experiment in its saver_directory, on a Runtime.

    It starts from random weights, resumes from the checkpoint `resume_folder`, starts with the variables of the
    StoredNetwork `initial`, optimizer's state included, or with the weights of `weights_from` as far as they fit.

    Raises CheckpointError or ConfigError if the settings do not fit the checkpoint, the data or the device. Nothing is
    written before `run`.
    """

    def __init__(
        self,
        experiment: Experiment,
        runtime: Runtime,
        resume_folder: Optional[str] = None,
        initial: Optional[StoredNetwork] = None,
        command: str = '',
        weights_from: Optional[StoredNetwork] = None,
    ) -> None:
        self.experiment = experiment
        self.runtime = runtime
        self.config = experiment.config
        self.resume_folder = resume_folder
        self.initial = initial
        self.command = command
        self.weights_from = weights_from
        self.report = experiment.report
        experiment.require_sides()
        self.hyperparameters = experiment.hyperparameters()
        if self.config.Train.sync_batch_norm and not runtime.sums_tensors and runtime.world_size > 1:
            raise ConfigError('config [Train] sync_batch_norm: expected False on NPUs, found True; set it to False')
        self._earlier: Dict[str, Any] = {}
        if resume_folder:
            check_hyperparameters(resume_folder, self.hyperparameters)
            self._earlier = read_manifest(resume_folder)
            require_same_epochs(self.config, self._earlier)
        split, batch_size = experiment.split(), self.config.Train.batch_size
        self.data = experiment.generator(split['train'], batch_size, runtime.rank, runtime.world_size)
        self.length = length_of_run(self.config, runtime, self.data, self._earlier, self.report)
        self.best_metric = choose_best_metric(
            self.config.Validation.best_by, split['valid'], experiment.skeleton, experiment.kept_joints
        )

    def run(self) -> bool:
        """Train, write the results if the run is finished, and return whether it is."""
        with tf.Graph().as_default():
            manifest = self._manifest()
            graph = train_graph(self.experiment, self.runtime, self.length)
            self._describe(manifest, graph.summary)
            start, timing = self._start(graph, manifest['split_hash']), Timing()
            mean_pose_crop = np.array(manifest['inference']['mean_pose_crop'])
            validation = make_validation(self.experiment, self.runtime, graph, self.best_metric, mean_pose_crop)
            hooks = make_hooks(self.experiment, self.runtime, start, manifest, timing, validation)
            trainer = Trainer(graph, self.runtime, self.data, self.length, hooks, self.report)
            try:
                finished = trainer.train(start)
            except tf.errors.ResourceExhaustedError as error:
                raise TrainingError(
                    f'the device has too little memory for this training ({reason_of(error)}); reduce '
                    'Train.batch_size, Network.nFeat or Network.img_size'
                )
        if self.runtime.is_chief:
            timing.performance.write(
                self.config.Saver.saver_directory,
                finished=finished,
                world_size=self.runtime.world_size,
                batch_size=self.config.Train.batch_size,
                skipped_steps=trainer.skipped,
                device=self.runtime.description,
            )
            if finished and validation.evaluation:
                self._write_results(validation.evaluation, validation.best)
        return finished

    def _start(self, graph: TrainGraph, split_hash: str) -> Start:
        """Return the initial values of the variables, and the position in the epochs."""
        saver, weights_from = VariableSaver(self.config.Network.name, graph.storage.shapes), self.weights_from
        return Start(
            saver,
            split_hash,
            self.resume_folder,
            self._earlier,
            self.initial.prefix if self.initial else None,
            (lambda session: self._initialise(session, graph, saver, weights_from)) if weights_from else None,
        )

    def _initialise(self, session: Any, graph: TrainGraph, saver: VariableSaver, stored: StoredNetwork) -> None:
        """Set the initialised variables of a graph to the weights of the network that the run starts from."""
        joints = self.experiment.skeleton.joints
        lines = initialise_from(session, saver, self.hyperparameters, joints, stored)
        if graph.average:
            session.run(graph.average.reset())
        for line in lines:
            self.report(line)

    def _manifest(self) -> Dict[str, Any]:
        """Return the part of the manifests that does not depend on the position of the training."""
        experiment, origin = self.experiment, self.initial or self.weights_from
        mean_pose_crop = mean_training_pose(experiment.split()['train'], experiment.rule)
        manifest = {
            'config': self.config.as_dict(),
            'hyperparameters': self.hyperparameters.as_dict(),
            'inference': experiment.inference_record(mean_pose_crop).as_dict(),
            'seed': self.config.Train.seed,
            'split_hash': experiment.split_hash(),
            'device': self.runtime.description,
            'averaged_weights': self.config.Train.ema_decay > 0,
            'started_from': origin and origin.path,
        }
        if origin and origin.source:
            manifest['source'] = origin.source
        # The origin of the weights, and the licence they are under, stay recorded when a run is resumed.
        manifest.update((key, self._earlier[key]) for key in ('started_from', 'source') if self._earlier.get(key))
        return manifest

    def _describe(self, manifest: Dict[str, Any], summary: NetworkSummary) -> None:
        """Show device, network, length and metric of the run, and whether its data is that of the checkpoint."""
        length = self.length
        # Imported weights do not record their training persons.
        if self._earlier.get('split_hash') not in (None, manifest['split_hash']):
            self.report(
                'note: the persons for training or for validation are not those of the checkpoint; from here on the '
                'results differ from those of an uninterrupted run'
            )
        self.report(f'device: {self.runtime.description}; TensorFlow {TF_VERSION}')
        self.report(f'network: {summary.describe()}')
        self.report(
            f'run: {counted(length.num_epochs, "epoch")} of {counted(length.steps_per_epoch, "step")} with '
            f'{counted(length.joint_batch, "person")} each, in {self.config.Saver.saver_directory}'
        )
        self.report(f'best checkpoint by: {self.best_metric.title}')

    def _write_results(self, evaluation: Evaluation, best: Dict[str, Any]) -> None:
        config, data = self.config, self.config.DataSetHG
        protocol = {
            'data': ', '.join(
                f'{os.path.basename(os.path.dirname(path))}/{os.path.basename(path)}' for path in data.training_txt_file
            ),
            'split': 'valid',
            'flip_test': config.Validation.flip_test,
            'decoding': self.experiment.codec.decoding,
            'crop_rule': data.crop_rule,
            'crop_corners': data.crop_corners,
            'box_margin': data.box_margin,
            **best,
            'checkpoint': os.path.join(config.Saver.saver_directory, 'latest'),
            'command': self.command,
            'versions': describe_versions(),
        }
        everyone = chain.from_iterable(self.experiment.split().values())
        folder = config.Saver.saver_directory
        results = results_of_evaluation(
            evaluation,
            self.experiment.skeleton,
            protocol,
            everyone,
            data.training_txt_file,
            read_history(os.path.join(folder, HISTORY)),
            format_config(config),
        )
        write_results(folder, results, self.report)
