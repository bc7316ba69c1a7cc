"""Stands in for the adapter of TensorFlow 1.15 for Ascend; see the package stand_in."""

from stand_in import sessions, state

__version__ = 'v1.15.0'

state()
sessions.install()
