"""TrainingRun: what several processes change in the settings of a training."""

from types import SimpleNamespace

import pytest

from hourglass_pose.config.config import config_from_dict
from hourglass_pose.errors import ConfigError
from hourglass_pose.experiment import training_run
from hourglass_pose.experiment.training_run import TrainingRun, train_graph
from hourglass_pose.training.run_length import RunLength


@pytest.mark.parametrize(
    'processes, is_scaled, rate', [(1, False, 0.01), (1, True, 0.01), (3, False, 0.01), (3, True, 0.03)]
)
def test_rate_is_multiplied_by_the_number_of_processes_if_it_is_asked_for(monkeypatch, processes, is_scaled, rate):
    monkeypatch.setattr(
        training_run, 'TrainGraph', lambda model, codec, runtime, schedule, *others, **options: schedule
    )
    config = config_from_dict({'Train': {'lear_rate': 0.01, 'scale_rate_with_workers': is_scaled}})
    length = RunLength.of_new_run(1, 10, 16)
    schedule = train_graph(config, None, None, SimpleNamespace(world_size=processes), length)
    assert schedule.lear_rate == pytest.approx(rate)


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
