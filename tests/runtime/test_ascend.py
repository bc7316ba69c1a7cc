"""Training on one simulated Ascend device: it equals the CPU's training, except for overflowing steps."""

import glob
import json
import os
import shutil

import numpy as np
import pytest

import ascend_ranks
from hourglass_pose.errors import ConfigError
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.runtime.selection import open_runtime
from hourglass_pose.tf_compat import tf
from seen_run import Run
from stand_in_device import forget_device, newer_npu, npu, played  # noqa: F401  (two are fixtures)

STEPS = 12
OVERFLOWS = (2, 5, 6)


def train(folder, annotations, *overrides, command='start'):
    """Train a tiny run in this process and return the Run."""
    path = str(folder / 'run')
    assert ascend_ranks.main([command, path, annotations] + list(overrides)) == 0
    return Run(path)


def skip_batches(monkeypatch, left_out):
    """Leave out the batches with these numbers, counted from the start of the generator."""
    original = DataGenerator.training_batches

    def training_batches(self, *position):
        return (batch for number, batch in enumerate(original(self, *position)) if number not in left_out)

    monkeypatch.setattr(DataGenerator, 'training_batches', training_batches)


@pytest.fixture(scope='module')
def cpu_run(tmp_path_factory, synthetic_people):
    return train(tmp_path_factory.mktemp('cpu'), synthetic_people, 'Device.device=cpu')


@pytest.fixture(scope='module')
def cpu_run_without_batches(tmp_path_factory, synthetic_people):
    with pytest.MonkeyPatch.context() as patch:
        skip_batches(patch, OVERFLOWS)
        return train(tmp_path_factory.mktemp('cpu'), synthetic_people, 'Device.device=cpu')


def require_same(ours, theirs, rtol=1e-4):
    """Compare variables that were computed by the same sums, in an order that may differ."""
    shared = sorted(set(ours) & set(theirs) - {'skipped_steps'})
    assert {
        'global_step',
        'model/conv/weights',
        'model/batch_norm/moving_mean',
        'beta1_power',
        'model/conv/weights/AdamW',
        'model/batch_norm/moving_variance/ExponentialMovingAverage',
    } <= set(shared)
    assert set(theirs) <= set(ours)
    for name in shared:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=rtol, atol=1e-6, err_msg=name)


def equal_bits(ours, theirs):
    assert set(ours) == set(theirs)
    return [name for name in ours if not np.array_equal(ours[name], theirs[name])] == []


@pytest.mark.parametrize('loss_scale', ['None', '1024.0', "'none'"])
def test_training_equals_that_of_the_cpu_at_any_loss_scale(newer_npu, tmp_path, synthetic_people, cpu_run, loss_scale):  # noqa: F811
    # Scales are powers of two, so that scaling and unscaling change no bit of a gradient.
    precision = ["Device.precision='auto'", "Device.precision_mode='must_keep_origin_dtype'"]
    run = train(
        tmp_path, synthetic_people, f'Device.loss_scale={loss_scale}', *precision if loss_scale == "'none'" else []
    )
    require_same(run.variables(), cpu_run.variables())
    assert run.persons()[:STEPS] == cpu_run.persons()[:STEPS]
    np.testing.assert_allclose(run.evaluation()['joints_img'], cpu_run.evaluation()['joints_img'], atol=0.05)


def test_overflowing_steps_leave_no_trace_of_their_batches(
    npu, tmp_path, synthetic_people, monkeypatch, cpu_run_without_batches
):  # noqa: F811
    monkeypatch.setenv('HOURGLASS_STAND_IN_OVERFLOW', '|'.join(map(str, OVERFLOWS)))
    run = train(tmp_path, synthetic_people)
    ours = run.variables()
    # Weights, their average, statistics of batch normalisation, moments, the schedule's step: all of it.
    require_same(ours, cpu_run_without_batches.variables())
    assert ours['global_step'] == STEPS and run.manifest()['global_step'] == STEPS
    assert len(run.persons()) >= STEPS + len(OVERFLOWS)
    # Halved by each overflow, from 2**16.
    assert ours['loss_scale'] == 2**13 and ours['skipped_steps'] == 3
    assert {'loss_scale', 'good_steps', 'bad_steps', 'skipped_steps'} <= stored_variables(run)
    assert [int(row['skipped_steps']) for row in run.history()] == [1, 3, 3]


def stored_variables(run):
    reader = tf.train.NewCheckpointReader(os.path.join(run.folder, 'latest', 'hourglass'))
    return set(reader.get_variable_to_shape_map())


def test_stopped_and_resumed_run_repeats_the_uninterrupted_one_bit_for_bit(
    newer_npu, tmp_path, synthetic_people, monkeypatch
):  # noqa: F811
    monkeypatch.setenv('HOURGLASS_STAND_IN_OVERFLOW', '2|5|9')
    whole = train(tmp_path / 'whole', synthetic_people)
    forget_device()
    monkeypatch.setenv('TERMINATE_AFTER', '6')
    stopped = train(tmp_path / 'broken', synthetic_people)
    monkeypatch.delenv('TERMINATE_AFTER')
    step, skipped = [stopped.manifest()[name] for name in ('global_step', 'skipped_steps')]
    assert 0 < step < STEPS and skipped == 2
    forget_device()
    # Readings are counted from the restart on.
    monkeypatch.setenv('HOURGLASS_STAND_IN_OVERFLOW', str(9 - step - skipped))
    resumed = train(tmp_path / 'broken', synthetic_people, command='go_on')
    assert equal_bits(whole.variables(), resumed.variables())
    assert whole.history() == resumed.history()
    assert resumed.variables()['loss_scale'] == 2**13 and resumed.variables()['skipped_steps'] == 3


def test_dropout_is_the_devices_own_and_in_training_alone(npu, tmp_path, synthetic_people):  # noqa: F811
    train(tmp_path, synthetic_people, 'Network.drop_rate=0.5', 'Train.nEpochs=1')
    graphs = npu.entries('graph')
    dropping = [graph['kinds'].get('DropOutDoMask', 0) for graph in graphs if graph['trains']]
    assert dropping == [1]
    assert not any(graph['kinds'].get('DropOutDoMask') for graph in graphs if not graph['trains'])
    assert not any('StatelessRandomUniform' in graph['types'] for graph in graphs)


def test_no_dropout_adds_no_operation(newer_npu, tmp_path, synthetic_people):  # noqa: F811
    train(tmp_path, synthetic_people, 'Network.drop_rate=0', 'Train.nEpochs=1')
    assert not any(graph['kinds'].get('DropOutDoMask') for graph in newer_npu.entries('graph'))


@pytest.fixture(scope='module')
def first_epoch(tmp_path_factory, synthetic_people):
    """Return the folder of a run of one epoch, with which others go on: weights at the start depend on the graph."""
    return train(tmp_path_factory.mktemp('first'), synthetic_people, 'Device.device=cpu', 'Train.nEpochs=1').folder


@pytest.mark.slow
@pytest.mark.parametrize('steps, overflows', [(2, '1-2'), (4, '')])
def test_device_loop_is_the_same_training(npu, tmp_path, synthetic_people, monkeypatch, first_epoch, steps, overflows):  # noqa: F811
    monkeypatch.setenv('HOURGLASS_STAND_IN_OVERFLOW', overflows)
    runs = []
    for name, length in (('single', 1), ('loop', steps)):
        forget_device()
        shutil.copytree(first_epoch, str(tmp_path / name / 'run'), symlinks=True)
        runs.append(train(tmp_path / name, synthetic_people, f'Device.iterations_per_loop={length}', command='go_on'))
    loops = [graph for graph in npu.entries('graph') if graph['trains'] and graph['is_loop']]
    assert len(loops) == 1 and not loops[0]['feeds'] and loops[0]['types']['IteratorGetNext'] == 1
    single, loop = [run.variables() for run in runs]
    assert loop['global_step'] == STEPS and loop['skipped_steps'] == (2 if overflows else 0)
    require_same(loop, single, rtol=1e-5)
    assert [row['epoch'] for row in runs[1].history()] == ['1', '2', '3']
    np.testing.assert_allclose(
        [float(row['train_loss']) for row in runs[1].history()],
        [float(row['train_loss']) for row in runs[0].history()],
        rtol=1e-5,
    )


def test_device_is_started_first_and_shut_down_last_in_few_graphs(npu, tmp_path, synthetic_people):  # noqa: F811
    train(tmp_path, synthetic_people, 'Train.w_summary=True')
    events = [entry['event'] for entry in npu.entries()]
    assert events.index('initialised') < events.index('graph', 2) < events.index('shut down')
    assert events.count('initialised') == events.count('shut down') == 1
    after = events[events.index('shut down') + 1 :]
    assert set(after) <= {'closed'}
    # Initialisation, step, training, evaluation, saving, and what starts and ends the device.
    assert len(npu.entries('graph')) <= 9, [graph['fetches'][:3] for graph in npu.entries('graph')]


def test_session_options_are_those_of_the_config(newer_npu, tmp_path, synthetic_people):  # noqa: F811
    dump, profile = tmp_path / 'dump', tmp_path / 'profile'
    dump.mkdir()
    profile.mkdir()
    train(
        tmp_path,
        synthetic_people,
        'Train.nEpochs=1',
        'Device.precision_mode=allow_mix_precision',
        "Device.precision='auto'",
        'Device.data_dump=True',
        f"Device.dump_path='{dump}'",
        "Device.dump_step='0|2-3'",
        'Device.profiling=True',
        f"Device.profiling_path='{profile}'",
    )
    for session in newer_npu.entries('session'):
        options = session['options']
        assert options['precision_mode'] == 'allow_mix_precision' and options['use_off_line'] is True
        assert options['enable_dump'] is True and not options.get('enable_dump_debug', False)
        assert options['dump_path'] == str(dump) and options['dump_step'] == '0|2-3'
        assert options['profiling_mode'] is True
        assert json.loads(options['profiling_options'])['output'] == str(profile)


def test_keys_of_the_newer_adapter_are_refused_on_the_older_in_one_line(tmp_path, synthetic_people, monkeypatch):
    mixlist = tmp_path / 'mixlist.json'
    mixlist.write_text('{"black-list": {"to-add": ["Softmax"]}}')
    for state in ('A21', 'A23'):
        with played(state, monkeypatch, tmp_path) as journal:
            arguments = [
                'start',
                str(tmp_path / state / 'run'),
                synthetic_people,
                'Train.nEpochs=1',
                "Device.precision='auto'",
                f"Device.modify_mixlist='{mixlist}'",
                "Device.jit_compile='false'",
            ]
            code = ascend_ranks.main(arguments)
            options = [session['options'] for session in journal.entries('session')]
            if state == 'A21':
                assert code == 2 and not options
            else:
                assert code == 0 and all(
                    found['modify_mixlist'] == str(mixlist) and found['jit_compile'] == 'false' for found in options
                )


def test_missing_adapter_is_one_line(tmp_path, synthetic_people, monkeypatch):
    forget_device()
    with pytest.raises(ConfigError) as caught:
        open_runtime('npu')
    message = str(caught.value)
    assert 'npu_bridge' in message and '\n' not in message


def test_checkpoint_of_the_device_resumes_on_the_cpu_and_back(newer_npu, tmp_path, synthetic_people):  # noqa: F811
    folder = tmp_path / 'both'
    train(folder, synthetic_people, 'Train.nEpochs=1')
    run = train(folder, synthetic_people, 'Train.nEpochs=2', 'Device.device=cpu', command='go_on')
    assert run.manifest()['global_step'] == 8
    forget_device()
    run = train(folder, synthetic_people, 'Train.nEpochs=3', command='go_on')
    assert run.manifest()['global_step'] == STEPS
    assert glob.glob(os.path.join(run.folder, 'step-*12'))
    shutil.rmtree(run.folder)
