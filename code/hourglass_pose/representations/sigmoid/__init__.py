"""Joints as Gaussian maps of probabilities, trained by sigmoid cross-entropy."""
