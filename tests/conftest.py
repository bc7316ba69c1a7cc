"""Puts the package on the path, and makes the small data that several test files share."""

import os
import sys

import numpy as np
import pytest

CODE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'code')
sys.path.insert(0, CODE)


@pytest.fixture(scope='session')
def synthetic_people(tmp_path_factory):
    """Return the dataset.txt of 24 drawn images of people; the images are in the folder `images` beside it."""
    from hourglass_pose.data.synthetic_dataset import write_synthetic_dataset
    folder = str(tmp_path_factory.mktemp('people'))
    return write_synthetic_dataset(folder, 24, 5)


@pytest.fixture
def rng():
    return np.random.RandomState(20160726)
