"""The training loop: train graph, its input, optimizer, averaged weights, progress and logs."""
