"""How much the pixels of training crops change because photos are decoded at reduced scale.

    python benchmarks/input_reduced.py --config FILE [--set SECTION.KEY=VALUE ...] [--crops 2000]

Training decodes a JPEG at 1/2, 1/4 or 1/8 of its scale where a crop pixel has about as many photo pixels; evaluation
decodes in full. Printed for each scale: the share of the augmented training crops of the config's data, and the mean
and the 99th percentile of the absolute difference from the same crop of the fully decoded photo, in levels of 255.
"""

import argparse
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'code'))

from hourglass_pose.config.config import load_config  # noqa: E402
from hourglass_pose.experiment.experiment import Experiment  # noqa: E402
from hourglass_pose.images import SHRINKS  # noqa: E402
from hourglass_pose.input.augmentations.base import View  # noqa: E402
from hourglass_pose.input.augmentations.table import sample_change  # noqa: E402
from hourglass_pose.input.pixels import read_pixels  # noqa: E402


def scale_and_difference(experiment, person, index):
    """Return (divisor of the photo's width, absolute differences) of a person's training crop in the first epoch."""
    rule, cache = experiment.rule, experiment.cache
    change = sample_change(experiment.config.Train.seed, 0, index, experiment.augmentation)
    affine = rule.training_affine(person, change.view(View(), lambda: rule.plain_joints(person)))
    both = [read_pixels(cache, person, affine, in_full) for in_full in (True, False)]
    crops = [pixels.crop(rule.crop_size).astype(int) for pixels in both]
    scale = both[0].image.shape[1] / both[1].image.shape[1]
    return min(SHRINKS, key=lambda shrink: abs(shrink - scale)), np.abs(crops[0] - crops[1])


def main():
    """Print a line for each scale."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--config')
    parser.add_argument('--set', action='append', default=[])
    parser.add_argument('--crops', type=int, default=2000)
    options = parser.parse_args()
    experiment = Experiment(load_config(options.config, options.set), lambda line: None)
    persons = experiment.split()['train']
    found = [scale_and_difference(experiment, persons[index % len(persons)], index) for index in range(options.crops)]
    for shrink in SHRINKS:
        differences = [difference.ravel() for scale, difference in found if scale == shrink]
        if not differences:
            continue
        values = np.concatenate(differences)
        print(
            f'1/{shrink}: {len(differences) / len(found):.1%} of the crops, difference {values.mean():.2f}, '
            f'99th percentile {np.percentile(values, 99):.0f}'
        )


if __name__ == '__main__':
    main()
