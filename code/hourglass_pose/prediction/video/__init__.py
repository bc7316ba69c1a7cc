"""Video: people followed from frame to frame, numbered and smoothed."""
