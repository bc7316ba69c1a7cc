"""Run: what the program ascend_ranks.py has left of a run."""

import json
import os

import numpy as np

from hourglass_pose.checkpoints.folder import read_manifest
from hourglass_pose.training.run_log import HISTORY, read_history


class Run:
    """One rank of a run in a folder; what it has seen is in the folder `seen` beside it."""

    def __init__(self, folder, rank=0):
        self.folder = folder
        self._path = os.path.join(os.path.dirname(folder), 'seen', '%%s-%d%%s' % rank)

    def variables(self):
        """Return {name: value} of all variables when the session ended."""
        with np.load(self._path % ('variables', '.npz')) as stored:
            return {name.replace('|', '/'): stored[name] for name in stored.files}

    def persons(self):
        """Return the indices of the persons of each batch that was trained on, in order."""
        with open(self._path % ('persons', '.json')) as stream:
            return [json.loads(line) for line in stream]

    def steps(self):
        """Return [indices of the persons, learning rate] of each step that was made, in order."""
        with open(self._path % ('steps', '.json')) as stream:
            return [json.loads(line) for line in stream]

    def evaluation(self):
        """Return {name: array} of the last evaluation of a finished run."""
        with np.load(self._path % ('evaluation', '.npz')) as stored:
            return {name: stored[name] for name in stored.files}

    def manifest(self):
        return read_manifest(os.path.join(self.folder, 'latest'))

    def history(self):
        return read_history(os.path.join(self.folder, HISTORY))
