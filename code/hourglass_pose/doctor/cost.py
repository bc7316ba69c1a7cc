"""The disk space and the time that a run will need, from its settings and from measurements."""

import os
import shutil
import time
from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.doctor.findings import Finding
from hourglass_pose.errors import ImageError, counted
from hourglass_pose.report.sheets import contact_sheet

# Every optimizer has two slots for each trained parameter: two moments, or a mean square and a momentum.
_SLOTS = 2
_BYTES = 4

# In addition to the last N: the best one, and the one that is being written.
_MORE_CHECKPOINTS = 2

# Tiles in the TensorBoard images of one summary and of one validation.
TILES_OF_SUMMARY, TILES_OF_VALIDATION = 16, 24


@dataclass(frozen=True)
class RunPlan:
    """Length of a run of one process, and the files that it keeps.

    num_train: persons to train on. steps, epochs: of training. batch_size: persons a step. valid_persons: of one
    validation. validations: how many. flip_test: whether a validation passes each crop twice. warmup_steps: of the
    schedule. workers: threads that prepare batches. folder: of the run. keep_last: newest checkpoints kept.
    checkpoint_every: epochs from one checkpoint to the next. averaged: whether weight averages are kept. summary_every:
    steps from one summary to the next.
    """

    num_train: int
    steps: int
    epochs: int
    batch_size: int
    valid_persons: int
    validations: int
    flip_test: bool
    warmup_steps: int
    workers: int
    folder: str
    keep_last: int
    checkpoint_every: int
    averaged: bool
    summary_every: int


def checkpoint_bytes(parameters: int, variables: int, averaged: bool) -> int:
    """Return the size of one checkpoint of a training in bytes.

    parameters: number of trained values. variables: number of all values of the network. averaged: whether weight
    averages are kept.
    """
    return _BYTES * (variables * (2 if averaged else 1) + parameters * _SLOTS)


def tile_bytes(tiles: Sequence[np.ndarray]) -> float:
    """Return the bytes of PNG per tile of a contact sheet of such images, 0 without images."""
    if not tiles:
        return 0.0
    sheet = contact_sheet(tiles, 4, (200, 200), legend=False)
    return len(cv2.imencode('.png', sheet)[1]) / len(tiles)


def check_disk(plan: RunPlan, parameters: int, variables: int, bytes_of_tile: float) -> Finding:
    """Return the Finding on the disk space of a run; harmful if there is not enough."""
    one = checkpoint_bytes(parameters, variables, plan.averaged)
    kept = min(plan.keep_last, plan.epochs // plan.checkpoint_every + 1) + _MORE_CHECKPOINTS
    images = bytes_of_tile * (
        TILES_OF_SUMMARY * (plan.steps // plan.summary_every) + TILES_OF_VALIDATION * plan.validations
    )
    needed = one * kept + images
    free = shutil.disk_usage(_existing_part(plan.folder)).free
    message = (
        f'the run needs about {size_text(needed)} in {plan.folder} ({kept} checkpoints of {size_text(one)}, images for '
        f'TensorBoard {size_text(images)}); free: {size_text(free)}'
    )
    if needed > free:
        message += (
            '; free some space, lower Saver.keep_last, raise Saver.saver_step or set another Saver.saver_directory'
        )
    return Finding('disk', needed > free, message)


def measure_input(sample_maker: Any, persons: Sequence[Person]) -> Tuple[Optional[float], int]:
    """Return (median seconds for one training sample on one thread, number of samples made).

    sample_maker: an input.samples.SampleMaker. The time includes reading and decoding the image. Persons whose image
    cannot be read are skipped; if none is left, the median is None.
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


def check_time(
    plan: RunPlan,
    seconds_of_sample: Optional[float],
    num_samples: int,
    step_seconds: Optional[float] = None,
    num_steps: int = 0,
) -> Finding:
    """Return the Finding on the time of a run, with the measurements that it rests on.

    seconds_of_sample: as measure_input returns it, with the number of samples. step_seconds: median of a training
    step of the network, with the number of steps, or None where it was not measured.
    """
    threads = max(1, plan.workers)
    parts = []
    needed = []
    if seconds_of_sample is not None:
        needed.append(seconds_of_sample * plan.steps * plan.batch_size / threads)
        parts.append(
            f'input alone {time_text(needed[-1])} ({1000 * seconds_of_sample:.1f} ms a person on one thread, measured '
            f'on {num_samples}; {threads} threads at best)'
        )
    if step_seconds is None:
        parts.append('measure the time of the network with --steps 5')
        heading = f'at least {time_text(needed[0])}' if needed else 'unknown'
    else:
        training = step_seconds * plan.steps
        # The forward pass is a third of a step's arithmetic; the flip test runs it twice.
        passes = 2 if plan.flip_test else 1
        validation = step_seconds / plan.batch_size / 3 * passes * plan.valid_persons * plan.validations
        parts += [
            f'the network {time_text(training)} ({step_seconds:.2f} s a step, measured on {num_steps} steps of random '
            'images)',
            f'validation {time_text(validation)} (estimated as a third of a step a person'
            f'{", twice with the flip test" if plan.flip_test else ""})',
        ]
        heading = f'about {time_text(max([training] + needed) + validation)}'
    length = f'{counted(plan.steps, "step")} of {counted(plan.batch_size, "person")} in {counted(plan.epochs, "epoch")}'
    return Finding('time', False, f'{heading} for {length}: {"; ".join(parts)}')


def check_settings(plan: RunPlan) -> List[Finding]:
    """Return Findings on settings that contradict each other or the data."""
    findings = []
    if plan.warmup_steps >= plan.steps:
        message = (
            f'Train.warmup_steps is {plan.warmup_steps}, but the steps of the run are {plan.steps}: the learning rate '
            'never reaches Train.lear_rate'
        )
        findings.append(Finding('settings', True, message))
    if plan.batch_size > plan.num_train:
        message = f'Train.batch_size is {plan.batch_size}, but only {counted(plan.num_train, "person")} to train on'
        findings.append(Finding('settings', False, message))
    seen = plan.steps * plan.batch_size
    if seen < plan.num_train:
        message = f'the run ends before it has seen all persons: it sees {seen:,} of {plan.num_train:,}'
        findings.append(Finding('settings', True, message))
    return findings


def size_text(num_bytes: float) -> str:
    """Return a size as text, such as '1.5 GB'."""
    for unit in ('B', 'kB', 'MB'):
        if num_bytes < 1000:
            return f'{num_bytes:.3g} {unit}'
        num_bytes /= 1000.0
    return f'{num_bytes:.3g} GB'


def time_text(seconds: float) -> str:
    """Return a duration as text, such as '45 s', '12 min', '3.5 h' or '2.1 days'."""
    for limit, size, unit in ((120, 1, 's'), (7200, 60, 'min'), (172800, 3600, 'h')):
        if seconds < limit:
            return f'{seconds / size:.{1 if unit == "h" else 0}f} {unit}'
    return f'{seconds / 86400.0:.1f} days'


def _existing_part(path: str) -> str:
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path
