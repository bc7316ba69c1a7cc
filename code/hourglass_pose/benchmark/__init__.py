"""Timing of training, input and prediction, beside another configuration or checkout in the same run."""
