"""Trains a network from config.cfg: python -m hourglass_pose train."""

import sys

from hourglass_pose.cli import main

if __name__ == '__main__':
    sys.exit(main(['train'] + sys.argv[1:]))
