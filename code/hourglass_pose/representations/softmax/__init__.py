"""Joints as distributions over the cells of a map, trained by cross-entropy."""
