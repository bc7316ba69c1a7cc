"""Hooks: everything that a training does besides learning, one hook a file."""
