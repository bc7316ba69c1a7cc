#!/usr/bin/env bash
# 500 steps on one device, for its speed: bash scripts/train_performance_1p.sh --data_path=FOLDER [--key=value ...]
# Ten batches are validated with, so that most of the time is training. All arguments: run_npu.sh --help.
exec bash "$(dirname "${BASH_SOURCE[0]}")/run_npu.sh" --rank_size=1 --precision_mode=allow_mix_precision \
    --train_steps=500 --set=Validation.valid_iteration=10 --run_dir=output/performance_1p --fresh --case=perf "$@"
