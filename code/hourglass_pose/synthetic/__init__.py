"""Rendered people: images with exact labels, for the quickstart and for tests."""
