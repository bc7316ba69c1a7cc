#!/usr/bin/env bash
# The whole training on one device, to its accuracy: bash scripts/train_full_1p.sh --data_path=FOLDER [--key=value ...]
# Its checkpoints are in output/full_1p; a second call sets them aside. All arguments: run_npu.sh --help.
exec bash "$(dirname "${BASH_SOURCE[0]}")/run_npu.sh" --rank_size=1 --precision_mode=allow_mix_precision \
    --run_dir=output/full_1p --fresh --case=acc "$@"
