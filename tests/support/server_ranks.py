"""Program: train_launcher.py or load.py, its first argument, as a rank on the stand-in with a network of one layer.

run_npu.sh starts it in their place. What it has seen goes into the folder of the variable SEEN, as in ascend_ranks.py.
"""

import os
import sys

import conftest  # noqa: F401  (puts the package on the path)

from ascend_ranks import Watching
from hourglass_pose.cli import main

SUBCOMMANDS = {'train_launcher.py': 'train', 'load.py': 'resume'}

if __name__ == '__main__':
    with Watching(os.environ['SEEN'], os.environ['RANK_ID']):
        code = main([SUBCOMMANDS[os.path.basename(sys.argv[1])]] + sys.argv[2:])
    sys.exit(code)
