"""The programs behind run_npu.sh and run_workers.sh: start, watch and stop the processes of one run."""
