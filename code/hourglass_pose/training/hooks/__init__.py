"""What happens beside learning while a network is trained: one hook a file."""
