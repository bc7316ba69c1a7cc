"""The program behind run_npu.sh: starts, watches and stops the processes of one run."""
