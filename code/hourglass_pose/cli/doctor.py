"""doctor: finds problems of data, settings and machine before a training starts."""

import argparse
from typing import Any, Sized

from tqdm import tqdm

from hourglass_pose.cli.options import add_config_options, integer_from, load_run_config

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
        '--steps',
        type=integer_from(0),
        default=0,
        metavar='N',
        help='train N steps on random images to measure their time',
    )
    parser.add_argument('--output', metavar='DIR', help='folder for doctor.json and sheets of crops and heatmaps')


def run(options: argparse.Namespace) -> int:
    """Check everything, print the findings, and return BAD_FINDING if one is harmful, otherwise DONE."""
    from hourglass_pose.cli import BAD_FINDING, DONE
    from hourglass_pose.doctor.findings import format_findings
    from hourglass_pose.doctor.inspection import Inspection
    from hourglass_pose.experiment.benchmark.timed import measure_step
    from hourglass_pose.experiment.experiment import Experiment
    from hourglass_pose.experiment.inspecting import inspected_data, run_plan
    from hourglass_pose.experiment.training_data import require_data
    from hourglass_pose.files import make_folder
    from hourglass_pose.graph.summary import summarise_network

    config = load_run_config(options)
    require_data(config)
    if options.output:
        make_folder(options.output)
    experiment = Experiment(config)
    inspection = Inspection(inspected_data(experiment))
    print(inspection.describe())
    findings = inspection.check_labels() + inspection.check_images(options.images, _bar)
    summary = summarise_network(experiment.hyperparameters())
    step_seconds = measure_step(config, options.steps) if options.steps else None
    plan = run_plan(config, *(len(inspection.data.split[name]) for name in ('train', 'valid')))
    findings += inspection.check_run(plan, summary.parameters, summary.variables, step_seconds, options.steps)
    copies = ' under any name' if options.images else '; duplicates under different names are found with --images only'
    for line in format_findings(findings, {'opened': f' ({inspection.opened_text()} opened)', 'copies': copies}):
        print(line)
    if options.output:
        from hourglass_pose.doctor.sheets import write_doctor_files

        write_doctor_files(options.output, findings, inspection)
    return BAD_FINDING if any(finding.harmful for finding in findings) else DONE


def _bar(paths: Sized) -> Any:
    return tqdm(paths, desc='opening images', unit='image', leave=False, dynamic_ncols=True, disable=None)
