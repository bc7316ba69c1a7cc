"""Part of the stand-in for hccl."""
