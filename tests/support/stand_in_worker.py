"""Stands in for train_launcher.py and load.py in tests of run_workers.sh: does as the variable BEHAVIOUR says.

Its first argument is the program in whose place it is. It notes its command line and environment in worker-INDEX.json
of its working folder, and never imports TensorFlow.

finish: the first leaves results in the folder RUN. lose: a checkpoint is there, worker 1 ends with
exit code 7, the others with 3.
"""

import json
import os
import sys


def main():
    index = json.loads(os.environ['TF_CONFIG'])['task']['index']
    with open(f'worker-{index}.json', 'w') as stream:
        json.dump({'command': sys.argv[1:], 'environ': dict(os.environ)}, stream)
    print(f'worker {index} is at work', flush=True)
    if os.environ['BEHAVIOUR'] == 'lose':
        os.makedirs(os.path.join(os.environ['RUN'], 'step-00000004'), exist_ok=True)
        sys.exit(7 if index == 1 else 3)
    if index == 0:
        os.makedirs(os.environ['RUN'], exist_ok=True)
        with open(os.path.join(os.environ['RUN'], 'performance.json'), 'w') as stream:
            json.dump({'finished': True}, stream)


if __name__ == '__main__':
    main()
