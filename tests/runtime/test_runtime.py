"""Runtimes: which device is opened and why, the config of its sessions, and repeatable dropout."""

import numpy as np
import pytest

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime import native, selection
from hourglass_pose.runtime.ascend_options import NpuSettings
from hourglass_pose.runtime.native import NativeRuntime, bfloat16_obstacle
from hourglass_pose.runtime.selection import open_runtime
from hourglass_pose.tf_compat import VERSION, tf

BFLOAT16 = {'sse2', 'avx512_bf16'}


def of_one_line(caught):
    message = str(caught.value)
    assert message.startswith('[Device] ') and '\n' not in message
    return message


@pytest.fixture
def gpus(monkeypatch):
    """Return the list of GPUs that TensorFlow seems to see."""
    names = []
    monkeypatch.setattr(selection, 'gpu_names', lambda: names)
    return names


@pytest.fixture
def bfloat16(monkeypatch):
    monkeypatch.setattr(native, 'bfloat16_obstacle', lambda: None)


@pytest.fixture
def no_bfloat16(monkeypatch):
    monkeypatch.setattr(native, 'bfloat16_obstacle', lambda: 'it is too old')


def test_a_device_that_is_not_there_is_named_with_what_to_do(gpus):
    with pytest.raises(ConfigError) as caught:
        open_runtime('gpu')
    message = of_one_line(caught)
    assert "'gpu'" in message and "set 'auto' or 'cpu'" in message
    with pytest.raises(ConfigError) as caught:
        open_runtime('npu')
    message = of_one_line(caught)
    assert "'npu'" in message and "set 'auto', 'cpu' or 'gpu'" in message and 'npu_bridge is not installed' in message


def test_auto_takes_a_gpu_if_there_is_one_and_gives_the_reason(gpus, no_bfloat16):
    assert open_runtime('auto').description.startswith('CPU, float32 (no GPU found')
    assert open_runtime('cpu').description == 'CPU, float32 (as configured)'
    gpus.append('/physical_device:GPU:0')
    assert open_runtime('auto').description.startswith('GPU, float32 (1 GPU found')
    assert open_runtime('auto', 'mixed').description.startswith('GPU, float16 (1 GPU found')
    assert open_runtime('gpu', 'float32').description == 'GPU, float32 (as configured)'
    assert open_runtime('cpu').description == 'CPU, float32 (as configured)'


@pytest.fixture
def installed(monkeypatch):
    """Return the set of names of modules that seem to be installed."""
    names = set()
    monkeypatch.setattr(selection.importlib.util, 'find_spec', lambda name: object() if name in names else None)
    return names


@pytest.mark.parametrize(
    'modules, version, answers, obstacle',
    [
        ((), (1, 15), True, 'npu_bridge is not installed'),
        (('npu_device',), (2, 21), True, 'npu_device, the adapter of TensorFlow 2.6, is not supported'),
        (('npu_bridge',), (2, 21), True, 'TensorFlow 2.21 has no adapter'),
        (('npu_bridge',), (1, 15), False, 'no device answers'),
        (('npu_bridge',), (1, 15), True, None),
    ],
)
def test_an_npu_needs_its_adapter_its_tensorflow_and_a_device(
    installed, monkeypatch, modules, version, answers, obstacle
):
    installed.update(modules)
    monkeypatch.setattr(selection, 'VERSION', version)
    monkeypatch.setattr(selection, 'npu_answers', lambda: answers)
    found = selection.npu_obstacle()
    assert found is None if obstacle is None else obstacle in found


def test_auto_names_an_npu_that_it_leaves_aside_and_takes_one_that_answers(gpus, installed, monkeypatch):
    assert open_runtime('auto', 'float32').description == 'CPU, float32 (no GPU found)'
    installed.add('npu_bridge')
    monkeypatch.setattr(selection, 'VERSION', (1, 15))
    monkeypatch.setattr(selection, 'npu_answers', lambda: False)
    assert 'no device answers' in open_runtime('auto', 'float32').description
    opened = []
    monkeypatch.setattr(selection, 'npu_answers', lambda: True)
    monkeypatch.setattr(selection, 'AscendRuntime', lambda *arguments: opened.append(arguments) or 'the NPU')
    assert open_runtime('auto', 'mixed', 3, 512.0, 2, NpuSettings(jit_compile='auto')) == 'the NPU'
    ((precision, loss_scale, steps, settings, reason),) = opened
    assert (precision, loss_scale, steps, settings.jit_compile) == ('mixed', 512.0, 2, 'auto')
    assert 'a device answers' in reason


def test_what_only_an_npu_can_do_is_refused_without_one(gpus, installed):
    for name, value in (('precision_mode', 'force_fp32'), ('profiling', True), ('over_dump', True)):
        settings = NpuSettings(**{name: value})
        for device in ('auto', 'cpu'):
            with pytest.raises(ConfigError, match='need an NPU') as caught:
                open_runtime(device, npu=settings)
            assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'version, flags, obstacle',
    [
        ((1, 15), BFLOAT16, 'TensorFlow 1.15'),
        ((2, 15), BFLOAT16, 'TensorFlow 2.15'),
        ((2, 16), BFLOAT16, None),
        ((2, 21), {'amx_bf16'}, None),
        ((2, 21), {'sse2', 'avx512f'}, 'processor'),
        ((2, 21), set(), 'processor'),
    ],
)
def test_bfloat16_needs_both_the_rewrite_and_the_processor(version, flags, obstacle):
    found = bfloat16_obstacle(version, flags)
    assert found is None if obstacle is None else obstacle in found


def test_mixed_precision_on_a_cpu_without_it_is_refused_and_auto_goes_without(no_bfloat16):
    with pytest.raises(ConfigError, match='it is too old') as caught:
        NativeRuntime('cpu', 'mixed')
    assert "set 'auto' or 'float32'" in of_one_line(caught)
    assert not NativeRuntime('cpu', 'auto').mixed


def test_auto_uses_bfloat16_where_it_is(bfloat16):
    assert NativeRuntime('cpu', 'auto').description == 'CPU, bfloat16'
    assert NativeRuntime('cpu', 'float32').description == 'CPU, float32'


def rewrites_of(config):
    """Return {name: value} of the settings of a tf.ConfigProto's graph rewrites."""
    return {field.name: value for field, value in config.graph_options.rewrite_options.ListFields()}


# TensorFlow 1.15 lacks the last of these optimizers.
ON_CPU = dict(
    {'meta_optimizer_iterations': 1, 'layout_optimizer': 2},
    **{} if VERSION < (2, 0) else {'disable_tfg_optimizer': True},
)


def test_a_cpu_session_hides_gpus_and_keeps_float32():
    config = NativeRuntime('cpu', 'float32', intra_threads=3).session_config()
    assert config.intra_op_parallelism_threads == 3
    assert dict(config.device_count) == {'GPU': 0}
    assert rewrites_of(config) == ON_CPU


@pytest.mark.skipif(VERSION < (2, 16), reason='TensorFlow 1.15 has no bfloat16 rewrite')
def test_a_cpu_session_rewrites_to_bfloat16_when_mixed(bfloat16):
    found = rewrites_of(NativeRuntime('cpu', 'mixed').session_config())
    assert found == dict(ON_CPU, auto_mixed_precision_onednn_bfloat16=1)


@pytest.mark.parametrize('precision, rewrite', [('mixed', 1), ('auto', 0), ('float32', 0)])
def test_a_gpu_session_grows_and_rewrites_to_float16_when_mixed(precision, rewrite):
    config = NativeRuntime('gpu', precision).session_config()
    assert config.gpu_options.allow_growth
    assert rewrites_of(config) == dict(
        {'meta_optimizer_iterations': 1}, **{'auto_mixed_precision': 1} if rewrite else {}
    )


def test_only_float16_scales_the_loss_and_only_a_dynamic_scale_leaves_steps_out(bfloat16):
    with tf.Graph().as_default():
        optimizer = tf.train.GradientDescentOptimizer(0.1)
        for device, precision in (('cpu', 'mixed'), ('cpu', 'float32'), ('gpu', 'float32')):
            runtime = NativeRuntime(device, precision)
            assert runtime.wrap_optimizer(optimizer) is optimizer and not runtime.skips_overflow
        assert NativeRuntime('gpu', 'mixed', loss_scale='none').wrap_optimizer(optimizer) is optimizer
        for loss_scale, skips in ((None, True), (128.0, False)):
            runtime = NativeRuntime('gpu', 'mixed', loss_scale=loss_scale)
            assert 'LossScale' in type(runtime.wrap_optimizer(optimizer)).__name__
            assert runtime.skips_overflow == skips


@pytest.mark.parametrize('version, exists', [((2, 21), True), ((2, 4), True), ((2, 3), False), ((1, 15), False)])
def test_float32_is_never_tensor_float_32_where_tensorflow_has_it(monkeypatch, bfloat16, version, exists):
    calls = []
    monkeypatch.setattr(native, 'VERSION', version)
    monkeypatch.setattr(
        tf.config.experimental, 'enable_tensor_float_32_execution', lambda allowed: calls.append(allowed), raising=False
    )
    for device, precision in (('gpu', 'float32'), ('gpu', 'auto'), ('cpu', 'float32')):
        del calls[:]
        NativeRuntime(device, precision)
        assert calls == ([False] if exists else [])
    del calls[:]
    NativeRuntime('gpu', 'mixed', loss_scale='none')
    assert calls == []


@pytest.mark.skipif(VERSION < (2, 4), reason='TensorFlow 1.15 has no TensorFloat-32')
def test_float32_runtime_turns_tensor_float_32_off_in_tensorflow_itself():
    tf.config.experimental.enable_tensor_float_32_execution(True)
    NativeRuntime('cpu', 'float32')
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


def test_dropout_repeats_with_its_seed_and_keeps_the_expectation():
    rate, shape = 0.3, (100, 200)
    values = np.random.RandomState(0).uniform(1, 2, shape).astype(np.float32)
    runtime = NativeRuntime('cpu', 'float32')
    with tf.Graph().as_default(), tf.Session(config=runtime.session_config()) as session:
        step = tf.placeholder(tf.int64, [])
        dropped = [runtime.dropout(tf.constant(values), rate, step, salt) for salt in (4, 5)]
        first, other_place = session.run(dropped, {step: 3})
        again, other_step = [session.run(dropped[0], {step: number}) for number in (3, 4)]
    assert np.array_equal(first, again)
    for other in (other_place, other_step):
        assert not np.array_equal(first == 0, other == 0)
    # What stays is scaled by the inverse of the chance to stay, so each value's expectation is the value itself.
    kept = first != 0
    assert np.allclose(first[kept], values[kept] / (1 - rate), rtol=1e-6)
    for sample in (first, other_place, other_step):
        share = np.mean(sample == 0)
        assert abs(share - rate) < 5 * np.sqrt(rate * (1 - rate) / values.size)


def test_one_process_is_its_own_chief():
    runtime = open_runtime('cpu', 'float32')
    assert runtime.is_chief and runtime.world_size == 1
    assert runtime.exchange(2.5) == [2.5]
