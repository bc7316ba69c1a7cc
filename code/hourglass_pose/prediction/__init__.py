"""Poses from photos with a trained network, and pictures of them."""
