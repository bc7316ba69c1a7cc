"""Runs on Ascend servers: one process a device, started, watched and stopped together; `scripts/run_npu.sh`."""
