"""The table of the exchange: its figures follow from the files of the measurements by the formula of a ring."""

import json
import os
import sys

import numpy as np
import pytest
from conftest import CODE

sys.path.append(os.path.join(os.path.dirname(CODE), 'benchmarks'))

import exchange
from hourglass_pose.benchmark.scaling import FURTHER, Scaling
from hourglass_pose.cli import parse_arguments
from hourglass_pose.config.config import load_config

LATENCY, BYTE_SECONDS = 1e-4, 1e-9


def ring(processes, num_bytes, latency=LATENCY, byte_seconds=BYTE_SECONDS):
    """Return the seconds of a ring, round by round: 2 (N - 1) rounds, in each of which everyone sends an N-th."""
    return sum(latency + num_bytes / processes * byte_seconds for _ in range(2 * (processes - 1)))


def write(folder, name, processes, num_bytes, step):
    times = step + ring(processes, num_bytes), step, ring(processes, num_bytes), ring(processes, 0)
    scaling = Scaling(processes, 'CPU', 4, num_bytes, *times, 0.0)
    (folder / f'{name}-{processes}.json').write_text(json.dumps(dict(scaling.as_dict(), what='scale')))


@pytest.fixture
def measured(tmp_path):
    for processes in (4, 2):
        write(tmp_path, 'large_one', processes, 40 * 10**6, 1.0)
        write(tmp_path, 'small', processes, 10**6, 0.1)
    return str(tmp_path)


def test_files_give_back_what_was_measured(measured):
    found = exchange.read_measurements(measured)
    assert {name: [each.processes for each in scalings] for name, scalings in found.items()} == {
        'small': [2, 4],
        'large_one': [2, 4],
    }
    assert list(found) == ['small', 'large_one'] and found['small'][1].gradients == ring(4, 10**6)
    scaling = found['large_one'][0]
    assert Scaling.from_dict(json.loads(json.dumps(scaling.as_dict()))) == scaling


def test_rows_are_those_of_a_ring_of_so_many_processes(measured):
    found = exchange.read_measurements(measured)
    rows = [line.strip('| ').split(' | ') for line in exchange.ring_table(found, 0.0, 0.0)[2:]]
    assert [int(row[0]) for row in rows] == list(FURTHER) and FURTHER[-1] >= 500
    for row in rows:
        for cell, num_bytes, step in zip(row[1:], (10**6, 40 * 10**6), (0.1, 1.0)):
            count = int(row[0])
            seconds, sent = ring(count, num_bytes), 2 * (count - 1) * num_bytes / count
            shown = [float(part.split()[0]) for part in cell.split(', ')]
            expected = [sent / 1e6, 1000 * seconds, 100 * seconds / (seconds + step)]
            # Rounded to one digit behind the point, the share to none.
            assert np.abs(np.subtract(shown, expected) <= [0.0501, 0.0501, 0.501]).all(), (cell, expected)


def test_a_network_adds_its_latency_and_its_time_a_byte(measured):
    scaling = exchange.read_measurements(measured)['small'][0]
    expected = ring(64, 10**6, LATENCY + 2e-5, BYTE_SECONDS + 8e-10)
    assert scaling.exchange_seconds(64, 2e-5, 8e-10) == pytest.approx(expected)


def test_measured_table_has_the_exchange_beside_that_of_the_formula(measured, capsys):
    assert exchange.table(measured, 0.0, 0.0) == 0
    lines = capsys.readouterr().out.splitlines()
    seconds = ring(4, 40 * 10**6)
    row = next(line for line in lines if line.startswith('| large_one | 4 |'))
    assert row.endswith(f'| {100 * seconds:+.1f} % | {1000 * seconds:.1f} ms | {1000 * seconds:.1f} ms |')


def test_a_folder_without_measurements_is_one_line(tmp_path, capsys):
    assert exchange.table(str(tmp_path), 0.0, 0.0) == 2
    assert capsys.readouterr().err.count('\n') == 1


def test_commands_measure_three_networks_in_two_numbers_of_processes(tmp_path):
    found = [parse_arguments(command[3:]) for command in exchange.commands(str(tmp_path))]
    assert [options.workers for options in found] == [2, 4] * 3 and {options.what for options in found} == {'scale'}
    assert len({options.output for options in found}) == 6
    for options in found:
        load_config(options.config and os.path.join(CODE, options.config), options.overrides)
