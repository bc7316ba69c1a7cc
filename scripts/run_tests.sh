#!/usr/bin/env bash
# Installs what the tests need into a virtual environment of their own, and runs them.
#
#   bash scripts/run_tests.sh                      Python 3.9 to 3.12 with the newest supported TensorFlow
#   bash scripts/run_tests.sh --tensorflow 1.15    Python 3.7 with TensorFlow 1.15.5, as on an Ascend host
#   bash scripts/run_tests.sh --with torch         with one more package; some tests are skipped without PyTorch
#   bash scripts/run_tests.sh --all                also the slow tests
#   bash scripts/run_tests.sh -k codec             further arguments go to pytest
#
# --with may be repeated, and takes what pip takes, such as torch==2.13.0.
#
# ENVIRONMENTS names the folder for the virtual environments (default: the project's).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/environment.sh
source scripts/environment.sh

tensorflow=2
tests=(pytest pytest-xdist hypothesis)
selection=()
while [ "${1:-}" = --tensorflow ] || [ "${1:-}" = --with ] || [ "${1:-}" = --all ]; do
    if [ "$1" = --all ]; then
        selection=(-m '')
        shift
        continue
    fi
    if [ $# -lt 2 ]; then
        echo "error: $1: expected a value after it" >&2
        exit 2
    fi
    if [ "$1" = --with ]; then
        tests+=("$2")
    else
        tensorflow=$2
    fi
    shift 2
done
case $tensorflow in
    2)
        python=$(find_python 3.11 3.12 3.10 3.9)
        # tf2onnx beside TensorFlow 2.16 and newer needs Python 3.10; without it the tests of ONNX are skipped.
        requirements=(-r requirements.txt 'tf2onnx>=1.17; python_version >= "3.10"' onnx onnxruntime "${tests[@]}")
        ;;
    1.15)
        python=$(find_python 3.7)
        # The newest releases that TensorFlow 1.15 works with.
        requirements=('tensorflow==1.15.5' 'protobuf<3.21' 'numpy<1.19' scipy 'h5py<3' 'opencv-python-headless>=4.8'
                      'Pillow>=8' matplotlib tqdm jinja2 'tf2onnx<1.17' 'onnx<1.15' 'onnxruntime<1.11' "${tests[@]}")
        ;;
    *)
        echo "error: --tensorflow: expected 2 or 1.15, found '$tensorflow'" >&2
        exit 2
        ;;
esac
environment=${ENVIRONMENTS:-.}/.venv-tests-$tensorflow
make_environment "$environment" "$python" "${requirements[@]}"
exec "$environment/bin/python" -m pytest -n 2 --dist loadfile -q ${selection[@]+"${selection[@]}"} "$@"
