"""Timing of training, input and prediction, against rivals in the same run."""
