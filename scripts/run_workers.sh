#!/usr/bin/env bash
# Trains in several processes on the CPU or the GPUs of this machine, as one training:
#
#   bash scripts/run_workers.sh 4                                     four processes with the settings of config.cfg
#   bash scripts/run_workers.sh 2 --config my.cfg --set Train.batch_size=8
#   bash scripts/run_workers.sh 2 resume ../runs/hourglass            continues from the last checkpoint
#
# The arguments behind the number are those of train_launcher.py, and behind `resume` those of load.py. Several machines:
# docs/workers.md. PYTHON=/path/to/python chooses the Python.
set -euo pipefail
code=$(cd "$(dirname "${BASH_SOURCE[0]}")/../code" && pwd)

# shellcheck source=scripts/find_python.sh
source "$code/../scripts/find_python.sh"
python=$(find_python "$code/../.venv/bin/python" python3 python)

# Paths in the arguments belong to the caller's folder. Nothing of the environment is replaced.
export PYTHONPATH="$code${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" -m hourglass_pose.launch workers "$@"
