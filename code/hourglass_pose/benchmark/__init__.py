"""Timing of training, input and prediction, compared with another configuration or checkout in the same run."""
