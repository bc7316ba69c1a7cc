#!/usr/bin/env bash
# Trains in several processes on the CPU or the GPUs of this machine, as one training:
#
#   bash scripts/run_workers.sh 4                                     four processes with the settings of config.cfg
#   bash scripts/run_workers.sh 2 --config my.cfg --set Train.batch_size=8
#   bash scripts/run_workers.sh 2 resume ../runs/hourglass            goes on from the last checkpoint
#
# The arguments behind the number are those of train_launcher.py, and behind `resume` those of load.py. Several machines:
# docs/workers.md. PYTHON=/path/to/python chooses the Python.
set -euo pipefail
code=$(cd "$(dirname "${BASH_SOURCE[0]}")/../code" && pwd)

python=
for candidate in "${PYTHON:-}" "${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/python}" "${CONDA_PREFIX:+$CONDA_PREFIX/bin/python}" \
        "$code/../.venv/bin/python" python3 python; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2> /dev/null; then
        python=$candidate
        break
    fi
    if [ -n "$candidate" ] && [ "$candidate" = "${PYTHON:-}" ]; then
        echo "error: PYTHON=$candidate: expected a Python of version 3.7 or newer" >&2
        exit 2
    fi
done
if [ -z "$python" ]; then
    echo "error: no Python of version 3.7 or newer found; install one, or name it by PYTHON=/path/to/python" >&2
    exit 2
fi

# Paths in the arguments belong to the caller's folder. Nothing of the environment is replaced.
export PYTHONPATH="$code${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" -m hourglass_pose.launch workers "$@"
