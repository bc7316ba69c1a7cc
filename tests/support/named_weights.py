"""Random weights that follow from a variable's name and shape alone: the same bits with every NumPy."""

import zlib

import numpy as np


def weights_of(name, shape, seed=0):
    """Return float32 weights of a variable: sixteen odd steps of one size, so that none is zero and files stay small.

    Factors and variances are between 1/2 and 3/2, offsets and means within 1/4 of zero; kernels have a third to all of
    the variance 1 / fan-in, so that maps neither vanish nor grow much from layer to layer.
    """
    # RandomState's stream is frozen; whole numbers and powers of two make the rest exact.
    random = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    steps = 2.0 * np.floor(16 * random.random_sample(shape)) - 15
    if name.endswith(('gamma', 'moving_variance')):
        return (1 + steps / 32).astype(np.float32)
    if len(shape) == 1:
        return (steps / 64).astype(np.float32)
    fan_in = int(np.prod(shape[:3]))
    return (steps * 3 / 32 * 2.0 ** -(fan_in.bit_length() // 2)).astype(np.float32)


def set_weights(session, variables, seed=0):
    """Give variables the weights of their names, and return {name: array}."""
    values = {variable.op.name: weights_of(variable.op.name, variable.shape.as_list(), seed) for variable in variables}
    # One call for all: a call for each would optimise the graph each time.
    session.run(
        [variable.initializer for variable in variables],
        {variable.initializer.inputs[1]: values[variable.op.name] for variable in variables},
    )
    return values
