"""Training: the loop, its hooks, the train graph and its input, optimizer, averaged weights and logs."""
