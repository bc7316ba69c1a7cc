"""The PyTorch network of the speed comparison is the network that it is compared with."""

import os
import sys

import numpy as np
import pytest
from conftest import CODE

from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.summary import summarise_network

sys.path.append(os.path.join(os.path.dirname(CODE), 'benchmarks'))
from step_pytorch import forward_gflops, make_network  # noqa: E402

torch = pytest.importorskip('torch')


@pytest.mark.parametrize('stacks', [1, 2])
def test_both_networks_have_the_same_parameters_and_arithmetic(stacks):
    network = make_network(torch, stacks)
    ours = summarise_network(make_hyperparameters(num_stacks=stacks))
    assert sum(parameter.numel() for parameter in network.parameters()) == ours.parameters
    np.testing.assert_allclose(forward_gflops(torch, network), ours.gflops, rtol=1e-9)
