"""TrainingRun: assembles graph, data, hooks and checkpoints of one run, trains, and writes the results."""

import os
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Dict, Iterator, List, Optional

import numpy as np

from hourglass_pose.checkpoints.folder import CheckpointFolder, read_manifest
from hourglass_pose.checkpoints.stored import StoredNetwork, check_hyperparameters
from hourglass_pose.checkpoints.transfer import initialise_from
from hourglass_pose.checkpoints.variables import VariableSaver
from hourglass_pose.config.config import Config, format_config
from hourglass_pose.errors import ConfigError, TrainingError, counted
from hourglass_pose.evaluation.best import choose_best_metric
from hourglass_pose.evaluation.evaluator import Evaluation, Evaluator, mean_training_pose
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.graph.hyperparameters import Hyperparameters
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.graph.summary import summarise_network
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.report.results import results_of_evaluation, write_results
from hourglass_pose.report.training_pictures import TrainingPictures
from hourglass_pose.representations.heatmap.numpy import HeatmapCodec
from hourglass_pose.runtime.ascend_options import NpuSettings
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.runtime.cluster_spec import Cluster
from hourglass_pose.runtime.selection import open_runtime
from hourglass_pose.tf_compat import TF_VERSION, describe_versions, reason_of, tf
from hourglass_pose.training.hooks.checkpoint import Checkpoint
from hourglass_pose.training.hooks.early_stopping import EarlyStopping
from hourglass_pose.training.hooks.hook import Hook
from hourglass_pose.training.hooks.log import Log
from hourglass_pose.training.hooks.pictures import Pictures
from hourglass_pose.training.hooks.progress_bar import ProgressBar
from hourglass_pose.training.hooks.timing import Timing
from hourglass_pose.training.hooks.validation import Validation
from hourglass_pose.training.optimizer import ScheduleSettings
from hourglass_pose.training.run_length import RunLength, earlier_world_size
from hourglass_pose.training.run_log import HISTORY, NoRunLog, RunLog, read_history
from hourglass_pose.training.start import Start
from hourglass_pose.training.train_graph import TrainGraph
from hourglass_pose.training.trainer import Trainer
from hourglass_pose.training.validation_loss import ValidationLoss


@contextmanager
def open_device(config: Config, cluster: Optional[Cluster] = None) -> Iterator[Runtime]:
    """Open the Runtime of a Config's [Device] as a context; an exception in it also ends the other processes.

    cluster: the processes that train together on CPUs or GPUs, None for one.
    """
    device = config.Device
    runtime = open_runtime(
        device.device,
        device.precision,
        device.intra_threads,
        device.loss_scale,
        device.iterations_per_loop,
        NpuSettings(**{name: getattr(device, name) for name in NpuSettings.__dataclass_fields__}),
        cluster,
    )
    try:
        yield runtime
    except BaseException as error:
        runtime.close(failure=' '.join(str(error).split()) or type(error).__name__)
        raise
    runtime.close()


@dataclass(frozen=True)
class _Parts:
    """The graph of a run, its initial values, and what its manifests hold."""

    graph: TrainGraph
    start: Start
    manifest: Dict[str, Any]


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
            self._require_same_epochs()
        split, batch_size = experiment.split(), self.config.Train.batch_size
        self.data = experiment.generator(split['train'], batch_size, runtime.rank, runtime.world_size)
        self.length = self._length(self.data)
        self.best_metric = choose_best_metric(
            self.config.Validation.best_by, split['valid'], experiment.skeleton, experiment.kept_joints
        )

    def run(self) -> bool:
        """Train, write the results if the run is finished, and return whether it is."""
        with tf.Graph().as_default():
            parts = self._parts()
            timing, validation = Timing(), self._validation(parts)
            hooks = self._hooks(parts, timing, validation)
            trainer = Trainer(parts.graph, self.runtime, self.data, self.length, hooks, self.report)
            try:
                finished = trainer.train(parts.start)
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

    def _initialise(self, session: Any, graph: TrainGraph, saver: VariableSaver, stored: StoredNetwork) -> None:
        """Set the initialised variables of a graph to the weights of the network that the run starts from."""
        joints = self.experiment.skeleton.joints
        lines = initialise_from(session, saver, self.hyperparameters, joints, stored)
        if graph.average:
            session.run(graph.average.reset())
        for line in lines:
            self.report(line)

    def _parts(self) -> _Parts:
        """Build the graph, show the run in a few lines, and return the parts."""
        manifest = self._manifest()
        graph = train_graph(self.config, self.hyperparameters, self.experiment.codec, self.runtime, self.length)
        self._describe(manifest)
        saver, weights_from = VariableSaver(self.config.Network.name, graph.storage.shapes), self.weights_from
        start = Start(
            saver,
            manifest['split_hash'],
            self.resume_folder,
            self._earlier,
            self.initial.prefix if self.initial else None,
            (lambda session: self._initialise(session, graph, saver, weights_from)) if weights_from else None,
        )
        return _Parts(graph, start, manifest)

    def _manifest(self) -> Dict[str, Any]:
        """Return the part of the manifests that does not depend on the position of the training."""
        experiment, origin = self.experiment, self.initial or self.weights_from
        mean_pose_crop = mean_training_pose(experiment.split()['train'], experiment.rule)
        manifest = {
            'config': self.config.as_dict(),
            'traits': self.hyperparameters.as_dict(),
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

    def _describe(self, manifest: Dict[str, Any]) -> None:
        """Show device, network, length and metric of the run, and whether its data is that of the checkpoint."""
        length = self.length
        # Imported weights do not record their training persons.
        if self._earlier.get('split_hash') not in (None, manifest['split_hash']):
            self.report(
                'note: the persons for training or for validation are not those of the checkpoint; from here on the '
                'results differ from those of an uninterrupted run'
            )
        self.report(f'device: {self.runtime.description}; TensorFlow {TF_VERSION}')
        self.report(f'network: {summarise_network(self.hyperparameters).describe()}')
        self.report(
            f'run: {counted(length.num_epochs, "epoch")} of {counted(length.steps_per_epoch, "step")} with '
            f'{counted(length.joint_batch, "person")} each, in {self.config.Saver.saver_directory}'
        )
        self.report(f'best checkpoint by: {self.best_metric.title}')

    def _require_same_epochs(self) -> None:
        """Raise ConfigError if the resumed run had another epoch_size."""
        found = self.config.Train.epoch_size
        before = self._earlier['config']['Train'].get('epoch_size')
        if self._earlier.get('steps_per_epoch') and found != before:
            raise ConfigError(
                f'config [Train] epoch_size: expected {before}, found {found}; the length of an epoch is fixed at the '
                'first start of a run, because finished epochs and the schedule are counted in it: leave epoch_size '
                'unchanged and change nEpochs, or start another run'
            )

    def _length(self, data: DataGenerator) -> RunLength:
        """Return the RunLength of a new run or of the resumed one."""
        train, world_size, earlier = self.config.Train, self.runtime.world_size, self._earlier
        joint_batch = train.batch_size * world_size
        if not earlier.get('steps_per_epoch'):
            # A new run, or one whose checkpoint holds imported weights.
            length = RunLength.of_new_run(train.nEpochs, train.epoch_size or data.steps_per_epoch, joint_batch)
            self._require_whole_loops(length)
            return length
        before = earlier['config']['Train']['batch_size']
        if 'persons' not in earlier and train.epoch_size is None:
            world_size = earlier_world_size(len(data.persons), before, earlier['steps_per_epoch'], world_size)
        length = RunLength.of_resumed_run(earlier, train.nEpochs, joint_batch, before * world_size)
        if earlier.get('joint_batch', before * world_size) != joint_batch:
            self.report(
                f'note: a step now has {counted(joint_batch, "person")}; the run continues after '
                f'{length.persons_at(earlier["global_step"])} of {counted(length.total_persons, "person")}'
            )
        return length

    def _require_whole_loops(self, length: RunLength) -> None:
        steps = self.runtime.steps_per_run
        if length.steps_per_epoch % steps:
            nearest = max(1, round(length.steps_per_epoch / steps)) * steps
            raise ConfigError(
                f'config [Train] epoch_size: expected a multiple of iterations_per_loop, {steps}, for instance '
                f'{nearest}; found {length.steps_per_epoch} steps in an epoch'
            )

    def _validation(self, parts: _Parts) -> Validation:
        config, split = self.config, self.experiment.split()
        generator = self.experiment.generator(
            split['valid'], config.Validation.valid_batch_size, self.runtime.rank, self.runtime.world_size
        )
        evaluator = Evaluator(
            generator,
            self.experiment.codec,
            self.experiment.skeleton,
            np.array(parts.manifest['inference']['mean_pose_crop']),
            config.Validation.flip_test,
            config.Validation.valid_iteration,
        )
        loss = ValidationLoss(parts.graph, self.experiment.codec) if self.best_metric.kind == 'loss' else None
        return Validation(evaluator, config.Validation.valid_every, self.best_metric, loss)

    def _hooks(self, parts: _Parts, timing: Timing, validation: Validation) -> List[Hook]:
        """Return the hooks in the order in which they are called."""
        config, saver, is_chief = self.config, self.config.Saver, self.runtime.is_chief
        run_log = RunLog(saver.saver_directory, saver.log_dir_train, saver.log_dir_test) if is_chief else NoRunLog()
        pictures = TrainingPictures(self.experiment.codec, self.experiment.skeleton) if is_chief else None
        weights = parts.start.saver if config.Train.w_summary else None
        folder = CheckpointFolder(saver.saver_directory, saver.keep_last)
        if is_chief:
            folder.repair(self._earlier.get('global_step'))
        return [
            timing,
            Log(run_log, saver.saver_step, validation, weights),
            ProgressBar(),
            validation,
            Pictures(pictures, run_log, saver.saver_step, validation),
            EarlyStopping(config.Train.patience, validation),
            Checkpoint(
                folder,
                parts.start.saver,
                parts.manifest,
                validation,
                every=saver.checkpoint_every,
                minutes=saver.checkpoint_minutes,
                resumed_here=parts.start.is_in(folder.folder),
            ),
        ]

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


def train_graph(
    config: Config, hyperparameters: Hyperparameters, codec: HeatmapCodec, runtime: Runtime, length: RunLength
) -> TrainGraph:
    """Return the TrainGraph of a Config, built in the current default graph."""
    train = config.Train
    schedule = ScheduleSettings(
        length.total_persons,
        train.lear_rate * (runtime.world_size if train.scale_rate_with_workers else 1),
        train.schedule,
        decay=train.decay,
        decay_persons=train.decay_step * length.first_joint_batch,
        milestones=tuple(train.milestones),
        warmup_persons=train.warmup_steps * length.first_joint_batch,
        persons_per_step=length.joint_batch,
        persons_offset=length.persons_offset,
    )
    return TrainGraph(
        HourglassModel(hyperparameters),
        codec,
        runtime,
        schedule,
        train.batch_size,
        config.Validation.valid_batch_size,
        optimizer=train.optimizer,
        weight_decay=train.weight_decay,
        ema_decay=train.ema_decay,
        clip_norm=train.clip_norm,
        seed=train.seed,
        person_weight=train.person_weight,
        sync_batch_norm=train.sync_batch_norm,
    )
