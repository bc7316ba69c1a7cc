"""Offline models: graph rewrites, file formats, the comparison with the checkpoint, and the files for Ascend."""
