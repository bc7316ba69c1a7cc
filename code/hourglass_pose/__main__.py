"""python -m hourglass_pose SUBCOMMAND."""

import sys

from hourglass_pose.cli import main

if __name__ == '__main__':
    sys.exit(main())
