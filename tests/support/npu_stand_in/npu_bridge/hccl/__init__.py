"""Part of the stand-in for npu_bridge."""
