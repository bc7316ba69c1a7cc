"""Networks on disk: folders with manifests, variables, and checkpoints of other programs."""
