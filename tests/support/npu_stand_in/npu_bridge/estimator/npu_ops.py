"""Start and end of the device, and its dropout."""

import numbers
import os

import tensorflow.compat.v1 as tf
from stand_in import StandInError, device, gate, journal, size
from stand_in.graphs import mark
from stand_in.star import Star

__getattr__ = gate('npu_ops', ('initialize_system', 'shutdown_system', 'dropout'))


def initialize_system(name=None):
    """Return the operation that brings the device up and meets the other ranks."""

    def start():
        if device.was_shut_down:
            raise StandInError('initialize_system after shutdown_system')
        if size() > 1 and device.star is None:
            if not os.environ.get('JOB_ID'):
                raise StandInError('several ranks, but JOB_ID is not set')
            device.star = Star()
        device.is_up = device.was_up = True
        journal('initialised')

    return system_operation(start, 'NPUInit', name)


def shutdown_system(name=None):
    """Return the operation that takes the device down."""

    def stop():
        if not device.is_up:
            raise StandInError('shutdown_system, but the device is not up')
        device.is_up, device.was_shut_down = False, True
        journal('shut down', readings=device.readings)

    return system_operation(stop, 'NPUShutdown', name)


def system_operation(function, kind, name):
    def run():
        function()
        return ()

    made = tf.py_func(run, [], [], stateful=True, name=name or kind)
    operation = made if isinstance(made, tf.Operation) else tf.get_default_graph().get_operations()[-1]
    return mark(operation, kind)


def dropout(x, keep_prob, noise_shape=None, seed=None, name=None):
    """Return x with a share 1 - keep_prob of its values zeroed and the rest divided by keep_prob."""
    x = tf.convert_to_tensor(x)
    if x.dtype.base_dtype not in (tf.float32, tf.float16):
        raise StandInError(f'dropout of {x.dtype}')
    if noise_shape is not None or not x.shape.is_fully_defined():
        raise StandInError(f'dropout: the stand-in knows static shapes alone, found {x.shape}')
    if not isinstance(keep_prob, numbers.Real) or not 0 < keep_prob <= 1:
        raise StandInError(f'dropout: keep_prob has to be a number above 0 and at most 1, found {keep_prob!r}')
    if keep_prob == 1:
        raise StandInError('dropout with keep_prob 1 should add no operation')
    with tf.name_scope(name or 'npu_dropout'):
        kept = tf.random.uniform(x.shape, seed=seed, dtype=x.dtype) < keep_prob
        y = tf.where(kept, x / keep_prob, tf.zeros_like(x))
    mark(y.op, 'DropOutDoMask')
    return y
