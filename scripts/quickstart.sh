#!/usr/bin/env bash
# From nothing to a trained network: installs into .venv, renders pictures of people, trains on them and evaluates.
#
#   bash scripts/quickstart.sh            continues an earlier quickstart if there is one
#   bash scripts/quickstart.sh --fresh    starts over; the earlier run is set aside
#
# Needs Python 3.9 to 3.12 and about 2 GB of disk. PYTHON=/path/to/python chooses the Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/environment.sh
source scripts/environment.sh

fresh=()
case "${1:-}" in
    '') ;;
    --fresh) fresh=(--fresh) ;;
    *) echo "error: expected nothing or --fresh, found '$1'" >&2; exit 2 ;;
esac

python=$(find_python 3.11 3.12 3.10 3.9)
make_environment .venv "$python" -r requirements.txt
python=$PWD/.venv/bin/python

cd code
if [ ${#fresh[@]} -eq 0 ] && [ -e ../runs/quickstart/latest ]; then
    "$python" load.py ../runs/quickstart
else
    "$python" train_launcher.py --config configs/quickstart.cfg --synthetic --quiet "${fresh[@]}"
fi
if [ ! -e ../runs/quickstart/metrics.json ]; then
    echo "stopped early; the same command continues"
    exit 0
fi

cat <<EOF

runs/quickstart/ holds the network (latest, best), metrics.json, pckh.png, and predictions.png: open that one first.
TensorBoard: .venv/bin/pip install tensorboard && .venv/bin/tensorboard --logdir runs/quickstart

What next?
  your own photo:  cd code && ../.venv/bin/python -m hourglass_pose predict PHOTO.jpg --output ../runs/photo
                   (the network for real photos that ships with the package; --checkpoint ../runs/quickstart/best takes this one,
                   which has seen only rendered people)
  MPII:            cd code && ../.venv/bin/python train_launcher.py
                   (trains from config.cfg; where MPII is missing, it shows where to download it)
  Ascend:          on the Ascend host, with its TensorFlow 1.15: pip install . && bash scripts/run_npu.sh --help
EOF
