"""The program that scripts/run_npu.sh starts, and scripts/run_workers.sh with the first argument workers."""

import sys

if __name__ == '__main__':
    of_workers = sys.argv[1:2] == ['workers']
    try:
        # One of them alone: what the other one imports changes the environment of the processes.
        if of_workers:
            from hourglass_pose.launch import workers
        else:
            from hourglass_pose.launch import launcher
    except ImportError as error:
        print(
            f'error: requirements: {sys.executable} lacks a package ({error}); run "{sys.executable} -m pip install ." '
            'in the project, or set PYTHON=/path/to/python',
            file=sys.stderr,
        )
        sys.exit(2)
    sys.exit(workers.main(sys.argv[2:]) if of_workers else launcher.main())
