"""Offline models: graph rewrites, file formats, the gate that compares them, and the files for Ascend."""
