"""Seconds from the start of Python to the end of a training's first step, on random photos, once or beside a checkout.

    python benchmarks/start.py [--config FILE] [--set SECTION.KEY=VALUE ...] [--against CHECKOUT] [--starts 3]

A process is started again and again, of the two checkouts in turns. It loads TensorFlow, builds the graph, initialises
the variables and trains. Printed are the median and the range, and the duration of a later step.
"""

import argparse
import os
import sys
import time

import numpy as np

CODE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'code')
sys.path.insert(0, CODE)

from hourglass_pose.benchmark.worker import Worker  # noqa: E402


def measure(code, order):
    """Return (seconds to the end of the first step, seconds of the second step) of a new process."""
    begin = time.perf_counter()
    worker = Worker(code, order)
    # A block of one step is preceded by one that is not timed: the first one.
    step = worker.block(0, 1)
    seconds = time.perf_counter() - begin - step
    worker.close()
    return seconds, step


def main():
    """Print a line for each checkout."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--config')
    parser.add_argument('--set', action='append', default=[])
    parser.add_argument('--against', metavar='CHECKOUT')
    parser.add_argument('--starts', type=int, default=3)
    options = parser.parse_args()
    order = {
        'what': 'step',
        'config': options.config and os.path.abspath(options.config),
        'checkpoint': None,
        'sides': [options.set],
    }
    folders = {'this checkout': CODE}
    if options.against:
        folders[options.against] = os.path.join(os.path.abspath(options.against), 'code')
    found = {name: [] for name in folders}
    for _ in range(options.starts):
        for name, code in folders.items():
            found[name].append(measure(code, order))
    for name, seconds in found.items():
        starts, steps = np.array(seconds).T
        print(
            f'{name}: first step after {np.median(starts):.1f} s ({starts.min():.1f} to {starts.max():.1f}), a step '
            f'takes {np.median(steps):.2f} s'
        )


if __name__ == '__main__':
    main()
