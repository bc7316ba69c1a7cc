"""A benchmark compares sides in turns, and reports medians, spread, arithmetic and the load of other processes."""

import json
import subprocess
import sys
import time
from typing import Any, Dict, List

import numpy as np
import pytest

from hourglass_pose.benchmark.comparison import Comparison, Side, compare

FIRST = {'description': 'first', 'images': 8, 'gflop': 6.0, 'untimed': 1}
SECOND = {'description': 'second', 'images': 4, 'gflop': 0.0, 'untimed': 1}
PEAK = {'description': 'float32 matrix multiplication', 'images': 0, 'gflop': 20.0, 'untimed': 1}


class ScriptedWorker:
    """A Worker whose runs take the given times, and which notes what it was asked for."""

    code = '/checkout'

    def __init__(self, parts: List[Dict[str, Any]], seconds: List[float]) -> None:
        self.parts, self.seconds, self.asked = parts, seconds, []  # type: ignore[var-annotated]

    def block(self, index: int, count: int) -> float:
        self.asked.append((index, count))
        return self.seconds[index]

    def cpu_seconds(self) -> float:
        return 0.0


def test_sides_are_measured_in_turns_of_equal_blocks_and_the_first_changes():
    worker = ScriptedWorker([FIRST, SECOND, PEAK], [0.5, 0.1, 0.2])
    sides = [Side('a', worker, 0), Side('b', worker, 1)]
    found = compare(sides, 25, [Side('peak', worker, 2)])
    # 25 runs are 10 blocks of 3, rounded up; every block is followed by three multiplications.
    assert worker.asked[:10] == [(0, 3), (1, 3), (2, 1), (2, 1), (2, 1), (1, 3), (0, 3), (2, 1), (2, 1), (2, 1)]
    assert found.seconds.shape == (2, 10) and found.runs_of_block == 3
    assert found.rates(0).tolist() == [16.0] * 10 and found.rates(1).tolist() == [40.0] * 10
    assert found.peak_gflops == 100.0
    content = found.as_dict()
    assert content['ratio']['median'] == pytest.approx(0.4)
    first, second = content['sides']
    assert (first['gflops'], first['share_of_peak']) == (12.0, pytest.approx(0.12))
    assert second['gflops'] is None and second['share_of_peak'] is None
    json.dumps(content, allow_nan=False)


def test_a_side_is_idle_again_before_the_next_one_is_measured():
    class PreparingAhead(ScriptedWorker):
        """Uses the processor for a tenth of a second after each block."""

        until = 0.0

        def block(self, index: int, count: int) -> float:
            assert time.monotonic() >= self.until
            self.until = time.monotonic() + 0.1
            return super().block(index, count)

        def cpu_seconds(self) -> float:
            return min(time.monotonic(), self.until)

    worker = PreparingAhead([FIRST, SECOND], [0.5, 0.1])
    assert compare([Side('a', worker, 0), Side('b', worker, 1)], 3).seconds.shape == (2, 3)


def comparison(foreign_load: float = 0.0) -> Comparison:
    worker = ScriptedWorker([FIRST], [0.5])
    seconds = np.array([[1.0, 2.0, 4.0, 8.0, 16.0]])
    return Comparison((Side('a', worker, 0),), seconds, 2, 0.0, '', foreign_load)


def test_report_has_median_and_quartiles_of_the_blocks():
    found = comparison()
    # 8 images in 1, 2, 4, 8 and 16 seconds.
    assert found.as_dict()['sides'][0]['images_per_second'] == {'median': 2.0, 'quartile_1': 1.0, 'quartile_3': 4.0}
    assert found.as_dict()['ratio'] is None and len(found.ratios()) == 0
    assert '2.0 (1.0 to 4.0) images/s' in found.lines()[0]


def test_load_of_other_processes_is_noted_where_it_matters():
    assert not any('other processes' in line for line in comparison(0.04).lines())
    assert any('other processes used 30 %' in line for line in comparison(0.3).lines())


def test_a_busy_process_beside_the_benchmark_shows_as_load():
    busy = subprocess.Popen([sys.executable, '-c', 'while True: pass'])

    class Waiting(ScriptedWorker):
        def block(self, index: int, count: int) -> float:
            subprocess.run([sys.executable, '-c', 'import time; time.sleep(0.3)'], check=True)
            return 0.3

    try:
        # What the children of this process use counts as foreign, too, which is what a busy loop shows here.
        assert compare([Side('a', Waiting([FIRST], [0.0]), 0)], 4).foreign_load > 0.05
    finally:
        busy.kill()
        busy.wait()
