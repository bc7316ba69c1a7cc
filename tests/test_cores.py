"""Cores are those that this process may use, not those of the machine."""

import os

import pytest

from hourglass_pose.cores import available_cores


def write(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(os, 'cpu_count', lambda: 128)


def cores(root):
    return available_cores(str(root / 'cgroup'), str(root / 'own'))


def test_affinity_counts_and_not_the_machine(tmp_path, eight_cores):
    assert cores(tmp_path) == 8


@pytest.mark.parametrize('limit, expected', [('max 100000', 8), ('400000 100000', 4), ('150000 100000', 2)])
def test_quota_of_version_2_counts_rounded_up(tmp_path, eight_cores, limit, expected):
    write(tmp_path, 'own', '0::/job/step\n')
    write(tmp_path / 'cgroup', 'cpu.max', 'max 100000\n')
    write(tmp_path / 'cgroup' / 'job', 'cpu.max', limit + '\n')
    write(tmp_path / 'cgroup' / 'job' / 'step', 'cpu.max', 'max 100000\n')
    assert cores(tmp_path) == expected


@pytest.mark.parametrize('quota, expected', [('-1', 8), ('300000', 3), ('50000', 1), ('9000000', 8)])
def test_quota_of_version_1_counts(tmp_path, eight_cores, quota, expected):
    write(tmp_path, 'own', '5:memory:/job\n4:cpu,cpuacct:/job\n')
    # In a container the path is that of the host, and the limit lies at the root.
    write(tmp_path / 'cgroup' / 'cpu', 'cpu.cfs_quota_us', quota + '\n')
    write(tmp_path / 'cgroup' / 'cpu', 'cpu.cfs_period_us', '100000\n')
    assert cores(tmp_path) == expected


def test_this_machine_has_some():
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
