"""PyTorch hourglasses: their files, and their weights as a network of ours."""
