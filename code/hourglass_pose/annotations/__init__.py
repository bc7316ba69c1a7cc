"""Annotated persons: the Person, our file formats, reading, and splits."""
