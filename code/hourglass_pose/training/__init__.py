"""Training: optimizer, train graph, checkpoints, run log and the loop over them."""
