"""The stand-in for an Ascend device: it computes what the device would, and refuses what would not do there."""

import json

import numpy as np
import pytest

from hourglass_pose.tf_compat import tf
from stand_in_device import config_of, dynamic, module, newer_npu, npu  # noqa: F401  (two are fixtures)


def refusal():
    """Return the exception class of the stand-in that is played."""
    module('npu_bridge')
    return module('stand_in').StandInError


class Descent:
    """One weight w that starts at 1, and steps w <- w - 0.5 w by the loss w**2 / 4; in a session on the device."""

    def __init__(self, manager=None, feed=False, **options):
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.weight = tf.get_variable('w', [], tf.float32, tf.ones_initializer())
            self.step = tf.train.get_or_create_global_step()
            optimizer = tf.train.GradientDescentOptimizer(1.0)
            scales = module('npu_bridge.estimator.npu.npu_loss_scale_optimizer')
            self.manager = (
                manager()
                if manager
                else module('npu_bridge.estimator.npu.npu_loss_scale_manager').FixedLossScaleManager(4.0)
            )
            wrapped = scales.NPULossScaleOptimizer(optimizer, self.manager)
            pairs = wrapped.compute_gradients(self.weight**2 / 4)
            self.gradient = pairs[0][0]
            self.train = wrapped.apply_gradients(pairs, self.step)
            self.session = tf.Session(config=config_of(**options))
            self.session.run(tf.global_variables_initializer())

    def steps(self, count):
        """Run so many steps; return [(w, global step, loss scale)] after each."""
        state = [self.weight, self.step, self.manager.get_loss_scale()]
        found = []
        for _ in range(count):
            self.session.run(self.train)
            found.append(tuple(self.session.run(state)))
        return found


def test_gradients_are_unscaled_and_an_overflow_leaves_out_the_step(npu, monkeypatch):  # noqa: F811
    monkeypatch.setenv('HOURGLASS_STAND_IN_OVERFLOW', '1|3-4')
    descent = Descent(dynamic())
    assert descent.session.run(descent.gradient) == 0.5
    assert descent.steps(8) == [
        (0.5, 1, 8),
        (0.5, 1, 4),
        (0.25, 2, 4),
        (0.25, 2, 2),
        (0.25, 2, 1),
        (0.125, 3, 1),
        (0.0625, 4, 1),
        (0.03125, 5, 2),
    ]


def test_scale_falls_only_after_the_configured_number_of_overflows(npu, monkeypatch):  # noqa: F811
    monkeypatch.setenv('HOURGLASS_STAND_IN_OVERFLOW', '0|2|4')
    descent = Descent(dynamic(decr_every_n_nan_or_inf=2))
    assert [scale for _, _, scale in descent.steps(6)] == [8, 8, 4, 4, 4, 4]


def test_infinite_gradients_are_found_where_arithmetic_has_them(newer_npu, monkeypatch):  # noqa: F811
    monkeypatch.setenv('HOURGLASS_STAND_IN_INF_NAN', '1')
    monkeypatch.setenv('HOURGLASS_STAND_IN_OVERFLOW', '0')
    descent = Descent(dynamic())
    assert descent.steps(1) == [(0.5, 1, 8)]
    descent.session.run(descent.weight.initializer, {descent.weight.initializer.inputs[1]: np.inf})
    assert descent.steps(1) == [(np.inf, 1, 4)]


def test_dropout_keeps_the_share_and_the_expectation(npu):  # noqa: F811
    with tf.Graph().as_default():
        dropped = module('npu_bridge.estimator.npu_ops').dropout(tf.ones([100, 100]), 0.75)
        values = tf.Session(config=config_of()).run(dropped)
    # Five standard deviations of a share of 10,000 draws.
    assert set(np.unique(values)) == {0, np.float32(1 / 0.75)} and abs(np.mean(values == 0) - 0.25) < 0.022


def test_a_loop_is_as_many_steps_on_as_many_batches(npu):  # noqa: F811
    util = module('npu_bridge.estimator.npu.util')
    with tf.Graph().as_default():
        iterator = tf.data.make_initializable_iterator(tf.data.Dataset.range(100))
        total = tf.get_variable('total', [], tf.int64, tf.zeros_initializer())
        number = iterator.get_next()
        added = tf.group(tf.assign_add(total, number))
        session = tf.Session(config=config_of(iterations_per_loop=4, enable_data_pre_proc=True))
        session.run([tf.global_variables_initializer(), iterator.initializer])
        loop = util.set_iteration_per_loop(session, added, 4)
        assert session.run([loop, number])[1] == 3
        assert session.run([loop, number])[1] == 7
        assert session.run(total) == sum(range(8))


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(percision_mode='force_fp32'), 'does not read'),
        (dict(iterations_per_loop='1'), 'read as .i'),
        (dict(use_off_line=1), 'read as .b'),
        (dict(precision_mode='fp16'), 'unknown'),
        (dict(iterations_per_loop=2), 'enable_data_pre_proc'),
        (dict(iterations_per_loop=2, enable_data_pre_proc=True, mix_compile_mode=True), 'mix_compile_mode'),
        (dict(enable_dump=True, enable_dump_debug=True, dump_path='.'), 'exclude'),
        (dict(enable_dump=True, dump_path='/nowhere'), 'not a folder'),
        (dict(dump_step='1-'), 'dump_step'),
        (dict(profiling_mode=True, profiling_options='output=/tmp'), 'JSON'),
        (dict(use_off_line=False), 'use_off_line'),
    ],
)
def test_options_that_would_be_ignored_or_contradict_each_other_are_refused(npu, options, message):  # noqa: F811
    with pytest.raises(refusal(), match=message):
        tf.Session(config=config_of(**options))


def test_options_of_the_newer_state_are_refused_by_the_older_and_checked(npu, tmp_path, monkeypatch):  # noqa: F811
    mixlist = tmp_path / 'mixlist.json'
    mixlist.write_text('{}')
    good = dict(precision_mode='allow_mix_precision', modify_mixlist=str(mixlist), jit_compile='false')
    error = refusal()
    if module('stand_in').state() == 'A21':
        with pytest.raises(error, match='A21 does not read'):
            tf.Session(config=config_of(**good))
    else:
        tf.Session(config=config_of(**good)).close()
        for wrong, message in (
            (dict(good, jit_compile=True), 'read as .s'),
            (dict(good, precision_mode='force_fp32'), 'needs a mixed'),
            (dict(good, precision_mode_v2='mixed_float16'), 'exclude'),
        ):
            with pytest.raises(error, match=message):
                tf.Session(config=config_of(**wrong))


def test_a_session_that_lets_grappler_rewrite_is_refused(npu):  # noqa: F811
    error = refusal()
    for name in ('remapping', 'memory_optimization'):
        config = config_of()
        setattr(config.graph_options.rewrite_options, name, 0)
        with pytest.raises(error, match=name):
            tf.Session(config=config)


def python_function():
    return tf.py_func(lambda: np.float32(1), [], tf.float32)


def unknown_rows():
    return tf.placeholder_with_default(np.ones([2, 2], np.float32), [None, 2]) * 2.0


def one_shot():
    return tf.data.make_one_shot_iterator(tf.data.Dataset.from_tensors(1.0)).get_next()


def initializable():
    return tf.data.make_initializable_iterator(tf.data.Dataset.from_tensors(1.0)).get_next()


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: tf.summary.scalar('a', 1.0), 'summary operation'),
        (python_function, 'runs on the host'),
        (lambda: tf.io.decode_png(tf.constant(b'')), 'runs on the host'),
        (unknown_rows, 'not static'),
        (lambda: tf.as_string(tf.constant(1)), 'runs on the host'),
        (one_shot, 'one-shot'),
        (initializable, 'enable_data_pre_proc'),
    ],
)
def test_what_cannot_be_on_the_device_is_refused_before_it_runs(npu, make, message):  # noqa: F811
    error = refusal()
    with tf.Graph().as_default():
        fetch, session = make(), tf.Session(config=config_of())
        with pytest.raises(error, match=message):
            session.run(fetch)


def test_too_many_sets_of_fetches_and_feeds_are_refused(npu, monkeypatch):  # noqa: F811
    monkeypatch.setenv('HOURGLASS_STAND_IN_GRAPHS', '3')
    error = refusal()
    with tf.Graph().as_default(), tf.Session(config=config_of()) as session:
        numbers = [tf.constant(float(i)) for i in range(4)]
        for fetch in numbers[:3] + numbers[:3] + [[numbers[0], numbers[0]]]:
            session.run(fetch)
        with pytest.raises(error, match='more than 3 sets'):
            session.run(numbers[3])


@pytest.mark.parametrize('use', ['tensor', 'feed', 'no batches', 'twice', 'other length'])
def test_loops_that_would_not_loop_are_refused(npu, use):  # noqa: F811
    error, util = refusal(), module('npu_bridge.estimator.npu.util')
    with tf.Graph().as_default():
        iterator = tf.data.make_initializable_iterator(tf.data.Dataset.range(100))
        fed = tf.placeholder_with_default(np.int64(0), [])
        total = tf.get_variable('total', [], tf.int64, tf.zeros_initializer())
        added = tf.assign_add(total, fed if use == 'no batches' else iterator.get_next() + fed)
        session = tf.Session(config=config_of(iterations_per_loop=4, enable_data_pre_proc=True))
        session.run([tf.global_variables_initializer(), iterator.initializer])
        with pytest.raises(error):
            loop = util.set_iteration_per_loop(
                session, added if use == 'tensor' else added.op, 3 if use == 'other length' else 4
            )
            if use == 'twice':
                util.set_iteration_per_loop(session, added.op, 4)
            session.run(loop, {fed: 1} if use == 'feed' else None)


def test_ranks_are_known_between_start_and_end_only(npu):  # noqa: F811
    error, ops, ranks = refusal(), module('npu_bridge.estimator.npu_ops'), module('hccl.manage.api')
    with pytest.raises(error, match='initialize_system'):
        ranks.get_rank_id()
    with tf.Graph().as_default():
        start, stop = ops.initialize_system(), ops.shutdown_system()
        with tf.Session() as session, pytest.raises(error, match='without NpuOptimizer'):
            session.run(start)
        session = tf.Session(config=config_of())
        session.run(start)
        assert (ranks.get_rank_id(), ranks.get_rank_size()) == (0, 1)
        session.run(stop)
        session.close()
    with pytest.raises(error, match='initialize_system'):
        ranks.get_rank_size()
    assert [entry['event'] for entry in npu.entries() if entry['event'] not in ('session', 'graph')] == [
        'initialised',
        'asked for the rank',
        'shut down',
    ]


def test_ranks_are_forgotten_with_the_session_that_started_them(npu):  # noqa: F811
    error, ranks = refusal(), module('hccl.manage.api')
    with tf.Graph().as_default(), tf.Session(config=config_of()) as session:
        session.run(module('npu_bridge.estimator.npu_ops').initialize_system())
    with pytest.raises(error, match='after its session was closed'):
        ranks.get_rank_id()
    assert npu.entries('closed')[0]['shut_down'] is False


def test_several_ranks_have_to_agree_about_gradients_and_overflows(npu, monkeypatch):  # noqa: F811
    error, manager = refusal(), dynamic()
    scales = module('npu_bridge.estimator.npu.npu_loss_scale_optimizer')
    average = module('npu_bridge.estimator.npu.npu_optimizer').NPUDistributedOptimizer
    with tf.Graph().as_default():
        with pytest.raises(error, match='no one to agree'):
            scales.NPULossScaleOptimizer(tf.train.GradientDescentOptimizer(1.0), manager(), is_distributed=True)
        monkeypatch.setenv('RANK_SIZE', '2')
        plain = tf.train.GradientDescentOptimizer(1.0)
        for optimizer, distributed, message in ((average(plain), False, 'drift apart'), (plain, True, 'average')):
            with pytest.raises(error, match=message):
                scales.NPULossScaleOptimizer(optimizer, manager(), is_distributed=distributed)
        with pytest.raises(error, match='outside'):
            average(scales.NPULossScaleOptimizer(average(plain), manager(), is_distributed=True))


def test_names_of_the_other_state_are_missing_and_unknown_ones_are_refused(npu):  # noqa: F811
    error, optimizers = refusal(), module('npu_bridge.estimator.npu.npu_optimizer')
    is_newer = module('stand_in').state() == 'A23'
    assert hasattr(optimizers, 'npu_distributed_optimizer_wrapper') == is_newer
    assert hasattr(module('npu_bridge.estimator.npu.npu_plugin'), 'is_inf_nan_enabled') == is_newer
    with pytest.raises(error, match='does not know this name'):
        optimizers.NPUOptimiser
    with pytest.raises(error, match='import the submodules'):
        module('npu_bridge.npu_init')


@pytest.mark.parametrize(
    'change',
    [
        {},
        {'status': 'initializing'},
        {'server_count': '2'},
        {'version': None},
        {'ranks': ['0', '0']},
        {'ranks': ['0']},
        {'ranks': [0, 1]},
        {'device_ip': ''},
    ],
)
def test_a_rank_table_is_read_as_the_device_would(newer_npu, tmp_path, monkeypatch, change):  # noqa: F811
    error, ranks = refusal(), module('hccl.manage.api')
    device = [
        {'device_id': '0', 'device_ip': change.get('device_ip', '192.168.100.1'), 'rank_id': rank}
        for rank in change.get('ranks', ['0', '1'])
    ]
    table = {
        'status': 'completed',
        'version': '1.0',
        'server_count': '1',
        'server_list': [{'server_id': '127.0.0.1', 'device': device}],
    }
    table.update({key: value for key, value in change.items() if key in table})
    path = tmp_path / 'table.json'
    path.write_text(json.dumps(table))
    monkeypatch.setattr(module('stand_in').device, 'is_up', True)
    monkeypatch.setenv('RANK_SIZE', '2')
    with pytest.raises(error, match='RANK_TABLE_FILE or'):
        ranks.get_rank_id()
    monkeypatch.setenv('RANK_TABLE_FILE', str(path))
    if change:
        with pytest.raises(error, match='the table says'):
            ranks.get_rank_id()
    else:
        assert (ranks.get_rank_id(), ranks.get_rank_size()) == (0, 2)
