"""What the doctor looks at: the data of an Experiment, and the length and the files of its run."""

from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.annotations.splits import split_persons
from hourglass_pose.config.config import Config
from hourglass_pose.cores import available_cores
from hourglass_pose.doctor.cost import RunPlan
from hourglass_pose.doctor.inspection import InspectedData
from hourglass_pose.experiment.experiment import Experiment


def inspected_data(experiment: Experiment) -> InspectedData:
    """Return the data of an Experiment for doctor: every line is read, even if its image is missing."""
    data = experiment.config.DataSetHG
    annotations = read_annotations(
        data.training_txt_file,
        data.img_directory,
        len(experiment.skeleton),
        'skip',
        joint_names=experiment.skeleton.joints,
        need_images=False,
        needs_centre=experiment.rule.needs_centre,
    )
    return InspectedData(
        annotations=annotations,
        split=split_persons(annotations.persons, data.valid_fraction, data.split_seed, data.split_by),
        skeleton=experiment.skeleton,
        rule=experiment.rule,
        kept_joints=experiment.kept_joints,
        codec=experiment.codec,
        sample_maker=experiment.generator(annotations.persons, 1).sample_maker,
        strict=data.on_bad_annotation == 'strict',
        max_unreadable=data.max_unreadable,
        flip_prob=data.flip_prob,
        flip_test=experiment.config.Validation.flip_test,
    )


def run_plan(config: Config, num_train: int, num_valid: int) -> RunPlan:
    """Return the RunPlan of a run of one process on these numbers of persons, counted as in training."""
    train, validation, saver = config.Train, config.Validation, config.Saver
    steps = train.epoch_size or max(1, int(round(num_train / train.batch_size)))
    if validation.valid_iteration:
        num_valid = min(num_valid, validation.valid_iteration * validation.valid_batch_size)
    return RunPlan(
        num_train=num_train,
        steps=steps * train.nEpochs,
        epochs=train.nEpochs,
        batch_size=train.batch_size,
        valid_persons=num_valid,
        validations=-(-train.nEpochs // validation.valid_every),
        flip_test=validation.flip_test,
        warmup_steps=train.warmup_steps,
        workers=available_cores() if train.workers is None else train.workers,
        folder=saver.saver_directory,
        keep_last=saver.keep_last,
        checkpoint_every=saver.checkpoint_every,
        averaged=train.ema_decay > 0,
        summary_every=saver.saver_step,
    )
