"""Processes that measure: what they answer, for this checkout and for one from before there was --serve."""

import io
import json
import os

import pytest

from hourglass_pose.benchmark.timed import Timed, TimedMatmul
from hourglass_pose.benchmark.worker import Worker, serve
from hourglass_pose.errors import UserError


class Counting(Timed):
    def __init__(self):
        super().__init__('counts', images=2, gflop=0.5, untimed=3)
        self.runs, self.is_closed = 0, False

    def run(self):
        self.runs += 1

    def close(self):
        self.is_closed = True


def test_served_parts_are_described_run_and_closed(capsys):
    parts = [Counting(), Counting()]
    serve(parts, io.StringIO('1 5\n1 2\n0 1\n'))
    answers = [json.loads(line[len('@benchmark ') :]) for line in capsys.readouterr().out.splitlines()]
    assert answers[0] == [{'description': 'counts', 'images': 2, 'gflop': 0.5, 'untimed': 3}] * 2
    assert all(seconds >= 0 for seconds in answers[1:]) and len(answers) == 4
    # Three that are not timed before each block.
    assert [part.runs for part in parts] == [4, 13] and all(part.is_closed for part in parts)


def test_a_multiplication_runs_and_counts_two_operations_a_product():
    part = TimedMatmul()
    assert part.gflop == pytest.approx(2 * 2048**3 / 1e9)
    part.run()
    part.close()


EARLIER = {
    'cli/benchmark.py': """
from types import SimpleNamespace
class Contestant:
    def __init__(self, config):
        self.runtime = SimpleNamespace(description='CPU')
        self.summary = SimpleNamespace(gflops=0.5, describe=lambda: 'network')
    def step(self):
        print('noise on the output')
        self.make_sample(0)
""",
    'cli/experiment.py': """
class Experiment:
    def __init__(self, config, say):
        pass
    def split(self):
        return {'train': [1, 2, 3]}
    def generator(self, persons, batch_size):
        return self
    def training_batches(self, position):
        return iter(range(1000))
""",
    'config.py': """
from types import SimpleNamespace
def load_config(path, overrides):
    return SimpleNamespace(Train=SimpleNamespace(batch_size=4, prefetch=1), path=path)
""",
}


@pytest.fixture
def earlier_checkout(tmp_path):
    """Return the code folder of a checkout without --serve."""
    for name, text in dict(EARLIER, **{'__init__.py': '', 'cli/__init__.py': ''}).items():
        path = tmp_path / 'code' / 'hourglass_pose' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(tmp_path / 'code')


@pytest.mark.parametrize('what, untimed, gflop', [('step', 1, 6.0), ('input', 3, 0)])
def test_earlier_checkout_is_measured_by_what_it_has(earlier_checkout, what, untimed, gflop):
    worker = Worker(earlier_checkout, {'what': what, 'config': 'x.cfg', 'sides': [[], []]})
    assert [part['images'] for part in worker.parts] == [4, 4]
    assert worker.parts[1]['gflop'] == gflop and worker.parts[1]['untimed'] == untimed
    assert worker.block(1, 3) > 0 and worker.cpu_seconds() >= 0
    worker.close()


def test_process_that_ends_early_and_a_folder_that_is_no_checkout_are_one_line(earlier_checkout, tmp_path):
    os.remove(os.path.join(earlier_checkout, 'hourglass_pose', 'config.py'))
    with pytest.raises(UserError, match='exit code 1') as caught:
        Worker(earlier_checkout, {'what': 'step', 'config': 'x.cfg', 'sides': [[]]})
    assert '\n' not in str(caught.value)
    with pytest.raises(UserError, match='expected a folder with the package'):
        Worker(str(tmp_path / 'nowhere'), {})
