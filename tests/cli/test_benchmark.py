"""benchmark measures the steps of a training with its settings, and refuses what it cannot measure."""

import json

import numpy as np
import pytest

from hourglass_pose.cli import main
from hourglass_pose.config.config import load_config
from hourglass_pose.experiment import run_parts
from hourglass_pose.experiment.benchmark import timed
from hourglass_pose.runtime.native import NativeRuntime


@pytest.mark.parametrize('steps', ['0', '-1', 'ten', '1.5'])
def test_an_invalid_number_of_steps_is_refused(steps, capsys):
    with pytest.raises(SystemExit) as caught:
        main(['benchmark', '--steps', steps])
    assert caught.value.code == 2
    errors = capsys.readouterr().err
    assert '--steps' in errors and 'integer >= 1' in errors and errors.count('\n') == 1


@pytest.mark.parametrize(
    'arguments, expected',
    [
        (['predict'], '--checkpoint'),
        (['step', '--checkpoint', 'x'], '--checkpoint'),
        (['--against', '.', '--compare', 'Train.batch_size=1'], 'leave one of them out'),
        (['predict', '--checkpoint', 'x', '--compare', 'Train.batch_size=1'], '--compare'),
        (['--compare', 'Train.batch_sise=1'], 'batch_size'),
    ],
)
def test_what_cannot_be_measured_is_refused_before_a_process_starts(arguments, expected, command_line_run, capsys):
    assert main(['benchmark', '--config', command_line_run.config] + arguments) == 2
    errors = capsys.readouterr().err
    assert expected in errors and errors.count('\n') == 1


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_measured(command_line_run, tmp_path, capsys):
    for output in (tmp_path, tmp_path / 'none' / 'speed.json'):
        assert main(['benchmark', '--config', command_line_run.config, '--output', str(output)]) == 2
        printed = capsys.readouterr()
        assert str(output) in printed.err and printed.err.count('\n') == 1 and not printed.out


def test_the_runtime_is_that_of_a_training_and_opened_once(command_line_run, monkeypatch):
    opened = []

    def open_runtime(*arguments):
        opened.append(arguments)
        return NativeRuntime('cpu', 'float32', 1, steps_per_run=arguments[4])

    monkeypatch.setattr(run_parts, 'open_runtime', open_runtime)
    device = ['Device.loss_scale=512.0', 'Device.iterations_per_loop=2', 'Device.rank_port=30001']
    sides = [[*device, 'Network.nStack=1', f'Network.nFeat={features}'] for features in (8, 4)]
    parts = []

    def serve(found):
        parts.extend(found)
        for part in found[:2]:
            part.run()
            part.close()

    timed.serve_order({'what': 'step', 'config': command_line_run.config, 'sides': sides}, serve)
    ((device, precision, threads, loss_scale, steps, npu, cluster),) = opened
    assert (device, precision, loss_scale, steps, npu.rank_port) == ('cpu', 'float32', 512.0, 2, 30001)
    assert cluster is None
    # A run is two steps of four persons; the network with fewer features has less arithmetic.
    assert [part.images for part in parts] == [8, 8, 0] and parts[0].gflop > parts[1].gflop > 0


@pytest.mark.slow
def test_a_step_of_the_doctor_takes_time(command_line_run):
    assert 0 < timed.measure_step(load_config(command_line_run.config), 2) < 60


def test_input_is_the_training_data_of_the_config(command_line_run):
    part = timed.timed_input(load_config(command_line_run.config))
    part.run()
    part.close()
    assert part.images == 4 and 'threads' in part.description


@pytest.mark.slow
def test_two_configurations_are_measured_and_written(command_line_run, tmp_path, capsys):
    output = tmp_path / 'figures.json'
    arguments = ['--config', command_line_run.config, '--steps', '3', '--rival', 'Network.nStack=1']
    assert main(['benchmark', '--output', str(output)] + arguments) == 0
    printed = capsys.readouterr().out
    found = json.loads(output.read_text())
    assert [side['name'] for side in found['sides']] == ['config', 'compared'] and found['what'] == 'step'
    assert all(len(side['seconds_of_blocks']) == 3 for side in found['sides'])
    rates = [np.median(4 / np.array(side['seconds_of_blocks'])) for side in found['sides']]
    assert [side['images_per_second']['median'] for side in found['sides']] == pytest.approx(rates)
    assert found['sides'][0]['share_of_peak'] < 1.5 and 'config / compared: ' in printed
