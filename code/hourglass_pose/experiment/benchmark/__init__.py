"""The composition of a benchmark: its processes, and the parts of a run that they time."""
