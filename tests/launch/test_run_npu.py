"""scripts/run_npu.sh on a stand-in of an Ascend server: what it starts, refuses, passes on, stops and reports."""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import CODE, COMMAND_LINE_SETTINGS

from ascend_server import SCRIPTS, AscendServer
from hourglass_pose.runtime.job_key import JOB_KEY
from hourglass_pose.runtime.ranks import RANK_PORT_VARIABLE

ROOT = os.path.dirname(CODE)


@pytest.fixture
def server(tmp_path):
    return AscendServer(tmp_path)


def started(server, device):
    return json.loads(server.read(f'work/output/{device}/started.json'))


def settings(command):
    """Return {Section.key: value} of the --set arguments of a command; the last one wins."""
    return dict(word.split('=', 1) for before, word in zip(command, command[1:]) if before == '--set')


def case_log(server, name):
    return dict(line.split(' = ') for line in server.read(name).splitlines())


def test_one_device_gets_its_environment_command_and_log(server):
    server.environ.update(JOB_ID='4711', LD_LIBRARY_PATH='/there/before')
    code, printed, errors = server.run('--device_id=3', '--batch_size=4', '--train_epochs=2')
    assert (code, errors) == (0, '')
    noted = started(server, 3)
    environ, command = noted['environ'], noted['command']
    assert {name: environ[name] for name in ('RANK_ID', 'RANK_SIZE', 'ASCEND_DEVICE_ID', 'DEVICE_ID')} == {
        'RANK_ID': '0',
        'RANK_SIZE': '1',
        'ASCEND_DEVICE_ID': '3',
        'DEVICE_ID': '3',
    }
    assert 'RANK_TABLE_FILE' not in environ
    # What was there stays: the job's number, the libraries, and the folders of packages after ours.
    assert environ['JOB_ID'] == '4711' and environ['LD_LIBRARY_PATH'] == '/there/before'
    assert environ['PYTHONPATH'].split(':') == [CODE, server.path('site')]
    found = settings(command)
    assert found['Train.batch_size'] == '4' and found['Train.nEpochs'] == '2' and found['Device.device'] == "'npu'"
    assert found['DataSetHG.training_txt_file'] == repr([server.path('data/dataset.txt')])
    assert found['DataSetHG.img_directory'] == repr([server.path('data/images')])
    assert found['Saver.saver_directory'] == repr(server.path('work/run'))
    assert 'rank 0 is at work' in server.log(3) and 'rank 0 is at work' in printed


def test_results_are_those_that_the_run_has_measured(server):
    code, printed, _ = server.run('--batch_size=4')
    assert code == 0
    lines = printed.splitlines()
    assert 'Final Performance images/sec : 123.46' in lines and 'Final Train Accuracy : 87.65' in lines
    duration = [line for line in lines if line.startswith('E2E Training Duration sec : ')]
    assert len(duration) == 1 and 0 <= int(duration[0].rpartition(' ')[2]) < 30
    name = 'hourglass-pose_for_TensorFlow_bs4_1p_acc'
    found = case_log(server, f'work/output/0/{name}.log')
    assert found == {
        'Network': 'hourglass-pose_for_TensorFlow',
        'RankSize': '1',
        'BatchSize': '4',
        'DeviceType': os.uname().machine,
        'CaseName': name,
        'ActualFPS': '123.46',
        'TrainingTime': '250.00',
        'TrainAccuracy': '87.65',
        'ActualLoss': '0.0123457',
        'E2ETrainingTime': duration[0].rpartition(' ')[2],
    }


def test_results_of_an_earlier_run_are_not_taken_for_its_own(server):
    server.write('work/run/performance.json', '{"images_per_second": 999.0}')
    server.write('work/run/metrics.json', '{"pckh@0.5": {"mean": 99.0}}')
    server.environ['BEHAVIOUR'] = 'unfinished'
    code, printed, _ = server.run()
    assert code == 0
    assert 'Final Performance images/sec : NULL' in printed and 'Final Train Accuracy : NULL' in printed


def test_every_device_gets_its_rank_and_one_table(server):
    code, _, errors = server.run('--device_ids=4,5,6,7')
    assert (code, errors) == (0, '')
    noted = [started(server, device) for device in (4, 5, 6, 7)]
    assert [each['environ']['RANK_ID'] for each in noted] == ['0', '1', '2', '3']
    assert {each['environ']['RANK_SIZE'] for each in noted} == {'4'}
    assert len({each['environ']['JOB_ID'] for each in noted}) == 1
    assert len({each['environ'][JOB_KEY] for each in noted}) == 1
    assert len({tuple(each['command']) for each in noted}) == 1
    path = {each['environ']['RANK_TABLE_FILE'] for each in noted}.pop()
    with open(path) as stream:
        table = json.load(stream)
    assert table['status'] == 'completed' and table['version'] == '1.0' and table['server_count'] == '1'
    assert table['server_list'][0]['device'] == [
        {'device_id': str(4 + rank), 'device_ip': f'192.168.100.{105 + rank}', 'rank_id': str(rank)}
        for rank in range(4)
    ]
    assert glob.glob(server.path('work/output/4/*_bs16_4p_acc.log'))
    assert not glob.glob(server.path('work/output/5/*_acc.log'))


def test_two_jobs_on_one_server_have_other_keys_and_ports(server):
    jobs = []
    for devices in ('0,1', '2,3'):
        code, _, errors = server.run(f'--device_ids={devices}', '--fresh')
        assert (code, errors) == (0, '')
        noted = started(server, int(devices[0]))
        environ = noted['environ']
        jobs.append((environ['JOB_ID'], environ[JOB_KEY], environ[RANK_PORT_VARIABLE]))
        # A resumed run may be on several servers, and must not keep it.
        assert 'Device.rank_port' not in settings(noted['command'])
    assert all(first != second for first, second in zip(*jobs))
    # Given ones stay.
    server.environ.update({'JOB_ID': '4711', JOB_KEY: 'our own secret'})
    assert server.run('--device_ids=0,1', '--fresh', '--set=Device.rank_port=31000')[0] == 0
    noted = started(server, 0)
    assert (noted['environ']['JOB_ID'], noted['environ'][JOB_KEY]) == ('4711', 'our own secret')
    assert settings(noted['command'])['Device.rank_port'] == '31000' and RANK_PORT_VARIABLE not in noted['environ']


def test_several_servers_need_a_key_that_all_have(server):
    table = write_table(server, ('203.0.113.7', 2), ('127.0.0.1', 2))
    assert 'HOURGLASS_JOB_KEY' in server.refuse(f'--rank_table={table}')[0]
    jobs = []
    for address in ('203.0.113.7', '127.0.0.1'):
        server.environ[JOB_KEY] = 'the same on both'
        assert server.run(f'--rank_table={table}', f'--server_id={address}')[0] == 0
        jobs.append(started(server, f'{address}/0')['environ']['JOB_ID'])
    # Averaging needs one number of the job on all servers.
    assert jobs[0] == jobs[1] and jobs[0].isalnum()


def test_without_data_path_and_data_the_exit_code_is_modelzoos(server):
    arguments = [f'--set=DataSetHG.training_txt_file={server.path("nowhere.txt")}']
    started = subprocess.run(
        ['bash', os.path.join(SCRIPTS, 'run_npu.sh'), f'--hccn_conf={server.path("hccn.conf")}'] + arguments,
        cwd=server.path('work'),
        env=server.environ,
        capture_output=True,
        text=True,
    )
    assert started.returncode == 1
    assert started.stderr.startswith('error: data: ') and '--data_path=FOLDER' in started.stderr


def write_table(server, *servers):
    """Write a rank table of servers, each (address, number of devices), and return its path."""
    ranks = iter(range(100))
    return server.write(
        'table.json',
        json.dumps(
            {
                'status': 'completed',
                'version': '1.0',
                'server_count': str(len(servers)),
                'server_list': [
                    {
                        'server_id': address,
                        'device': [
                            {
                                'device_id': str(device),
                                'device_ip': f'10.0.{server_index}.{device}',
                                'rank_id': str(next(ranks)),
                            }
                            for device in range(count)
                        ],
                    }
                    for server_index, (address, count) in enumerate(servers)
                ],
            }
        ),
    )


def test_each_of_two_servers_starts_its_own_ranks_and_has_its_own_logs(server):
    table = write_table(server, ('203.0.113.7', 2), ('127.0.0.1', 2))
    server.environ['JOB_ID'] = '4711'
    code, printed, errors = server.run(f'--rank_table={table}')
    assert (code, errors) == (0, '')
    # Nobody but the second server has 127.0.0.1, so this is it.
    environs = [started(server, f'127.0.0.1/{device}')['environ'] for device in (0, 1)]
    assert [environ['RANK_ID'] for environ in environs] == ['2', '3']
    assert environs[0]['RANK_SIZE'] == '4' and environs[0]['RANK_TABLE_FILE'] == table
    assert 'Final' not in printed and 'rank 0' in printed.splitlines()[-1]
    server.environ['RANK_TABLE_FILE'] = table
    code, printed, errors = server.run('--server_id=203.0.113.7')
    assert (code, errors) == (0, '')
    assert [started(server, f'203.0.113.7/{device}')['environ']['RANK_ID'] for device in (0, 1)] == ['0', '1']
    assert 'Final Performance images/sec : 123.46' in printed
    # They may share the folder: the logs of the other server are still there.
    assert 'rank 2 is at work' in server.read('work/output/127.0.0.1/0/train_0.log')


def test_server_without_a_known_address_is_refused_with_what_to_add(server):
    table = write_table(server, ('node_0', 2), ('node_1', 2))
    server.environ['JOB_ID'] = '4711'
    (problem,) = server.refuse(f'--rank_table={table}', '--server_id=node_1')
    assert 'node_0, the server of rank 0' in problem and 'host_ip' in problem


def test_training_that_was_stopped_from_elsewhere_is_not_taken_for_done(server):
    server.environ['BEHAVIOUR'] = 'stopped'
    code, printed, errors = server.run('--device_ids=0,1')
    assert (code, errors) == (128 + signal.SIGTERM, '')
    assert printed.splitlines()[-1].startswith('stopped; --ckpt_path=') and 'Final' not in printed


def test_all_checks_run_and_each_gives_a_solution_in_one_line(server):
    del server.environ['ASCEND_TOOLKIT_HOME']
    server.tensorflow('2.6.5')
    server.write('site/npu_bridge/__init__.py', 'raise ImportError("libge_runner.so: cannot open")')
    server.program('npu-smi', 'echo "dcmi module initialize failed. ret is -8005"; exit 1')
    os.remove(server.path('data/dataset.txt'))
    server.write('work/run/step-00000004/manifest.json', '{}')
    lines = server.refuse()
    subjects = ['data', 'checkpoints', 'toolkit', 'devices', 'TensorFlow', 'npu_bridge']
    assert [line.split(':')[0] for line in lines] == subjects
    by_subject = dict(zip(subjects, lines))
    assert 'expected one of dataset.txt, *.jsonl and *.jsonl.gz, found none' in by_subject['data']
    assert '--ckpt_path=' in by_subject['checkpoints'] and '--fresh' in by_subject['checkpoints']
    assert 'source ' in by_subject['toolkit'] and 'set_env.sh' in by_subject['toolkit']
    assert '-8005' in by_subject['devices']
    assert '1.15 is needed' in by_subject['TensorFlow'] and '2.6.5' in by_subject['TensorFlow']
    assert 'libge_runner.so' in by_subject['npu_bridge']
    assert not os.path.exists(server.path('work/output/0/train_0.log'))


def test_devices_that_are_missing_or_unhealthy_are_named(server):
    server.devices(range(4))
    assert 'lists 0, 1, 2, 3 and not 4' in server.refuse('--device_ids=3,4')[0]
    server.devices(range(8), {2: 'Alarm'})
    assert 'device 2 as Alarm' in server.refuse('--device_ids=1,2')[0]
    os.remove(server.path('bin/npu-smi'))
    assert 'npu-smi is not on the PATH' in server.refuse()[0]


def test_a_rank_table_needs_the_addresses_of_its_devices(server):
    server.write('hccn.conf', 'address_0=192.168.100.101\n')
    assert 'address_1=IP' in server.refuse('--device_ids=0,1')[0]
    os.remove(server.path('hccn.conf'))
    assert '--hccn_conf=FILE' in server.refuse('--device_ids=0,1')[0]


def test_dry_run_prints_what_would_be_started_and_starts_nothing(server):
    arguments = ['--device_ids=0,1', '--set', 'Train.lear_rate=0.002']
    code, printed, errors = server.run('--dry_run', *arguments)
    assert (code, errors) == (0, '') and '# problem' not in printed
    assert os.listdir(server.path('work')) == []
    commands = [line for line in printed.splitlines() if not line.startswith('#')]
    assert len(commands) == 2
    os.makedirs(server.path('work/run'))
    for device, command in enumerate(commands):
        # The command alone, in an empty environment but for where programs are, starts the same as the script does.
        os.makedirs(server.path(f'work/output/{device}'))
        subprocess.run(['env', '-i', f'PATH={server.environ["PATH"]}', 'bash', '-c', command], check=True)
    by_hand = [started(server, device) for device in (0, 1)]
    shutil.rmtree(server.path('work'))
    os.makedirs(server.path('work'))
    assert server.run(*arguments)[0] == 0
    for device, noted in enumerate(by_hand):
        by_script = started(server, device)
        assert by_script['command'] == noted['command']
        drawn = {'JOB_ID', JOB_KEY, RANK_PORT_VARIABLE}
        names = set(noted['environ']) - {'PATH', 'PWD', 'SHLVL', '_', 'OLDPWD', 'LC_CTYPE'} - drawn
        assert {'RANK_ID', 'RANK_TABLE_FILE'} <= names
        assert {name: by_script['environ'].get(name) for name in names} == {
            name: noted['environ'][name] for name in names
        }


def test_dry_run_needs_no_device_and_no_data(server):
    shutil.rmtree(server.path('site'))
    for name in ('bin/npu-smi', 'hccn.conf', 'data/dataset.txt'):
        os.remove(server.path(name))
    del server.environ['ASCEND_TOOLKIT_HOME']
    code, printed, errors = server.run('--dry_run', '--rank_size=8')
    assert (code, errors) == (0, '')
    assert sum(line.startswith('(cd ') for line in printed.splitlines()) == 8
    notes = [line for line in printed.splitlines() if line.startswith('# problem: ')]
    assert len(notes) == 2 and 'hccn.conf' in notes[0] and 'dataset.txt' in notes[1]


def test_a_run_is_resumed_in_its_folder(server):
    assert server.run('--batch_size=4')[0] == 0
    shutil.copy(os.path.join(CODE, 'config.cfg'), server.path('work/run/config.cfg'))
    server.write('work/run/step-00000004/manifest.json', '{}')
    assert 'holds an earlier run' in server.refuse()[0]
    code, printed, errors = server.run('--ckpt_path=run', '--train_epochs=7', run_dir=False)
    assert (code, errors) == (0, '')
    command = started(server, 0)['command']
    assert command[0] == server.path('work/run') and settings(command)['Train.nEpochs'] == '7'
    # Its settings are those that the run was started with.
    assert '--config' not in command and not os.path.exists(server.path('work/output/0/run'))


def test_an_earlier_run_and_an_earlier_log_are_set_aside(server):
    assert server.run()[0] == 0
    server.write('work/run/step-00000004/manifest.json', '{}')
    assert server.run('--fresh')[0] == 0
    # By the trainer, whose first process alone does it.
    assert started(server, 0)['command'].count('--fresh') == 1
    assert 'at work' in server.read('work/output/0/train_0.log.previous')


def test_annotations_of_any_known_name_are_found_and_two_are_a_question(server):
    os.rename(server.path('data/dataset.txt'), server.path('data/people.jsonl.gz'))
    assert server.run()[0] == 0
    assert settings(started(server, 0)['command'])['DataSetHG.training_txt_file'] == repr(
        [server.path('data/people.jsonl.gz')]
    )
    server.write('data/dataset.txt', '')
    assert 'found dataset.txt and people.jsonl.gz' in server.refuse()[0]
    chosen = f'--set=DataSetHG.training_txt_file={os.path.join(os.pardir, "data", "people.jsonl.gz")}'
    assert server.run(chosen)[0] == 0
    # A relative path is the caller's, not that of the folder in which the process works.
    assert settings(started(server, 0)['command'])['DataSetHG.training_txt_file'] == repr(
        [server.path('data/people.jsonl.gz')]
    )


def test_a_path_that_is_not_a_python_is_refused(server):
    server.environ['PYTHON'] = server.path('nowhere/python')
    assert 'expected a Python of version 3.7' in server.refuse()[0]


def test_autotune_is_taken_with_a_note(server):
    code, printed, errors = server.run('--autotune=True')
    assert (code, errors) == (0, '') and 'note: --autotune' in printed


@pytest.mark.slow
def test_a_true_training_leaves_true_results(server, synthetic_people):
    """The real trainer instead of its stand-in, on the CPU."""
    server.environ.update(PYTHON=sys.executable, PYTHONPATH='')
    changes = [
        f'--set={section}.{key}={value!r}'
        for section, keys in COMMAND_LINE_SETTINGS.items()
        for key, value in keys.items()
    ]
    code, printed, errors = server.run(
        f'--data_path={os.path.dirname(synthetic_people)}',
        '--train_steps=5',
        '--set=DataSetHG.valid_fraction=0.3',
        *changes + ['--set=Network.nStack=1', '--set=Train.nEpochs=1', '--set=Train.epoch_size=5'],
    )
    assert (code, errors) == (0, '')
    speed, metrics = (json.loads(server.read(f'work/run/{name}.json')) for name in ('performance', 'metrics'))
    assert speed['steps'] == 3 and speed['steps_left_out'] == 2 and speed['images'] == 12 and speed['finished']
    assert speed['images_per_second'] == pytest.approx(12 / speed['seconds'])
    assert f'Final Performance images/sec : {speed["images_per_second"]:.2f}' in printed
    assert f'Final Train Accuracy : {metrics["pckh@0.5"]["mean"]:.2f}' in printed
    assert 'epoch 1/1, step 5: loss' in server.log(0)


FRONTS = {'train_full_1p.sh': (1, 'acc'), 'train_performance_1p.sh': (1, 'perf'), 'train_full_8p.sh': (8, 'acc')}


@pytest.mark.parametrize('script', sorted(FRONTS))
def test_scripts_start_the_case_of_their_name(server, script):
    size, case = FRONTS[script]
    code, printed, errors = server.run(script=script, run_dir=False)
    assert (code, errors) == (0, '')
    command = started(server, size - 1)['command']
    assert started(server, 0)['environ']['RANK_SIZE'] == str(size)
    assert settings(command)['Device.precision_mode'] == 'allow_mix_precision'
    assert case_log(server, f'work/output/0/hourglass-pose_for_TensorFlow_bs16_{size}p_{case}.log')
    if case == 'perf':
        assert settings(command)['Train.epoch_size'] == '500' and settings(command)['Train.nEpochs'] == '1'
    assert 'Final Performance images/sec : 123.46' in printed


@pytest.mark.skipif(shutil.which('shellcheck') is None, reason='shellcheck is not installed')
def test_shellcheck_finds_nothing():
    scripts = sorted(glob.glob(os.path.join(SCRIPTS, '*.sh'))) + [os.path.join(ROOT, '.ci', 'run')]
    assert len(scripts) > 6
    done = subprocess.run(['shellcheck', '-x'] + scripts, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, '')


def test_level_claims_only_what_hardware_has_shown():
    with open(os.path.join(ROOT, 'modelzoo_level.txt')) as stream:
        lines = stream.read().splitlines()
    assert [line.split(':')[0] for line in lines] == ['FuncStatus', 'PerfStatus', 'PrecisionStatus']
    # Nothing has run on a device yet.
    assert {line.split(':')[1] for line in lines} == {'NOK'}
