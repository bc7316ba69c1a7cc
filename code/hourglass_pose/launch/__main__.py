"""The program that scripts/run_npu.sh starts."""

import sys

if __name__ == '__main__':
    try:
        from hourglass_pose.launch.launcher import main
    except ImportError as error:
        print(
            f'error: requirements: {sys.executable} lacks a package ({error}); run "{sys.executable} -m pip install ." '
            'in the project, or set PYTHON=/path/to/python',
            file=sys.stderr,
        )
        sys.exit(2)
    sys.exit(main())
