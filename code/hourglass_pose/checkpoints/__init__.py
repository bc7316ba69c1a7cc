"""Networks on disk: folders with manifests, variables, the checkpoints of other programs."""
