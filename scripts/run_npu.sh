#!/usr/bin/env bash
# Trains on the Ascend devices of this server, one process a device. ModelZoo's arguments, --key=value:
#
#   bash scripts/run_npu.sh --data_path=/data/mpii                        one device
#   bash scripts/run_npu.sh --data_path=/data/mpii --device_ids=0-7      eight; the rank table is written
#   bash scripts/run_npu.sh --data_path=/data/mpii --dry_run              prints what would be started
#   bash scripts/run_npu.sh --help                                        all arguments
#
# Several servers: the same command on each with --rank_table=FILE, and HOURGLASS_JOB_KEY (a secret text, or the path of
# a file with it) the same on all of them.
#
# PYTHON=/path/to/python chooses the Python; otherwise it is that of an active environment, python3.7, or python3.
set -euo pipefail
code=$(cd "$(dirname "${BASH_SOURCE[0]}")/../code" && pwd)

# shellcheck source=scripts/find_python.sh
source "$code/../scripts/find_python.sh"
python=$(find_python python3.7 python3 python)

# Logs and relative paths belong to the caller's folder, as in ModelZoo. Nothing of the environment is replaced.
export PYTHONPATH="$code${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" -m hourglass_pose.launch "$@"
