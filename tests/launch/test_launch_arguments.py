"""Arguments of scripts/run_npu.sh: the settings that they become, and one line for each wrong one."""

import os
import shutil

import pytest
from conftest import CODE

from hourglass_pose.config.config import load_config
from hourglass_pose.config.keys import KEY_BY_SPELLING
from hourglass_pose.launch.arguments import ARGUMENTS, parse_arguments, settings_of
from hourglass_pose.launch.launcher import main


def test_every_setting_that_an_argument_stands_for_is_a_key():
    assert all(
        argument.setting.rpartition('.')[2].lower() in KEY_BY_SPELLING for argument in ARGUMENTS if argument.setting
    )


@pytest.mark.parametrize(
    'arguments, changes',
    [
        (['--precision_mode=force_fp32', '--loss_scale=none'], {'precision_mode': 'force_fp32', 'loss_scale': 'none'}),
        (['--loss_scale=1024'], {'loss_scale': 1024.0}),
        (['--over_dump'], {'over_dump': True, 'dump_path': '/work/output/overflow_dump'}),
        (
            ['--data_dump_flag=True', '--data_dump_step=0|3-5'],
            {'data_dump': True, 'dump_step': '0|3-5', 'dump_path': '/work/output/data_dump'},
        ),
        (
            ['--data_dump_flag=1', '--data_dump_path=/dumps'],
            {'data_dump': True, 'dump_step': '10', 'dump_path': '/dumps'},
        ),
        (['--profiling=True'], {'profiling': True, 'profiling_path': '/work/output/profiling'}),
        (['--over_dump=False', '--profiling=0', '--data_dump_flag=false', '--data_dump_step=3'], {}),
    ],
)
def test_arguments_become_settings_of_the_device(arguments, changes):
    base = os.path.join(CODE, 'config.cfg')
    found = load_config(base, settings_of(parse_arguments(['--output=/work/output'] + arguments))).as_dict()['Device']
    assert found == dict(load_config(base).as_dict()['Device'], device='npu', **changes)


@pytest.mark.parametrize(
    'arguments, expected',
    [
        (['--batchsize=4'], 'the nearest known one is --batch_size'),
        (['--batch_size'], '--batch_size: expected one argument'),
        (['--output='], '--output: expected a value'),
        (['--rank_size=two'], "--rank_size: expected an integer >= 0, found 'two'"),
        (['--case=fast'], '--case: invalid choice'),
        (['--batch=4'], 'unknown argument'),
        (['batch_size=4'], '--key=value'),
        (['--over_dump=maybe'], 'True or False'),
        (['--batch_size=four'], 'Train.batch_size: expected an integer >= 1'),
        (['--set=Train.batch_sise=4'], 'batch_size'),
        (['--device_ids=0,0'], 'each device once'),
        (['--device_ids=0;1'], '0,1,2,3 or 0-7'),
        (['--device_ids=0,1', '--device_id=2'], 'give one of them'),
        (['--device_ids=0,1', '--rank_size=8'], '2 processes follow from --device_ids'),
        (['--over_dump', '--data_dump_flag'], 'one of them at a time'),
        (['--ckpt_path=nowhere'], 'nowhere: there is no such checkpoint; give a run folder'),
        (['--device_ids=0,1', '--set=Device.device=cpu'], "expected 'npu' for 2 processes"),
    ],
)
def test_a_wrong_argument_is_one_line(arguments, expected, capsys, monkeypatch):
    monkeypatch.delenv('RANK_TABLE_FILE', raising=False)
    assert main(arguments) == 2
    printed, errors = capsys.readouterr()
    assert errors.startswith('error: ') and errors.count('\n') == 1 and expected in errors and printed == ''


def test_two_ways_of_listing_the_ranks_are_refused(capsys, monkeypatch):
    monkeypatch.setenv('CM_CHIEF_IP', '203.0.113.7')
    assert main(['--device_ids=0,1', '--dry_run']) == 2
    assert 'unset CM_CHIEF_IP' in capsys.readouterr().err


@pytest.mark.parametrize('path', ['', '/latest', '/step-00000004', '/step-00000004/hourglass.index'])
def test_every_path_of_a_run_means_the_run(tmp_path, capsys, path):
    run = tmp_path / 'run'
    folder = run / 'step-00000004'
    folder.mkdir(parents=True)
    (folder / 'manifest.json').write_text('{}')
    (folder / 'hourglass.index').write_text('')
    (run / 'latest').symlink_to('step-00000004')
    shutil.copy(os.path.join(CODE, 'config.cfg'), str(run / 'config.cfg'))
    assert main([f'--ckpt_path={run}{path}', '--dry_run', f'--output={tmp_path / "output"}']) == 0
    printed = capsys.readouterr().out
    assert f'load.py {run} --set' in printed and '--config' not in printed


def test_a_checkpoint_outside_of_a_run_is_refused(tmp_path, capsys):
    (tmp_path / 'alone').mkdir()
    (tmp_path / 'alone' / 'manifest.json').write_text('{}')
    assert main([f'--ckpt_path={tmp_path / "alone"}']) == 2
    errors = capsys.readouterr().err
    assert 'not in a run folder' in errors and '--initialise-from' in errors


def test_help_lists_every_argument(capsys):
    assert main(['--help']) == 0
    printed = capsys.readouterr().out
    assert [argument.name for argument in ARGUMENTS if f'--{argument.name} ' not in printed] == []
