"""Continues a stopped run from its newest checkpoint: python -m hourglass_pose resume."""

import sys

from hourglass_pose.cli import main

if __name__ == '__main__':
    sys.exit(main(['resume'] + sys.argv[1:]))
