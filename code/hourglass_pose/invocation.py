"""How the user started the program, so that messages name commands that work where it runs."""

import os
import sys

_SCRIPTS = {'train': 'train_launcher.py', 'resume': 'load.py'}


def command(subcommand: str = '') -> str:
    """Return the beginning of a command line, for a subcommand or for any, in the way this process was started."""
    program = os.path.basename(sys.argv[0]) if sys.argv else ''
    if program in _SCRIPTS.values() and subcommand in _SCRIPTS:
        return f'python {_SCRIPTS[subcommand]}'
    name = 'hourglass-pose' if program == 'hourglass-pose' else 'python -m hourglass_pose'
    return f'{name} {subcommand}'.rstrip()
