"""Interrupts trainings and damages thousands of files: trainings continue bit for bit, mistakes are one line each.

    python benchmarks/reliability.py kills --count 200
    python benchmarks/reliability.py disk --count 50
    python benchmarks/reliability.py configs | annotations | images | checkpoints | predictions  [--count N] [--first N]

Every case follows from its number, so that `--first N --count 1` repeats one. A table of the results is printed, each
failure with its case; the exit code is 1 where there is one. `disk` mounts a tmpfs and needs root. docs/reliability.md
holds the results.
"""

import argparse
import os
import sys
import time

from cases import Plan

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, part) for part in ('code', 'tests', 'tests/support')]
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# Sums over another number of threads differ in their last bits.
os.environ['TF_NUM_INTRAOP_THREADS'] = '1'

SUBCOMMANDS = {
    # name: (module, usual number of cases)
    'kills': ('interruptions', 200),
    'disk': ('interruptions', 50),
    'configs': ('damaged_files', 10000),
    'annotations': ('damaged_files', 2000),
    'images': ('damaged_files', 1000),
    'checkpoints': ('damaged_files', 1000),
    'predictions': ('damaged_files', 1000),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    subparsers = parser.add_subparsers(dest='subcommand', required=True)
    for name, (_, count) in SUBCOMMANDS.items():
        subparser = subparsers.add_parser(name)
        subparser.add_argument('--count', type=int, default=count, help='cases, of each format (default: %(default)s)')
        subparser.add_argument('--first', type=int, default=0, help='number of the first case')
        subparser.add_argument('--minutes', type=float, default=1e9, help='start no new case after so many')
        subparser.add_argument('--only', default='', metavar='TEXT', help='only the rows whose name holds TEXT')
    options = parser.parse_args()
    module = __import__(SUBCOMMANDS[options.subcommand][0])
    start = time.time()
    rows = getattr(module, options.subcommand)(
        Plan(options.first, options.count, start + 60 * options.minutes, options.only)
    )
    failures = [failure for row in rows for failure in row.failures]
    print(f'{"what":28} {"cases":>7} {"failures":>8}  outcomes')
    for row in rows:
        outcomes = ', '.join(f'{number} {name}' for name, number in sorted(row.outcomes.items()))
        print(f'{row.name:28} {sum(row.outcomes.values()):7} {len(row.failures):8}  {outcomes}')
    for failure in failures:
        print(f'FAILED {failure}')
    print(f'{time.time() - start:.0f} s, Python {sys.version.split()[0]}')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
