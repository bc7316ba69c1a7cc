"""What a run will take of disk and time, from its settings and from what was measured of it."""

import os
import shutil
import time
from dataclasses import dataclass

import cv2
import numpy as np

from hourglass_pose.doctor.persons import Finding
from hourglass_pose.errors import ImageError
from hourglass_pose.report.sheets import contact_sheet

# Of every optimizer there is: two moments, or a mean square and a momentum, of each trained number.
_SLOTS = 2
_BYTES = 4

# Besides the last N: the best one, and the one that is being written.
_MORE_CHECKPOINTS = 2

# Tiles of the pictures in TensorBoard, of a summary and of a validation.
TILES_OF_SUMMARY, TILES_OF_VALIDATION = 16, 24


@dataclass(frozen=True)
class Length:
    """How long a run is. steps, epochs: of training. valid_persons: of one validation. validations: how many."""

    steps: int
    epochs: int
    persons_per_step: int
    valid_persons: int
    validations: int


def length_of_run(config, num_train, num_valid):
    """Return the Length of a run of one process on some numbers of persons."""
    batch_size, epochs = config.Train.batch_size, config.Train.nEpochs
    steps = config.Train.epoch_size or max(1, int(round(num_train / float(batch_size))))
    if config.Validation.valid_iteration:
        num_valid = min(num_valid, config.Validation.valid_iteration * config.Validation.valid_batch_size)
    return Length(steps * epochs, epochs, batch_size, num_valid, -(-epochs // config.Validation.valid_every))


def checkpoint_bytes(summary, ema):
    """Return the size of one checkpoint of a training. summary: NetworkSummary. ema: whether averages are kept."""
    return _BYTES * (summary.variables * (2 if ema else 1) + summary.parameters * _SLOTS)


def tile_bytes(pictures, tile_wh=(200, 200)):
    """Return the bytes that a tile of a contact sheet of such pictures takes as PNG, 0 for no pictures."""
    if not pictures:
        return 0
    sheet = contact_sheet(pictures, 4, tile_wh, legend=False)
    return len(cv2.imencode('.png', sheet)[1]) / float(len(pictures))


def check_disk(config, length, summary, bytes_of_tile):
    """Return the Finding about the disk space of a run: harmful where there is not enough."""
    one = checkpoint_bytes(summary, config.Train.ema_decay > 0)
    saver = config.Saver
    kept = min(saver.keep_last, length.epochs // saver.checkpoint_every + 1) + _MORE_CHECKPOINTS
    pictures = bytes_of_tile * (
        TILES_OF_SUMMARY * (length.steps // saver.saver_step) + TILES_OF_VALIDATION * length.validations
    )
    needed = one * kept + pictures
    free = shutil.disk_usage(_existing_part(saver.saver_directory)).free
    message = 'the run takes about %s in %s (%d checkpoints of %s, pictures for TensorBoard %s); free: %s' % (
        size_text(needed),
        saver.saver_directory,
        kept,
        size_text(one),
        size_text(pictures),
        size_text(free),
    )
    if needed > free:
        message += '; make room, lower Saver.keep_last, raise Saver.saver_step or name another Saver.saver_directory'
    return Finding('disk', needed > free, message)


def measure_input(sample_maker, persons):
    """Return (median seconds of making one training sample on one thread, how many were made).

    Reading and decoding the picture is in it. Persons whose picture cannot be read are passed over.
    """
    times = []
    for index, person in enumerate(persons):
        start = time.perf_counter()
        try:
            sample_maker.training_sample(person, 0, index)
        except ImageError:
            continue
        times.append(time.perf_counter() - start)
    return (float(np.median(times)) if times else None), len(times)


def check_time(config, length, seconds_of_sample, num_samples, step_seconds=None, num_steps=0):
    """Return the Finding about the time of a run, with how it is known.

    seconds_of_sample: as measure_input returns it, with the number of samples. step_seconds: median of a training
    step of the network, with the number of steps, or None where it was not measured.
    """
    threads = (os.cpu_count() or 1) if config.Train.workers is None else max(1, config.Train.workers)
    parts = []
    needed = []
    if seconds_of_sample is not None:
        needed.append(seconds_of_sample * length.steps * length.persons_per_step / threads)
        parts.append(
            'input alone %s (%.1f ms a person on one thread, measured on %d; %d threads at best)'
            % (time_text(needed[-1]), 1000 * seconds_of_sample, num_samples, threads)
        )
    if step_seconds is None:
        parts.append('what the network takes is measured with --steps 5')
        heading = f'at least {time_text(needed[0])}' if needed else 'not known'
    else:
        training = step_seconds * length.steps
        # Forward is a third of a step's arithmetic; the flip test does it twice.
        passes = 2 if config.Validation.flip_test else 1
        validation = step_seconds / length.persons_per_step / 3 * passes * length.valid_persons * length.validations
        parts += [
            'the network %s (%.2f s a step, measured on %d steps of random images)'
            % (time_text(training), step_seconds, num_steps),
            'validation {} (estimated as a third of a step a person{})'.format(
                time_text(validation), ', twice with the flip test' if passes == 2 else ''
            ),
        ]
        heading = f'about {time_text(max([training] + needed) + validation)}'
    return Finding(
        'time',
        False,
        '%s for %s steps of %d persons in %d epochs: %s'
        % (heading, f'{length.steps:,}', length.persons_per_step, length.epochs, '; '.join(parts)),
    )


def check_settings(config, length, num_train):
    """Return Findings about settings that fit neither each other nor the data."""
    train, findings = config.Train, []
    if train.warmup_steps >= length.steps:
        findings.append(
            Finding(
                'settings',
                True,
                'Train.warmup_steps is %d, but the steps of the run are %d: the '
                'learning rate never gets to Train.lear_rate' % (train.warmup_steps, length.steps),
            )
        )
    if train.batch_size > num_train:
        findings.append(
            Finding(
                'settings',
                False,
                'Train.batch_size is %d, but there are %d persons to train on' % (train.batch_size, num_train),
            )
        )
    seen = length.steps * length.persons_per_step
    if seen < num_train:
        findings.append(
            Finding(
                'settings',
                True,
                'the run ends before it has seen everybody: {} persons are drawn, {} are there'.format(
                    f'{seen:,}', f'{num_train:,}'
                ),
            )
        )
    return findings


def size_text(num_bytes):
    """Return such as '1.5 GB'."""
    for unit in ('B', 'kB', 'MB'):
        if num_bytes < 1000:
            return f'{num_bytes:.3g} {unit}'
        num_bytes /= 1000.0
    return f'{num_bytes:.3g} GB'


def time_text(seconds):
    """Return such as '45 s', '12 min', '3.5 h' and '2.1 days'."""
    for limit, size, unit in ((120, 1, 's'), (7200, 60, 'min'), (172800, 3600, 'h')):
        if seconds < limit:
            return '%.*f %s' % (1 if unit == 'h' else 0, seconds / float(size), unit)
    return f'{seconds / 86400.0:.1f} days'


def _existing_part(path):
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path
