"""TrainingRun: settings that do not fit the device are refused."""

from types import SimpleNamespace

import pytest

from hourglass_pose.config.config import config_from_dict
from hourglass_pose.errors import ConfigError
from hourglass_pose.experiment.training_run import TrainingRun


def test_batch_norm_over_processes_is_refused_where_there_are_no_sums():
    experiment = SimpleNamespace(
        config=config_from_dict({'Train': {'sync_batch_norm': True}}),
        report=print,
        require_sides=lambda: None,
        hyperparameters=lambda: None,
    )
    with pytest.raises(ConfigError, match='sync_batch_norm: expected False on NPUs') as caught:
        TrainingRun(experiment, SimpleNamespace(world_size=2, sums_tensors=False))
    assert '\n' not in str(caught.value)
