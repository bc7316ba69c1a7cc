"""The parts of a run: what several processes change in the settings of a training."""

from types import SimpleNamespace

import pytest

from hourglass_pose.config.config import config_from_dict
from hourglass_pose.experiment import run_parts
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.experiment.run_parts import train_graph
from hourglass_pose.training.run_length import RunLength


@pytest.mark.parametrize(
    'processes, is_scaled, rate', [(1, False, 0.01), (1, True, 0.01), (3, False, 0.01), (3, True, 0.03)]
)
def test_rate_is_multiplied_by_the_number_of_processes_if_it_is_asked_for(monkeypatch, processes, is_scaled, rate):
    monkeypatch.setattr(run_parts, 'TrainGraph', lambda model, codec, runtime, schedule, *others, **options: schedule)
    config = config_from_dict({'Train': {'lear_rate': 0.01, 'scale_rate_with_workers': is_scaled}})
    length = RunLength.of_new_run(1, 10, 16)
    schedule = train_graph(Experiment(config), SimpleNamespace(world_size=processes), length)
    assert schedule.lear_rate == pytest.approx(rate)
