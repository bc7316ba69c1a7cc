"""Timed parts are closed, even after an exception."""

from contextlib import contextmanager

import pytest

from hourglass_pose.experiment.benchmark import timed


@pytest.mark.parametrize('fails_at', [None, 2])
def test_measured_training_and_its_device_are_closed(monkeypatch, fails_at):
    calls = []

    @contextmanager
    def open_device(config):
        try:
            yield 'runtime'
        finally:
            calls.append('device closed')

    class Training:
        runs = 0

        def run(self):
            self.runs += 1
            if self.runs == fails_at:
                raise RuntimeError('out of memory')

        def close(self):
            calls.append('training closed')

    monkeypatch.setattr(timed, 'open_device', open_device)
    monkeypatch.setattr(timed, 'timed_training', lambda config, runtime: Training())
    if fails_at is None:
        assert timed.measure_step(None, 3) >= 0
    else:
        with pytest.raises(RuntimeError):
            timed.measure_step(None, 3)
    assert calls == ['training closed', 'device closed']
