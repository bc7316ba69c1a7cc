"""The parts of a run that its benchmark shares: the device of a Config, and the graph that it trains."""

from contextlib import contextmanager
from typing import Iterator, Optional

from hourglass_pose.allocation import garbage_collection_paused
from hourglass_pose.config.config import Config
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.runtime.ascend_options import NpuSettings
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.runtime.cluster.spec import Cluster
from hourglass_pose.runtime.selection import open_runtime
from hourglass_pose.training.optimizer import ScheduleSettings
from hourglass_pose.training.run_length import RunLength
from hourglass_pose.training.teacher import Teacher
from hourglass_pose.training.train_graph import TrainGraph


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


def train_graph(experiment: Experiment, runtime: Runtime, length: RunLength) -> TrainGraph:
    """Return the TrainGraph of an Experiment, built in the current default graph."""
    config, teacher = experiment.config, experiment.teacher()
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
    with garbage_collection_paused():
        return TrainGraph(
            HourglassModel(experiment.hyperparameters()),
            experiment.codec,
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
            teacher=Teacher(teacher, experiment.skeleton.joints, train.teacher_weight) if teacher else None,
        )
