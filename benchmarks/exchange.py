"""What the exchange of gradients costs: three networks in 2 and 4 processes, and what follows for hundreds of them.

    python benchmarks/exchange.py measure FOLDER
    python benchmarks/exchange.py table FOLDER [--latency-us 20 --gbit 10]

`measure` runs `benchmark scale` for each network and number of processes, one after the other, and writes a JSON file
each into the folder: less than five minutes on two quiet cores. `table` prints their figures as Markdown: first the
measured ones, then for rings of 2 to 512 processes, by the measurement with the fewest processes,

    bytes that a process sends    2 (N - 1) / N x gradients
    seconds of an exchange        2 (N - 1) x latency + bytes sent x seconds a byte

Latency and seconds a byte are those between processes of this machine; --latency-us and --gbit add those of a network.
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import time

CODE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'code')
sys.path.insert(0, CODE)

from hourglass_pose.benchmark.comparison import NOTEWORTHY_LOAD, foreign_load_note  # noqa: E402
from hourglass_pose.benchmark.scaling import FURTHER, Scaling, sent_bytes  # noqa: E402

# (name, settings, measured steps): small, medium, and large with a batch that four processes hold in memory.
NETWORKS = (
    ('quickstart', ('--config', 'configs/quickstart.cfg'), 20),
    ('lsp_30min', ('--config', 'configs/lsp_30min.cfg'), 10),
    ('2_stacks_of_256', ('--set', 'Network.nStack=2', '--set', 'Train.batch_size=4'), 5),
)
PROCESSES = (2, 4)


def commands(folder, networks=NETWORKS, processes=PROCESSES):
    """Return the commands that measure, each for the folder of the code; they write into `folder`."""
    return [
        [sys.executable, '-m', 'hourglass_pose', 'benchmark', 'scale', *settings]
        + ['--workers', str(count), '--steps', str(steps)]
        + ['--output', os.path.join(os.path.abspath(folder), f'{name}-{count}.json')]
        for name, settings, steps in networks
        for count in processes
    ]


def read_measurements(folder):
    """Return {name: [Scaling, ...]} of the files NAME-PROCESSES.json in a folder, by size and number of processes."""
    found = {}
    for path in glob.glob(os.path.join(glob.escape(folder), '*-*.json')):
        with open(path, encoding='utf-8') as stream:
            scaling = Scaling.from_dict(json.load(stream))
        name = os.path.basename(path).rpartition('-')[0]
        found.setdefault(name, []).append(scaling)
    ordered = {name: sorted(found[name], key=lambda scaling: scaling.processes) for name in found}
    return dict(sorted(ordered.items(), key=lambda item: item[1][0].num_bytes))


def measured_table(measurements):
    """Return the lines of the measured figures, with the exchange that the formula gives from the fewest processes."""
    lines = [
        '| network | processes | gradients | step | without exchange | exchange | exchange alone | by the formula |',
        '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ]
    for name, scalings in measurements.items():
        for scaling in scalings:
            expected = scalings[0].exchange_seconds(scaling.processes)
            cells = [
                name,
                str(scaling.processes),
                f'{scaling.num_bytes / 1e6:.1f} MB',
                milliseconds(scaling.together),
                milliseconds(scaling.alone),
                f'{100 * (scaling.together / scaling.alone - 1):+.1f} %',
                milliseconds(scaling.gradients),
                milliseconds(expected),
            ]
            lines.append(f'| {" | ".join(cells)} |')
    return lines


def ring_table(measurements, latency, seconds_per_byte):
    """Return the lines of the table for many processes: bytes and seconds, and their share of the step with exchange.

    latency, seconds_per_byte: what the network adds.
    """
    lines = [f'| processes | {" | ".join(measurements)} |', f'| --- |{" --- |" * len(measurements)}']
    for number in FURTHER:
        cells = []
        for scalings in measurements.values():
            first = scalings[0]
            seconds = first.exchange_seconds(number, latency, seconds_per_byte)
            share = seconds / (first.alone + seconds)
            megabytes = sent_bytes(first.num_bytes, number) / 1e6
            cells.append(f'{megabytes:.1f} MB, {milliseconds(seconds)}, {100 * share:.0f} %')
        lines.append(f'| {number} | {" | ".join(cells)} |')
    return lines


def milliseconds(seconds):
    return f'{1000 * seconds:.1f} ms'


def measure(folder):
    """Make all measurements; return the exit code of the first that fails, or 0."""
    os.makedirs(folder, exist_ok=True)
    begin = time.monotonic()
    for command in commands(folder):
        print(' '.join(command[1:]), flush=True)
        code = subprocess.run(command, cwd=CODE).returncode
        if code:
            return code
    print(f'{time.monotonic() - begin:.0f} s')
    return 0


def table(folder, latency, seconds_per_byte):
    """Print both tables; return the exit code."""
    measurements = read_measurements(folder)
    if not measurements:
        print(f'error: {folder}: expected files NAME-PROCESSES.json, found none; run measure first', file=sys.stderr)
        return 2
    print('\n'.join([*measured_table(measurements), '', *ring_table(measurements, latency, seconds_per_byte)]))
    load = max(scaling.foreign_load for scalings in measurements.values() for scaling in scalings)
    if load > NOTEWORTHY_LOAD:
        print(f'\n{foreign_load_note(load)}')
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', choices=('measure', 'table'))
    parser.add_argument('folder')
    parser.add_argument('--latency-us', type=float, default=0.0, help='microseconds that a network adds to a message')
    parser.add_argument('--gbit', type=float, default=0.0, help='speed of the network in Gbit/s (default: no limit)')
    options = parser.parse_args()
    if options.what == 'measure':
        sys.exit(measure(options.folder))
    sys.exit(table(options.folder, options.latency_us / 1e6, 8e-9 / options.gbit if options.gbit else 0.0))


if __name__ == '__main__':
    main()
