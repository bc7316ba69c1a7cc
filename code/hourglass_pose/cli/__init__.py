"""The command line: one module a subcommand, and the rule for exit codes and messages."""

import argparse
import importlib
import re
import sys
from typing import List, Sequence

from hourglass_pose import __version__
from hourglass_pose.errors import UserError

# 1 is Python's own for a mistake of ours, too, which its traceback tells from a bad finding.
DONE, BAD_FINDING, USERS_MISTAKE, INTERRUPTED = 0, 1, 2, 130

SUBCOMMANDS = (
    'prepare',
    'doctor',
    'train',
    'resume',
    'evaluate',
    'score',
    'submit',
    'predict',
    'export',
    'inspect',
    'import-weights',
    'synthesize',
    'benchmark',
)


class _Parser(argparse.ArgumentParser):
    """Reports a wrong command line as every other mistake: in one line."""

    def error(self, message):
        self.exit(USERS_MISTAKE, f'error: {message}; see {self.prog} --help\n')


def main(argv=None):
    """Run a subcommand and return its exit code: 0 done, 2 the user's mistake (one line), 1 ours (a traceback).

    A subcommand may return a code of its own: doctor returns 1 for what will hurt the training.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = _Parser(prog='hourglass-pose', description='Stacked-hourglass human pose estimation.')
    parser.add_argument('--version', action='version', version=__version__)
    subparsers = parser.add_subparsers(dest='subcommand', metavar='SUBCOMMAND')
    # The others are not imported, because their import takes longer than a prediction.
    for name in arguments[:1] if arguments and arguments[0] in SUBCOMMANDS else SUBCOMMANDS:
        module = importlib.import_module(f'hourglass_pose.cli.{name.replace("-", "_")}')
        subparser = subparsers.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    options = parser.parse_args(joined_values(arguments))
    if not options.subcommand:
        parser.print_help()
        parser.error('no SUBCOMMAND was given')
    return report_mistakes(lambda: options.run(options))


def joined_values(arguments: Sequence[str]) -> List[str]:
    """Return the arguments with `--box -5,0,9,9` as `--box=-5,0,9,9`: argparse takes the former for two options."""
    joined: List[str] = []
    for argument in arguments:
        if re.match(r'-[\d.]+,', argument) and joined and re.match(r'--[a-z][a-z-]*$', joined[-1]):
            joined[-1] += f'={argument}'
        else:
            joined.append(argument)
    return joined


def report_mistakes(run):
    """Return the exit code of run(), DONE where it returns none; a UserError becomes a line on the error stream."""
    try:
        code = run()
        return DONE if code is None else code
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return USERS_MISTAKE
    except KeyboardInterrupt:
        # Ctrl-C in a command without a checkpoint to write, or the second one in training.
        print('interrupted', file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output, such as `head`, has gone: nothing is wrong.
        sys.stderr.close()
        return DONE
