"""The composition root: builds skeleton, network, data, runtime and training run from a checked Config."""
