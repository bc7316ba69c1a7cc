"""TrainingRun: puts graph, data, checkpoints and logs of one run together, trains, and leaves the results."""

import os
from contextlib import contextmanager

from hourglass_pose.checkpoints.folder import CheckpointFolder, read_manifest
from hourglass_pose.checkpoints.variables import VariableSaver, check_traits
from hourglass_pose.config.config import format_config
from hourglass_pose.errors import ConfigError
from hourglass_pose.evaluation.evaluator import Evaluator, mean_training_pose
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.graph.summary import summarise_network
from hourglass_pose.report.results import TrainingPictures, write_results
from hourglass_pose.runtime.ascend_options import NpuSettings
from hourglass_pose.runtime.selection import open_runtime
from hourglass_pose.tf_compat import TF_VERSION, describe_versions, tf
from hourglass_pose.training.optimizer import ScheduleSettings
from hourglass_pose.training.progress import LoopSettings
from hourglass_pose.training.run_log import HISTORY, NoRunLog, RunLog, read_history
from hourglass_pose.training.train_graph import TrainGraph
from hourglass_pose.training.trainer import Trainer


@contextmanager
def open_device(config):
    """Open the Runtime of a Config's [Device] as a context: what goes wrong in it ends the other processes, too."""
    device = config.Device
    runtime = open_runtime(
        device.device,
        device.precision,
        device.intra_threads,
        device.loss_scale,
        device.iterations_per_loop,
        NpuSettings(**{name: getattr(device, name) for name in NpuSettings.__dataclass_fields__}),
    )
    try:
        yield runtime
    except BaseException as error:
        runtime.close(failure=' '.join(str(error).split()) or type(error).__name__)
        raise
    runtime.close()


class TrainingRun:
    """One run of an Experiment in its saver_directory, on a Runtime.

    It starts from random weights, goes on from the checkpoint `resume_folder`, or starts with the weights of the
    StoredNetwork `initial`.
    """

    def __init__(self, experiment, runtime, resume_folder=None, initial=None, command=''):
        self.experiment = experiment
        self.runtime = runtime
        self.config = experiment.config
        self.resume_folder = resume_folder
        self.initial = initial
        self.command = command
        self.say = experiment.say
        self.traits = experiment.traits()
        if resume_folder:
            check_traits(resume_folder, self.traits)

    def run(self):
        """Train, and when the last epoch is reached write the results. Returns whether it was."""
        with tf.Graph().as_default():
            trainer = self._trainer(self.runtime)
            finished = trainer.train(self.resume_folder, self.initial and self.initial.prefix)
        if self.runtime.is_chief:
            trainer.performance.write(
                self.config.Saver.saver_directory,
                finished=finished,
                world_size=self.runtime.world_size,
                batch_size=self.config.Train.batch_size,
                skipped_steps=trainer.skipped,
                device=self.runtime.description,
            )
            if finished and trainer.evaluation:
                self._write_results(trainer.evaluation)
        return finished

    def _trainer(self, runtime):
        config, experiment = self.config, self.experiment
        split = experiment.split()
        data = experiment.generator(split['train'], config.Train.batch_size, runtime.rank, runtime.world_size)
        loop = LoopSettings(
            config.Train.nEpochs,
            config.Train.epoch_size or data.steps_per_epoch,
            config.Validation.valid_every,
            config.Saver.checkpoint_every,
            config.Saver.checkpoint_minutes,
            config.Saver.saver_step,
            config.Train.w_summary,
        )
        self._require_whole_loops(loop)
        graph = train_graph(config, self.traits, experiment.codec, runtime, loop.num_epochs * loop.steps_per_epoch)
        mean_pose = mean_training_pose(split['train'], experiment.rule)
        evaluator = Evaluator(
            experiment.generator(split['valid'], config.Validation.valid_batch_size, runtime.rank, runtime.world_size),
            experiment.codec,
            experiment.skeleton,
            mean_pose,
            config.Validation.flip_test,
            config.Validation.valid_iteration,
        )
        saver = config.Saver
        checkpoints = CheckpointFolder(saver.saver_directory, saver.keep_last)
        if runtime.is_chief:
            checkpoints.remove_partial()
        manifest = {
            'config': config.as_dict(),
            'traits': self.traits.as_dict(),
            'recipe': experiment.recipe(mean_pose),
            'seed': config.Train.seed,
            'split_hash': experiment.split_hash(),
            'device': runtime.description,
            'averaged_weights': config.Train.ema_decay > 0,
            'started_from': self.initial and self.initial.path,
        }
        earlier = read_manifest(self.resume_folder) if self.resume_folder else {}
        # Where weights came from stays with them, and so does whose licence they are under.
        manifest.update((key, earlier[key]) for key in ('started_from', 'source') if earlier.get(key))
        # Of imported weights nobody knows whom they were trained on.
        known = earlier.get('split_hash')
        if known not in (None, manifest['split_hash']):
            self.say(
                'note: the persons to train on or to validate with are not those of the checkpoint; from here on '
                'the run is another one than it would have been'
            )
        self.say(f'device: {runtime.description}; TensorFlow {TF_VERSION}')
        self.say(f'network: {summarise_network(self.traits).describe()}')
        self.say(
            'run: %d epochs of %d steps with %d persons each, in %s'
            % (
                loop.num_epochs,
                loop.steps_per_epoch,
                config.Train.batch_size * runtime.world_size,
                saver.saver_directory,
            )
        )
        return Trainer(
            graph,
            runtime,
            data,
            evaluator,
            checkpoints,
            VariableSaver(config.Network.name, graph.model.variables()),
            RunLog(saver.saver_directory, saver.log_dir_train, saver.log_dir_test) if runtime.is_chief else NoRunLog(),
            loop,
            manifest,
            TrainingPictures(experiment.codec, experiment.skeleton),
            self.say,
        )

    def _require_whole_loops(self, loop):
        steps = self.runtime.steps_per_run
        if loop.steps_per_epoch % steps:
            nearest = max(1, round(loop.steps_per_epoch / steps)) * steps
            raise ConfigError(
                'config [Train] epoch_size: expected a multiple of iterations_per_loop, %d, for instance '
                '%d; found %d steps in an epoch' % (steps, nearest, loop.steps_per_epoch)
            )

    def _write_results(self, evaluation):
        config, data = self.config, self.config.DataSetHG
        sources = list(zip(data.training_txt_file, data.img_directory))
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
            'checkpoint': os.path.join(config.Saver.saver_directory, 'latest'),
            'command': self.command,
            'versions': describe_versions(),
        }
        everyone = [person for side in self.experiment.split().values() for person in side]
        folder = config.Saver.saver_directory
        write_results(
            folder,
            evaluation,
            self.experiment.skeleton,
            protocol,
            sources,
            everyone,
            self.say,
            read_history(os.path.join(folder, HISTORY)),
            format_config(config),
        )


def train_graph(config, traits, codec, runtime, total_steps):
    """Return the TrainGraph of a Config, in the present graph."""
    train = config.Train
    schedule = ScheduleSettings(
        total_steps,
        train.lear_rate,
        train.schedule,
        train.decay,
        train.decay_step,
        tuple(train.milestones),
        train.warmup_steps,
    )
    return TrainGraph(
        HourglassModel(traits),
        codec,
        runtime,
        schedule,
        train.batch_size,
        config.Validation.valid_batch_size,
        train.optimizer,
        train.weight_decay,
        train.ema_decay,
        train.clip_norm,
        train.seed,
    )
