"""The parameters of an NPU's session: which, of which kind, for which adapter; and settings that contradict."""

import json
import re

import pytest

from hourglass_pose.config.config import config_from_dict
from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.ascend_options import DYNAMIC, FIXED, NONE, NpuSettings, loss_scaling, parameters
from hourglass_pose.runtime.npu_precision import NEWER_MODES, PRECISION_MODES


def adapter_parameters(precision='auto', steps_per_run=1, num_ranks=1, is_newer=True, **settings):
    return parameters(NpuSettings(**settings), precision, steps_per_run, num_ranks, is_newer)


def refusal(function, *arguments, **options):
    with pytest.raises(ConfigError) as caught:
        function(*arguments, **options)
    assert '\n' not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize('is_newer', [False, True])
def test_plain_training_sets_only_the_required_parameters_in_the_right_kinds(is_newer):
    assert [(name, type(value), value) for name, value in adapter_parameters(is_newer=is_newer).items()] == [
        ('use_off_line', bool, True),
        ('graph_run_mode', int, 1),
        ('mix_compile_mode', bool, False),
        ('precision_mode', str, 'allow_mix_precision'),
        ('iterations_per_loop', int, 1),
        ('enable_data_pre_proc', bool, False),
    ]


def test_a_device_loop_reads_its_batches_on_the_device_and_ranks_talk_beside_the_arithmetic():
    found = adapter_parameters(steps_per_run=10, num_ranks=8)
    assert (found['iterations_per_loop'], found['enable_data_pre_proc'], found['mix_compile_mode']) == (10, True, False)
    assert found['hcom_parallel'] is True and 'hcom_parallel' not in adapter_parameters()


@pytest.mark.parametrize(
    'precision, mode, expected',
    [
        ('auto', None, 'allow_mix_precision'),
        ('mixed', None, 'allow_mix_precision'),
        ('float32', None, 'allow_fp32_to_fp16'),
        ('auto', 'force_fp32', 'force_fp32'),
    ],
)
def test_precision_mode_follows_precision_unless_it_is_given(precision, mode, expected):
    assert adapter_parameters(precision, precision_mode=mode)['precision_mode'] == expected


def test_the_older_adapter_refuses_what_it_would_pass_over_in_silence(tmp_path):
    mixlist = tmp_path / 'mixlist.json'
    mixlist.write_text('{}')
    for name, value in [('precision_mode', mode) for mode in NEWER_MODES] + [
        ('jit_compile', 'auto'),
        ('modify_mixlist', str(mixlist)),
    ]:
        message = refusal(adapter_parameters, is_newer=False, **{name: value})
        assert message.startswith(f'[Device] {name}: ') and value in message
        assert adapter_parameters(is_newer=True, **{name: value})[name] == value
    for mode in set(PRECISION_MODES) - set(NEWER_MODES):
        assert adapter_parameters(is_newer=False, precision_mode=mode)['precision_mode'] == mode


def test_dumps_name_their_folder_and_what_they_write(tmp_path):
    folder = str(tmp_path)
    found = adapter_parameters(data_dump=True, dump_path=folder, dump_step='0|3-5', dump_mode='all')
    assert {name: found[name] for name in found if 'dump' in name} == {
        'enable_dump': True,
        'dump_path': folder,
        'dump_step': '0|3-5',
        'dump_mode': 'all',
    }
    found = adapter_parameters(over_dump=True, dump_path=folder)
    assert {name: found[name] for name in found if 'dump' in name} == {
        'enable_dump_debug': True,
        'dump_path': folder,
        'dump_debug_mode': 'all',
    }
    for missing in (str(tmp_path / 'gone'), None):
        assert 'dump_path' in refusal(adapter_parameters, data_dump=True, dump_path=missing)


def test_profiling_options_are_json_with_the_folder(tmp_path):
    found = adapter_parameters(profiling=True, profiling_path=str(tmp_path))
    assert found['profiling_mode'] is True
    assert json.loads(found['profiling_options']) == {
        'output': str(tmp_path),
        'training_trace': 'on',
        'task_trace': 'on',
        'aicpu': 'on',
        'fp_point': '',
        'bp_point': '',
    }
    found = adapter_parameters(profiling=True, profiling_path=str(tmp_path), profiling_options='{"l2": "on"}')
    assert json.loads(found['profiling_options']) == {'output': str(tmp_path), 'l2': 'on'}
    assert 'profiling_path' in refusal(adapter_parameters, profiling=True, profiling_path=str(tmp_path / 'gone'))


@pytest.mark.parametrize(
    'loss_scale, mode, expected',
    [
        (None, 'allow_mix_precision', (DYNAMIC, 2.0**16)),
        (None, 'allow_fp32_to_fp16', (DYNAMIC, 2.0**16)),
        (None, 'must_keep_origin_dtype', (NONE, 1.0)),
        (None, 'force_fp32', (NONE, 1.0)),
        (None, 'allow_mix_precision_bf16', (NONE, 1.0)),
        (1024.0, 'allow_mix_precision', (FIXED, 1024.0)),
        ('none', 'allow_mix_precision', (NONE, 1.0)),
    ],
)
def test_loss_is_scaled_where_float16_is(loss_scale, mode, expected):
    assert loss_scaling(loss_scale, mode) == expected


def test_fixed_scale_below_one_is_refused_as_the_adapter_would():
    assert '>= 1' in refusal(loss_scaling, 0.5, 'allow_mix_precision')


@pytest.mark.parametrize(
    'settings, key',
    [
        ({'device': 'cpu', 'precision_mode': 'force_fp32'}, 'precision_mode'),
        ({'device': 'gpu', 'data_dump': True, 'dump_path': '/d'}, 'data_dump'),
        ({'device': 'cpu', 'profiling': True, 'profiling_path': '/p'}, 'profiling'),
        ({'precision': 'float32', 'precision_mode': 'force_fp32'}, 'precision'),
        ({'modify_mixlist': 'm.json', 'precision': 'float32'}, 'modify_mixlist'),
        ({'modify_mixlist': 'm.json', 'precision_mode': 'force_fp32'}, 'modify_mixlist'),
        ({'loss_scale': 512, 'precision_mode': 'force_fp32'}, 'loss_scale'),
        ({'data_dump': True, 'over_dump': True, 'dump_path': '/d'}, 'over_dump'),
        ({'over_dump': True}, 'dump_path'),
        ({'dump_step': '3'}, 'dump_step'),
        ({'profiling': True}, 'profiling_path'),
        ({'profiling_options': '{}'}, 'profiling_options'),
    ],
)
def test_settings_that_contradict_each_other_are_found_before_anything_is_built(settings, key):
    message = refusal(config_from_dict, {'Device': settings})
    assert re.match(rf'config \[Device\] {key}: expected ', message)


@pytest.mark.parametrize('section, key, steps', [('Saver', 'saver_step', 25), ('Train', 'epoch_size', 1001)])
def test_device_loop_divides_what_is_counted_in_steps(section, key, steps):
    message = refusal(config_from_dict, {'Device': {'iterations_per_loop': 10}, section: {key: steps}})
    assert message.startswith(f'config [{section}] {key}: expected a multiple of iterations_per_loop, 10')
    config_from_dict({'Device': {'iterations_per_loop': 5}, 'Saver': {'saver_step': 25}, 'Train': {'epoch_size': 1000}})


@pytest.mark.parametrize(
    'value, allowed',
    [
        ('0', True),
        ('0|3-5', True),
        ('3-3', False),
        ('5-3', False),
        ('', False),
        ('1,2', False),
        ('|1', False),
        ('|'.join(map(str, range(100))), True),
        ('|'.join(map(str, range(101))), False),
        ('-1', False),
    ],
)
def test_dump_steps_are_those_that_the_adapter_reads(value, allowed):
    settings = {'Device': {'data_dump': True, 'dump_path': '/d', 'dump_step': value}}
    if allowed:
        assert config_from_dict(settings).Device.dump_step == value
    else:
        assert 'dump_step' in refusal(config_from_dict, settings)
