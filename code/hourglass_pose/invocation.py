"""How the user started the program, so that messages name commands that work where it runs."""

import os
import sys

_SCRIPTS = {'train': 'train_launcher.py', 'resume': 'load.py'}


def command(subcommand: str) -> str:
    """Return the beginning of a command line for a subcommand, in the way in which this process was started."""
    program = os.path.basename(sys.argv[0]) if sys.argv else ''
    if program in _SCRIPTS.values() and subcommand in _SCRIPTS:
        return f'python {_SCRIPTS[subcommand]}'
    return f'hourglass-pose {subcommand}' if program == 'hourglass-pose' else f'python -m hourglass_pose {subcommand}'
