"""The program behind run_npu.sh: the processes of one run, started, watched and stopped."""
