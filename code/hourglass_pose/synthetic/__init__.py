"""Rendered people: pictures with exact labels, for the quickstart and for tests."""
