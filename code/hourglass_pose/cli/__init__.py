"""The command line: one module for each subcommand, and the rule for exit codes and messages."""

import argparse
import importlib
import re
import sys
from typing import Callable, List, NoReturn, Optional, Sequence

from hourglass_pose import __version__
from hourglass_pose.errors import UserError
from hourglass_pose.invocation import command

# 1 is also Python's own exit code for an uncaught exception; the traceback distinguishes the two.
DONE, BAD_FINDING, USERS_MISTAKE, INTERRUPTED = 0, 1, 2, 130

# Each is a module of this folder, imported on demand.
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
    """Reports a wrong command line in one line, as every other mistake."""

    def error(self, message: str) -> NoReturn:
        self.exit(USERS_MISTAKE, f'error: {message}; see {self.prog} --help\n')


def main(argv: Optional[List[str]] = None) -> int:
    """Run a subcommand and return its exit code: 0 done, 2 a mistake of the user (one line), 1 a bug (a traceback).

    A subcommand may return its own code: doctor returns 1 for a harmful finding.
    """
    _show_every_name()
    options = parse_arguments(sys.argv[1:] if argv is None else list(argv))
    return report_mistakes(lambda: options.run(options))


def parse_arguments(arguments: List[str]) -> argparse.Namespace:
    """Return the options of a subcommand and its arguments. A wrong command line ends the process with code 2."""
    parser = _Parser(prog=command(), description='Stacked-hourglass human pose estimation.')
    parser.add_argument('--version', action='version', version=__version__)
    subparsers = parser.add_subparsers(dest='subcommand', metavar='SUBCOMMAND')
    # All modules are imported only to show their names and help texts.
    for name in arguments[:1] if arguments and arguments[0] in SUBCOMMANDS else SUBCOMMANDS:
        module = importlib.import_module(f'hourglass_pose.cli.{name.replace("-", "_")}')
        subparser = subparsers.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    options = parser.parse_args(joined_values(arguments))
    if not options.subcommand:
        parser.print_help()
        parser.error('no SUBCOMMAND was given')
    return options


def joined_values(arguments: Sequence[str]) -> List[str]:
    """Return the arguments with `--box -5,0,9,9` as `--box=-5,0,9,9`: argparse reads the former as two options."""
    joined: List[str] = []
    for argument in arguments:
        if re.match(r'-[\d.]+,', argument) and joined and re.match(r'--[a-z][a-z-]*$', joined[-1]):
            joined[-1] += f'={argument}'
        else:
            joined.append(argument)
    return joined


def report_mistakes(run: Callable[[], Optional[int]]) -> int:
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
        # The reader of the output, such as `head`, has ended; this is no failure.
        sys.stderr.close()
        return DONE
    except OSError as error:
        print(f'error: {_one_line(error)}', file=sys.stderr)
        return USERS_MISTAKE


def _one_line(error: OSError) -> str:
    reason = error.strerror or ' '.join(str(error).split()) or type(error).__name__
    where = f'{error.filename}: ' if error.filename is not None else ''
    return f'{where}{reason}; earlier results are kept: check the path, its permissions and the disk space'


def _show_every_name() -> None:
    """Print characters that the output's encoding lacks as escapes, so that no message fails after the work is done."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, 'reconfigure', None)
        if reconfigure:
            reconfigure(errors='backslashreplace')
