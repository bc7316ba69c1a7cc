#!/usr/bin/env bash
# The whole training on eight devices: bash scripts/train_full_8p.sh --data_path=FOLDER [--key=value ...]
# Its checkpoints are in output/full_8p; a second call sets them aside. All arguments: run_npu.sh --help.
exec bash "$(dirname "${BASH_SOURCE[0]}")/run_npu.sh" --rank_size=8 --precision_mode=allow_mix_precision \
    --run_dir=output/full_8p --fresh --case=acc "$@"
