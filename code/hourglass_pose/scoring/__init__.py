"""Predictions of other programs, ground truth files, and submissions."""
