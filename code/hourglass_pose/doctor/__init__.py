"""Checks before a training: persons, images, left and right, disk and time."""
