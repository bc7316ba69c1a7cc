"""What scripts/run_npu.sh starts."""

import sys

if __name__ == '__main__':
    try:
        from hourglass_pose.launch.launcher import main
    except ImportError as error:
        print('error: requirements: %s lacks some (%s); run "%s -m pip install ." in the project, or name another '
              'Python by PYTHON=/path/to/python' % (sys.executable, error, sys.executable), file=sys.stderr)
        sys.exit(2)
    sys.exit(main())
