"""Trains a network from config.cfg: python -m hourglass_pose train."""
import sys

from hourglass_pose.cli import main

sys.exit(main(['train'] + sys.argv[1:]))
