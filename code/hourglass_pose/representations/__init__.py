"""Ways to represent joints: targets, losses and decoding."""
