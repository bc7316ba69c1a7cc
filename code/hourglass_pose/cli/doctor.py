"""doctor: what in data, settings and machine will hurt a training, before it starts."""

import os
from collections import OrderedDict

from tqdm import tqdm

from hourglass_pose.cli.options import add_config_options, load_run_config
from hourglass_pose.errors import UserError

HELP = 'look for what will hurt a training, before it starts'

SAMPLED = 32
_SHOWN_NAMES = 4
_SHOWN_LENGTH = 160

# Every check, in the order of the report, and what it says when it finds nothing.
CHECKS = OrderedDict(
    [
        ('lines', 'every line of the annotations can be used'),
        ('images', 'no picture is missing{opened}'),
        ('split', 'nobody is both trained on and validated with{copies}'),
        ('joints', 'every joint is labelled often enough'),
        ('labels', 'no label lies outside of the pictures{opened}'),
        ('crops', 'every label lies in its crop'),
        ('scales', 'no person is absurdly small or large in its crop'),
        ('sides', 'left and right look right'),
        ('settings', 'length, warm-up and batches fit the data'),
        ('disk', ''),
        ('time', ''),
    ]
)


def add_arguments(parser):
    add_config_options(parser)
    parser.add_argument(
        '--images',
        action='store_true',
        help='open every picture (default: %d of them), and find the same one under other names' % SAMPLED,
    )
    parser.add_argument(
        '--steps',
        type=int,
        default=0,
        metavar='N',
        help='train N steps on random images to measure the time that the network takes',
    )
    parser.add_argument('--output', metavar='DIR', help='folder for doctor.json and sheets of crops and heatmaps')


def run(options):
    from hourglass_pose.cli import BAD_FINDING, DONE
    from hourglass_pose.experiment.experiment import Experiment, make_folder
    from hourglass_pose.experiment.training_data import require_data

    if options.steps < 0:
        raise UserError('--steps: expected an integer >= 0, found %d' % options.steps)
    config = load_run_config(options)
    require_data(config)
    if options.output:
        make_folder(options.output)
    patient = Patient(Experiment(config))
    print(patient.describe())
    findings = patient.check_labels() + patient.check_pictures(options.images, _bar) + patient.check_run(options.steps)
    silent = {'opened': f' ({patient.opened_text()} opened)', 'copies': patient.copies_text(options.images)}
    for line in format_findings(findings, silent):
        print(line)
    if options.output:
        from hourglass_pose.doctor.sheets import write_doctor_files

        write_doctor_files(options.output, findings, patient)
    return BAD_FINDING if any(finding.harmful for finding in findings) else DONE


class Patient:
    """The data and settings of an Experiment, and what was looked at of them.

    persons: those on either side of the split, missing pictures or not. opened: path -> OpenedPicture.
    """

    def __init__(self, experiment):
        from hourglass_pose.annotations.reading import read_annotations
        from hourglass_pose.annotations.splits import split_persons
        from hourglass_pose.doctor.images import missing_images

        self.experiment = experiment
        self.config = experiment.config
        data = self.config.DataSetHG
        self.annotations = read_annotations(
            data.training_txt_file,
            data.img_directory,
            len(experiment.skeleton),
            'skip',
            joint_names=experiment.skeleton.joints,
            need_images=False,
            needs_centre=experiment.rule.needs_centre,
        )
        self.split = split_persons(self.annotations.persons, data.valid_fraction, data.split_seed)
        self.persons = [person for persons in self.split.values() for person in persons]
        self.missing = missing_images(self.persons)
        self.opened = {}
        self._pictured = []

    def describe(self):
        return 'data      %s; %s to train on, %s to validate with' % (
            (self.annotations.describe(),) + tuple(f'{len(self.split[side]):,}' for side in ('train', 'valid'))
        )

    def check_labels(self):
        """Return the Findings that need no picture."""
        from hourglass_pose.doctor import persons as checks
        from hourglass_pose.doctor import sides as side_checks

        experiment, problems = self.experiment, self.annotations.problems
        findings = []
        if problems:
            strict = self.config.DataSetHG.on_bad_annotation == 'strict'
            findings.append(
                checks.Finding(
                    'lines',
                    strict or len(problems) > checks.MOST_ODD * len(self.persons),
                    '{} cannot be used{}'.format(
                        checks.counted(len(problems), 'line'),
                        ", so training refuses to start; mend them or set DataSetHG.on_bad_annotation='skip'"
                        if strict
                        else '',
                    ),
                    problems,
                )
            )
        return (
            findings
            + checks.check_split(self.split)
            + checks.check_joints(self.persons, experiment.skeleton.joints, experiment.kept_joints)
            + checks.check_crops(self.persons, experiment.rule)
            + checks.check_scales(self.persons, experiment.rule)
            + side_checks.check_sides(self.persons, experiment.skeleton, self.annotations.sources)
        )

    def check_pictures(self, all_of_them, progress):
        """Return the Findings about pictures, after opening a sample or all of them."""
        from hourglass_pose.doctor import images as image_checks

        data = self.config.DataSetHG
        present = sorted({person.image_path for person in self.persons} - self.missing)
        chosen = present if all_of_them else image_checks.sample_of(present, SAMPLED)
        self.opened = image_checks.open_images(chosen, os.cpu_count() or 1, progress)
        findings = image_checks.check_missing(
            self.persons, self.missing, data.on_bad_annotation == 'strict', data.max_unreadable
        )
        findings += image_checks.check_opened(self.persons, self.opened, data.max_unreadable)
        return findings + (image_checks.check_copies(self.split, self.opened) if all_of_them else [])

    def check_run(self, num_steps):
        """Return the Findings about settings, disk and time; num_steps > 0 trains that many on random images."""
        from hourglass_pose.doctor import cost as run_cost
        from hourglass_pose.graph.summary import summarise_network

        config = self.config
        length = run_cost.length_of_run(config, len(self.split['train']), len(self.split['valid']))
        maker = self.sample_maker()
        seconds, count = run_cost.measure_input(maker, self.some_persons(SAMPLED))
        step_seconds = _measure_steps(config, num_steps) if num_steps else None
        crops = [sample.crop for sample in self.samples(self.some_persons(8), augmented=True)[1]]
        return run_cost.check_settings(config, length, len(self.split['train'])) + [
            run_cost.check_disk(
                config, length, summarise_network(self.experiment.traits()), run_cost.tile_bytes(crops)
            ),
            run_cost.check_time(config, length, seconds, count, step_seconds, num_steps),
        ]

    def sample_maker(self):
        """Return a SampleMaker as training uses it, which keeps no pictures."""
        return self.experiment.generator(self.persons, 1).sample_maker

    def some_persons(self, count):
        """Return persons spread evenly over those whose picture was opened and could be read."""
        from hourglass_pose.doctor.images import sample_of

        return sample_of(
            [
                person
                for person in self.persons
                if person.image_path in self.opened and self.opened[person.image_path].size_wh
            ],
            count,
        )

    def samples(self, persons, augmented):
        """Return ([person], [Sample]) of the persons whose picture can be read, as trained on or as measured."""
        from hourglass_pose.errors import ImageError

        maker, kept, samples = self.sample_maker(), [], []
        for index, person in enumerate(persons):
            try:
                samples.append(
                    maker.training_sample(person, 0, index) if augmented else maker.evaluation_sample(person)
                )
                kept.append(person)
            except ImageError:
                continue
        return kept, samples

    def opened_text(self):
        total = len({person.image_path for person in self.persons})
        return 'all' if len(self.opened) == total else f'{len(self.opened):,} of {total:,}'

    def copies_text(self, all_of_them):
        return ' under any name' if all_of_them else '; the same picture under another name shows with --images only'


def format_findings(findings, silent):
    """Return lines: a line a check that found nothing and a line a finding, then the count.

    silent: what to fill into the texts of CHECKS.
    """
    lines = []
    for check, text in CHECKS.items():
        found = [finding for finding in findings if finding.check == check]
        if not found and text:
            lines.append(f'ok        {check}: {text.format(**silent)}')
        for finding in found:
            word = 'HARMFUL' if finding.harmful else 'ok' if check in ('disk', 'time') else 'note'
            lines.append(f'{word:9} {check}: {finding.message}{_some(finding.names)}')
    harmful = sum(finding.harmful for finding in findings)
    lines.append(
        '%d %s will hurt the training' % (harmful, 'finding' if harmful == 1 else 'findings')
        if harmful
        else 'nothing was found that will hurt the training'
    )
    return lines


def _some(names):
    if not names:
        return ''
    shown = [name if len(name) <= _SHOWN_LENGTH else f'{name[:_SHOWN_LENGTH]}..' for name in names[:_SHOWN_NAMES]]
    return ': {}{}'.format(
        '; '.join(shown), '' if len(names) <= _SHOWN_NAMES else f'; and {len(names) - _SHOWN_NAMES:,} more'
    )


def _measure_steps(config, num_steps):
    """Return the median seconds of some training steps on random images."""
    import numpy as np

    from hourglass_pose.cli.benchmark import Contestant

    contestant = Contestant(config)
    for _ in range(num_steps):
        contestant.step()
    return float(np.median(contestant.training_times))


def _bar(paths):
    return tqdm(paths, desc='opening pictures', unit='picture', leave=False, dynamic_ncols=True, disable=None)
