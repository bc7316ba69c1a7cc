"""doctor: finds problems of data, settings and machine before a training starts."""

import argparse
from typing import TYPE_CHECKING, Any, Sized

from tqdm import tqdm

from hourglass_pose.cli.options import add_config_options, load_run_config
from hourglass_pose.cores import available_cores
from hourglass_pose.errors import UserError

if TYPE_CHECKING:
    from hourglass_pose.config.config import Config
    from hourglass_pose.doctor.cost import RunPlan
    from hourglass_pose.doctor.inspection import InspectedData
    from hourglass_pose.experiment.experiment import Experiment

HELP = 'find problems of data, settings and machine before a training starts'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add_config_options(parser)
    parser.add_argument(
        '--images',
        action='store_true',
        help='open every image (default: a sample), and find duplicates under different names',
    )
    parser.add_argument(
        '--steps', type=int, default=0, metavar='N', help='train N steps on random images to measure the time of a step'
    )
    parser.add_argument('--output', metavar='DIR', help='folder for doctor.json and sheets of crops and heatmaps')


def run(options: argparse.Namespace) -> int:
    """Check everything, print the findings, and return BAD_FINDING if one is harmful, otherwise DONE."""
    from hourglass_pose.cli import BAD_FINDING, DONE
    from hourglass_pose.doctor.findings import format_findings
    from hourglass_pose.doctor.inspection import Inspection
    from hourglass_pose.experiment.experiment import Experiment, make_folder
    from hourglass_pose.experiment.training_data import require_data
    from hourglass_pose.graph.summary import summarise_network

    if options.steps < 0:
        raise UserError(f'--steps: expected an integer >= 0, found {options.steps}')
    config = load_run_config(options)
    require_data(config)
    if options.output:
        make_folder(options.output)
    experiment = Experiment(config)
    inspection = Inspection(inspected_data(experiment))
    print(inspection.describe())
    findings = inspection.check_labels() + inspection.check_images(options.images, _bar)
    summary = summarise_network(experiment.hyperparameters())
    step_seconds = _measure_steps(config, options.steps) if options.steps else None
    plan = run_plan(config, *(len(inspection.data.split[side]) for side in ('train', 'valid')))
    findings += inspection.check_run(plan, summary.parameters, summary.variables, step_seconds, options.steps)
    copies = ' under any name' if options.images else '; duplicates under different names are found with --images only'
    for line in format_findings(findings, {'opened': f' ({inspection.opened_text()} opened)', 'copies': copies}):
        print(line)
    if options.output:
        from hourglass_pose.doctor.sheets import write_doctor_files

        write_doctor_files(options.output, findings, inspection)
    return BAD_FINDING if any(finding.harmful for finding in findings) else DONE


def inspected_data(experiment: 'Experiment') -> 'InspectedData':
    """Return the data of an Experiment for doctor: every line is read, even if its image is missing."""
    from hourglass_pose.annotations.reading import read_annotations
    from hourglass_pose.annotations.splits import split_persons
    from hourglass_pose.doctor.inspection import InspectedData

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


def run_plan(config: 'Config', num_train: int, num_valid: int) -> 'RunPlan':
    """Return the RunPlan of a run of one process on these numbers of persons, counted as in training."""
    from hourglass_pose.doctor.cost import RunPlan

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


def _measure_steps(config: 'Config', num_steps: int) -> float:
    """Return the median seconds of some training steps on random images."""
    from hourglass_pose.experiment.benchmark.timed import measure_step

    return measure_step(config, num_steps)


def _bar(paths: Sized) -> Any:
    return tqdm(paths, desc='opening images', unit='image', leave=False, dynamic_ncols=True, disable=None)
