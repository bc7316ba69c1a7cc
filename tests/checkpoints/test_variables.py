"""Variables come back from a checkpoint as they were, and what does not fit is named."""

import os
import signal

import numpy as np
import pytest

from graph_values import graph_values
from hourglass_pose.checkpoints.folder import CheckpointFolder
from hourglass_pose.checkpoints.stored import StoredNetwork, check_hyperparameters
from hourglass_pose.checkpoints.variables import VariableSaver, constants_of
from hourglass_pose.errors import CheckpointError
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.storage import Storage, declared_variables
from hourglass_pose.tf_compat import reason_of, tf
from hourglass_pose.training.weight_average import WeightAverage
from one_layer_model import OneLayerModel

HYPERPARAMETERS = make_hyperparameters(
    num_stacks=1, num_features=8, num_poolings=1, num_joints=3, input_size=8, stem_features=(4, 4)
)


def set_values(session, variables, values):
    session.run(
        [v.initializer for v in variables], {v.initializer.inputs[1]: value for v, value in zip(variables, values)}
    )


def save(tmp_path, make_variables, rng):
    """Save a graph's variables with random values; return (folder, {name: value})."""
    with tf.Graph().as_default(), tf.Session() as session:
        make_variables()
        variables = tf.global_variables()
        values = [rng.normal(size=variable.shape.as_list()) for variable in variables]
        set_values(session, variables, values)
        saver = VariableSaver('net')
        folder = CheckpointFolder(str(tmp_path)).write(
            1, {'hyperparameters': HYPERPARAMETERS.as_dict()}, lambda folder: saver.save(session, folder)
        )
        return folder, dict(zip([variable.op.name for variable in variables], session.run(variables)))


def two_variables(second_shape=(3,)):
    tf.get_variable('a', (2, 2))
    tf.get_variable('b', second_shape)


def test_every_variable_comes_back_bit_for_bit(tmp_path, rng):
    folder, values = save(tmp_path, two_variables, rng)
    assert sorted(name.split('.')[0] for name in os.listdir(folder)) == ['manifest', 'net', 'net']
    with tf.Graph().as_default(), tf.Session() as session:
        two_variables()
        VariableSaver('another_name').restore(session, folder)
        for variable in tf.global_variables():
            assert np.array_equal(session.run(variable), values[variable.op.name])


def test_missing_and_reshaped_variables_are_named(tmp_path, rng):
    folder, _ = save(tmp_path, two_variables, rng)
    with tf.Graph().as_default(), tf.Session() as session:
        two_variables((5,))
        tf.get_variable('c', (1,))
        with pytest.raises(CheckpointError) as caught:
            VariableSaver('net').restore(session, folder)
    assert str(caught.value) == (
        f'{folder}: the checkpoint does not fit: 1 variables are not in it, the first: c; 1 have another shape '
        '(checkpoint / wanted), the first: b: [3] / [5]'
    )


def test_variables_that_the_graph_does_not_know_are_no_obstacle(tmp_path, rng):
    folder, values = save(tmp_path, two_variables, rng)
    with tf.Graph().as_default(), tf.Session() as session:
        a = tf.get_variable('a', (2, 2))
        VariableSaver('net').restore(session, folder)
        assert np.array_equal(session.run(a), values['a'])


@pytest.mark.parametrize('averaged', [False, True])
def test_network_is_loaded_with_its_averages_where_there_are_any(tmp_path, rng, averaged):
    def network():
        storage = Storage(declared_variables(OneLayerModel()), joins=False)
        if averaged:
            WeightAverage(storage.groups, 0.9)

    folder, values = save(tmp_path, network, rng)
    ending = '/ExponentialMovingAverage' if averaged else ''
    with tf.Graph().as_default(), tf.Session() as session:
        getter = constants_of(StoredNetwork(folder, os.path.join(folder, 'net'), HYPERPARAMETERS, {}))
        for name, shape in Storage(declared_variables(OneLayerModel()), joins=True).shapes.items():
            constant = getter(None, name, shape)
            assert np.array_equal(session.run(constant), values[name + ending])


def randomised(rng, joins):
    """Return (session, saver) of a graph with the network of one layer and its averages at random values."""
    session = tf.Session()
    storage = Storage(declared_variables(OneLayerModel()), joins)
    average = WeightAverage(storage.groups, 0.9)
    saver = VariableSaver('net', storage.shapes)
    session.run(tf.global_variables_initializer())
    saver.set(session, {name: rng.normal(size=shape) for name, shape in storage.shapes.items()})
    session.run(average.reset())
    return session, saver


@pytest.mark.parametrize('joins', [False, True])
def test_checkpoints_of_joined_and_of_separate_variables_are_the_same(tmp_path, rng, joins):
    with tf.Graph().as_default():
        session, saver = randomised(rng, joins)
        with session:
            saved = graph_values(session)
            folder = CheckpointFolder(str(tmp_path)).write(1, {}, lambda folder: saver.save(session, folder))
    with tf.Graph().as_default():
        session, saver = randomised(rng, not joins)
        with session:
            assert saver.restore(session, folder).is_complete
            found = graph_values(session)
    assert set(found) == set(saved) and len(found) == 12
    assert all(np.array_equal(found[name], saved[name]) for name in found)


def test_parts_of_a_joined_vector_that_a_checkpoint_lacks_stay_unchanged(tmp_path, rng):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable('model/conv/weights', initializer=np.ones((1, 1, 3, 3), np.float32))
        session.run(tf.global_variables_initializer())
        saver = VariableSaver('net')
        folder = CheckpointFolder(str(tmp_path)).write(1, {}, lambda folder: saver.save(session, folder))
    with tf.Graph().as_default():
        session, _ = randomised(rng, joins=True)
        with session:
            before = graph_values(session)
            restored = VariableSaver('net', {}).restore(session, folder)
            after = graph_values(session)
    assert restored.restored == ('model/conv/weights',) and len(restored.fresh) == 11
    assert [name for name in after if not np.array_equal(before[name], after[name])] == ['model/conv/weights']
    assert (after['model/conv/weights'] == 1).all()


def test_checkpoint_of_another_network_names_the_differing_hyperparameters(tmp_path, rng):
    folder, _ = save(tmp_path, two_variables, rng)
    check_hyperparameters(folder, HYPERPARAMETERS)
    other = make_hyperparameters(**dict(HYPERPARAMETERS.as_dict(), num_stacks=4, num_features=16))
    with pytest.raises(CheckpointError) as caught:
        check_hyperparameters(folder, other)
    assert 'another network (checkpoint / config): nStack: 1 / 4, nFeat: 8 / 16;' in str(caught.value)


def test_folder_that_cannot_be_written_is_an_os_error(tmp_path):
    (tmp_path / 'file').write_bytes(b'')
    with tf.Graph().as_default(), tf.Session() as session:
        two_variables()
        session.run(tf.global_variables_initializer())
        with pytest.raises(OSError):
            VariableSaver('net').save(session, str(tmp_path / 'file'))


def test_checkpoint_without_an_index_is_refused(tmp_path):
    folder = CheckpointFolder(str(tmp_path)).write(1, {}, lambda folder: None)
    with tf.Graph().as_default(), tf.Session() as session:
        two_variables()
        with pytest.raises(CheckpointError, match='lists no .index file'):
            VariableSaver('net').restore(session, folder)


@pytest.mark.parametrize(
    'text, reason',
    [
        (
            "Graph execution error:\n\nDetected at node 'save/SaveV2' defined at (most recent call last):\n"
            '    File "a.py", line 7, in <module>\nNode: \'save/SaveV2\'\n/run/x.tempstate1; File too large\n'
            '\t [[{{node save/SaveV2}}]]',
            '/run/x.tempstate1; File too large',
        ),
        (
            "Graph execution error:\n\nDetected at node 'a' defined at:\nNode: 'a'\nDetected at node 'b' defined at:\n"
            "Node: 'b'\n2 root error(s) found.\n  (0) RESOURCE_EXHAUSTED: OOM when allocating\n\t [[{{node a}}]]",
            '(0) RESOURCE_EXHAUSTED: OOM when allocating',
        ),
        (
            'x.index; No space left on device\n\t [[node save/SaveV2 (defined at b.py:3) ]]',
            'x.index; No space left on device',
        ),
        ('', 'ValueError'),
    ],
)
def test_reason_of_an_error_of_tensorflow_is_its_line_with_the_cause(text, reason):
    assert reason_of(ValueError(text)) == reason


def test_disk_that_takes_no_more_is_named_as_the_reason(tmp_path):
    resource = pytest.importorskip('resource')
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with tf.Graph().as_default(), tf.Session() as session:
            tf.get_variable('a', (100, 100))
            session.run(tf.global_variables_initializer())
            saver = VariableSaver('net')
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
            with pytest.raises(OSError, match='File too large') as caught:
                saver.save(session, str(tmp_path))
            assert '\n' not in str(caught.value) and 'Graph execution' not in str(caught.value)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
