#!/usr/bin/env bash
# Checks style, import order, formatting and types. Needs "pip install .[check]" in a Python 3.11 environment.
#
#   bash scripts/check.sh
#   PYTHON=/path/to/python bash scripts/check.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
"$python" -m ruff check .
"$python" -m ruff format --check .
"$python" -m mypy
