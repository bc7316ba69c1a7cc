"""The composition root: a checked Config becomes skeleton, network, data, runtime and training run."""
