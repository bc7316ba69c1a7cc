"""benchmark scale: what follows from the seconds of a few processes, and processes that measure together."""

import json
import threading

import numpy as np
import pytest

from hourglass_pose.benchmark import crowd as crowd_module
from hourglass_pose.benchmark.comparison import Comparison, Side
from hourglass_pose.benchmark.crowd import Crowd
from hourglass_pose.benchmark.scaling import Scaling, measure_scaling, scaling_of, sent_bytes
from hourglass_pose.cli import main

LATENCY, BYTE_SECONDS, BYTES = 1e-4, 2e-9, 4 * 10**6


def ring(processes, num_bytes):
    """Return the seconds of an exchange in a ring whose links have LATENCY and BYTE_SECONDS."""
    rounds = 2 * (processes - 1)
    return rounds * LATENCY + rounds * num_bytes / processes * BYTE_SECONDS


def measured(processes):
    return Scaling(processes, 'CPU', 8, BYTES, 0.55, 0.5, ring(processes, BYTES), ring(processes, 0), 0.0)


@pytest.mark.parametrize('processes', [2, 4, 7])
def test_latency_and_speed_of_a_link_follow_from_any_number_of_processes(processes):
    scaling = measured(processes)
    assert scaling.latency == pytest.approx(LATENCY) and scaling.seconds_per_byte == pytest.approx(BYTE_SECONDS)
    for more in (2, 16, 512):
        assert scaling.exchange_seconds(more) == pytest.approx(ring(more, BYTES))
    # However many there are, a process never sends more than twice the gradients.
    assert sent_bytes(BYTES, 2) == BYTES and sent_bytes(BYTES, 512) < 2 * BYTES


def test_report_has_the_share_of_the_exchange_and_a_row_for_each_number():
    scaling = measured(2)
    content = json.loads(json.dumps(scaling.as_dict()))
    assert content['share_of_exchange'] == pytest.approx(0.1) and len(content['more_processes']) == 9
    text = '\n'.join(scaling.lines())
    assert '2 processes: 550.00 ms a step of 8 images each, 500.00 ms without exchange (+10.0 %)' in text
    assert '4.0 MB of gradients' in text and 'N = 512:' in text


class Answering:
    """Stands in for a Worker; all of one crowd have to be asked at the same time."""

    meeting = threading.Barrier(2, timeout=60)

    def __init__(self, code, order, environment):
        self.meeting.wait()
        self.code, self.order, self.environment, self.is_closed = code, order, environment, False
        description = {'description': 'CPU', 'images': 8, 'gflop': 0, 'untimed': 1}
        self.parts = [dict(description), dict(description), dict(description, description='1000000'), description]

    def block(self, index, count):
        self.meeting.wait()
        return (0.55, 0.5, 0.01, 0.001)[index] * (2 if self.environment['rank'] == 1 else 1)

    def cpu_seconds(self):
        return 1.0

    def close(self):
        self.meeting.wait()
        self.is_closed = True


def test_crowd_asks_all_at_the_same_time_and_takes_the_slowest(monkeypatch):
    monkeypatch.setattr(crowd_module, 'Worker', Answering)
    crowd = Crowd('code', {'what': 'scale'}, [{'rank': 0}, {'rank': 1}])
    scaling = measure_scaling(crowd, 3)
    crowd.close()
    assert (scaling.processes, scaling.num_bytes, scaling.images) == (2, 4 * 10**6, 8)
    assert [scaling.together, scaling.alone] == pytest.approx([1.1, 1.0]) and scaling.gradients == pytest.approx(0.02)
    assert len(crowd) == 2 and crowd.cpu_seconds() == 2.0


def test_seconds_are_medians_of_the_blocks(monkeypatch):
    monkeypatch.setattr(crowd_module, 'Worker', Answering)
    crowd = Crowd('code', {}, [{'rank': 0}, {'rank': 1}])
    seconds = np.array([[3.0, 1.0, 2.0]] * 4) * np.array([[4], [3], [2], [1]])
    sides = tuple(Side(str(index), crowd, index) for index in range(4))
    scaling = scaling_of(Comparison(sides, seconds, 1, 0.0, '', 0.2), 2)
    crowd.close()
    assert (scaling.together, scaling.alone, scaling.gradients, scaling.message) == (8.0, 6.0, 4.0, 2.0)
    assert scaling.foreign_load == 0.2


@pytest.mark.parametrize(
    'arguments, expected',
    [
        (['--compare', 'Train.batch_size=1'], 'scale measures one checkout'),
        (['--against', '.'], 'scale measures one checkout'),
        (['--checkpoint', 'x'], 'none for step, input or scale'),
        (['--set', 'Train.batch_sise=1'], 'batch_size'),
    ],
)
def test_what_scale_cannot_measure_is_refused_before_a_process_starts(arguments, expected, capsys, monkeypatch):
    monkeypatch.setattr(crowd_module, 'Worker', None)
    assert main(['benchmark', 'scale'] + arguments) == 2
    errors = capsys.readouterr().err
    assert expected in errors and errors.count('\n') == 1


@pytest.mark.slow
def test_two_processes_are_measured_and_written(command_line_run, tmp_path, capsys):
    output = tmp_path / 'figures.json'
    settings = ['--config', command_line_run.config, '--steps', '2', '--set', 'Train.batch_size=2']
    assert main(['benchmark', 'scale', '--output', str(output)] + settings) == 0
    found = json.loads(output.read_text())
    assert (found['what'], found['processes'], found['images_of_process']) == ('scale', 2, 2)
    assert all(seconds > 0 for seconds in found['seconds'].values()) and '2 processes' in capsys.readouterr().out
