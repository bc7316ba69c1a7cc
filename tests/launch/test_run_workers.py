"""run_workers.sh: the processes that it starts, their environment, and what it refuses before any starts."""

import json
import os
import signal
import subprocess
import sys

import pytest
from conftest import CODE, SUPPORT

from hourglass_pose.checkpoints.folder import CheckpointFolder, verify
from hourglass_pose.config.config import config_from_dict, load_config
from hourglass_pose.cores import available_cores
from hourglass_pose.errors import LaunchError
from hourglass_pose.launch import workers
from hourglass_pose.launch.workers import gpus_of_workers, plan_workers
from hourglass_pose.runtime.cluster.spec import cluster_of_environment
from hourglass_pose.runtime.host_channel import LOST_RANK
from stand_in_device import wait_for

SCRIPT = os.path.join(os.path.dirname(CODE), 'scripts', 'run_workers.sh')
SECONDS_TO_WAIT = 300


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Work in a folder with a dataset and a config, whose run is in the folder `run`; return it."""
    monkeypatch.chdir(tmp_path)
    for name in ('TF_CONFIG', 'HOURGLASS_JOB_KEY', 'CUDA_VISIBLE_DEVICES', 'PYTHON'):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / 'images').mkdir()
    (tmp_path / 'dataset.txt').write_text('')
    (tmp_path / 'my.cfg').write_text(
        "[DataSetHG]\ntraining_txt_file: 'dataset.txt'\nimg_directory: 'images'\n[Saver]\nsaver_directory: 'run'\n"
    )
    return tmp_path


def planned(count, *given, **environ):
    return plan_workers(count, 'train', given, load_config('my.cfg'), environ)


def test_workers_are_one_job_at_free_ports_with_the_caller_s_arguments(workspace):
    processes = planned(3, '--config', 'my.cfg')
    clusters = [cluster_of_environment(process.environment) for process in processes]
    assert [cluster.rank for cluster in clusters] == [0, 1, 2]
    assert len({cluster.addresses for cluster in clusters}) == 1
    host, port = clusters[0].meeting_point()
    assert host == '127.0.0.1' and f'{host}:{port}' not in clusters[0].addresses
    keys = {process.environment['HOURGLASS_JOB_KEY'] for process in processes}
    assert len(keys) == 1 and len(keys.pop()) == 64
    for process in processes:
        assert process.folder == str(workspace) and process.log == str(
            workspace / 'output' / f'worker_{process.rank}.log'
        )
        assert process.command[1:4] == (os.path.join(CODE, 'train_launcher.py'), '--config', 'my.cfg')
        share = max(1, available_cores() // 3)
        assert process.command[4:] == ('--set', f'Train.workers={share}')
        assert process.environment['TF_NUM_INTRAOP_THREADS'] == str(share)
    other = planned(3)[0].environment
    assert other['HOURGLASS_JOB_KEY'] != processes[0].environment['HOURGLASS_JOB_KEY']
    assert planned(2, HOURGLASS_JOB_KEY='mine')[1].environment['HOURGLASS_JOB_KEY'] == 'mine'


def test_threads_that_the_settings_name_stay(workspace):
    config = config_from_dict({'Device': {'intra_threads': 3}, 'Train': {'workers': 0}})
    process = plan_workers(2, 'resume', ['run'], config, {})[0]
    assert process.command[2:] == ('run',) and 'TF_NUM_INTRAOP_THREADS' not in process.environment


def test_each_process_has_a_gpu_of_its_own_where_there_are_gpus(tmp_path):
    config = config_from_dict({})
    none = str(tmp_path / 'nvidia[0-9]*')
    assert gpus_of_workers(2, config, {}, none) == [{}, {}]
    for name in ('nvidia0', 'nvidia1', 'nvidiactl'):
        (tmp_path / name).write_text('')
    assert gpus_of_workers(2, config, {}, none) == [{'CUDA_VISIBLE_DEVICES': '0'}, {'CUDA_VISIBLE_DEVICES': '1'}]
    assert gpus_of_workers(2, config, {'CUDA_VISIBLE_DEVICES': '5, 7,1'}, none)[1] == {'CUDA_VISIBLE_DEVICES': '7'}
    assert gpus_of_workers(2, config, {'CUDA_VISIBLE_DEVICES': '-1'}, none) == [{}, {}]
    with pytest.raises(LaunchError, match='3 processes need a GPU each, found 2'):
        gpus_of_workers(3, config, {}, none)
    on_cpu = config_from_dict({'Device': {'device': 'cpu'}})
    assert gpus_of_workers(3, on_cpu, {}, none) == [{}] * 3


@pytest.mark.parametrize(
    'words, expected',
    [
        (['zero'], "expected the number of processes, an integer >= 1, found 'zero'"),
        (['0'], "found '0'"),
        (['2', '--config', 'my.cfg', '--set', 'Train.batch_sise=1'], 'batch_size'),
        (['2', '--config', 'my.cfg', '--set', "Device.device='npu'"], 'use scripts/run_npu.sh'),
        (['2', '--config', 'my.cfg', '--set', 'Train.training=False'], 'Train.training'),
        (['2', '--config', 'my.cfg', '--set', "DataSetHG.img_directory=['nowhere']"], 'nowhere does not exist'),
        (['2', '--config', 'other.cfg'], 'other.cfg'),
    ],
)
def test_mistakes_are_one_line_before_a_process_starts(workspace, capsys, monkeypatch, words, expected):
    monkeypatch.setattr(workers, 'Processes', None)
    assert workers.main(words) == 2
    errors = capsys.readouterr().err
    assert expected in errors and errors.count('\n') == 1


def test_a_new_run_does_not_mix_with_an_earlier_one(workspace, capsys, monkeypatch):
    monkeypatch.setattr(workers, 'refuse_mixing', refuse)
    assert workers.main(['2', '--config', 'my.cfg']) == 2
    assert 'run is taken, fresh False' in capsys.readouterr().err


def refuse(folder, fresh):
    raise LaunchError(f'{os.path.basename(folder)} is taken, fresh {fresh}')


def test_help_shows_the_usage(capsys):
    assert workers.main(['--help']) == 0 and workers.main([]) == 2
    assert capsys.readouterr().out.count('usage: bash scripts/run_workers.sh N') == 2


def run_script(workspace, *words, **environ):
    """Run the script with a stand-in for the training; return (exit code, what it printed, its errors)."""
    python = workspace / 'python'
    stand_in = os.path.join(SUPPORT, 'stand_in_worker.py')
    python.write_text(
        f'#!/bin/bash\ncase "${{1:-}}" in\n*/train_launcher.py|*/load.py) exec {sys.executable} {stand_in} "$@";;\n'
        f'*) exec {sys.executable} "$@";;\nesac\n'
    )
    python.chmod(0o755)
    done = subprocess.run(
        ['bash', SCRIPT, *words],
        env=dict(os.environ, PYTHON=str(python), RUN=str(workspace / 'run'), **environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_TO_WAIT,
    )
    return done.returncode, done.stdout, done.stderr


def test_script_starts_the_workers_shows_the_first_and_ends_well(workspace):
    code, printed, errors = run_script(workspace, '2', '--config', 'my.cfg', '--quiet', BEHAVIOUR='finish')
    assert (code, errors) == (0, '')
    assert 'worker 0 is at work' in printed and 'worker 1 is at work' not in printed and 'resume' not in printed
    noted = [json.loads((workspace / f'worker-{index}.json').read_text()) for index in range(2)]
    assert noted[0]['command'] == noted[1]['command'] and '--quiet' in noted[0]['command']
    assert 'worker 1 is at work' in (workspace / 'output' / 'worker_1.log').read_text()


def test_script_names_the_worker_that_failed_first_and_the_command_to_resume(workspace):
    code, printed, _ = run_script(workspace, '3', '--config', 'my.cfg', BEHAVIOUR='lose')
    assert code == 7 and 'error: rank 1 failed with exit code 7' in printed
    assert printed.splitlines()[-1] == (
        f'"bash scripts/run_workers.sh 3 resume {workspace / "run"}" continues from the last checkpoint'
    )


@pytest.mark.slow
def test_killed_worker_ends_the_job_which_resumes_by_the_command_that_is_shown(
    workspace, command_line_run, tmp_path_factory
):
    folder = str(tmp_path_factory.mktemp('workers') / 'run')
    words = ['--config', command_line_run.config, '--set', f'Saver.saver_directory={folder!r}', '--quiet']
    words += ['--set', 'Train.batch_size=2', '--set', 'Device.rank_timeout=10']
    endless = ['--set', 'Train.nEpochs=100000', '--set', 'Validation.valid_every=100000']
    environ = dict(os.environ, PYTHON=sys.executable)
    with open(str(workspace / 'printed'), 'w+') as printed:
        job = subprocess.Popen(
            ['bash', SCRIPT, '2', *words, *endless], env=environ, stdout=printed, stderr=subprocess.STDOUT
        )
        wait_for(lambda: job.poll() is not None or CheckpointFolder(folder).steps(), SECONDS_TO_WAIT)
        lines = (workspace / 'printed').read_text().splitlines()
        (started,) = [line for line in lines if line.startswith('rank 1: process ')]
        os.kill(int(started.split()[3].rstrip(',')), signal.SIGKILL)
        assert job.wait(SECONDS_TO_WAIT) == 128 + signal.SIGKILL
    text = (workspace / 'printed').read_text()
    assert f'rank 0 ended with exit code {LOST_RANK}, because it lost another one' in text
    assert 'error: rank 1 (worker 1 at 127.0.0.1:' in (workspace / 'output' / 'worker_0.log').read_text()
    assert f'"bash scripts/run_workers.sh 2 resume {folder}" continues' in text.splitlines()[-1]
    step = verify(CheckpointFolder(folder).newest_intact(lambda line: None))['global_step']
    epochs = f'Train.nEpochs={step // 2 + 1}'
    assert subprocess.call(['bash', SCRIPT, '2', 'resume', folder, '--set', epochs], env=environ) == 0
    assert verify(CheckpointFolder(folder).newest_intact(pytest.fail))['global_step'] == 2 * (step // 2 + 1)
