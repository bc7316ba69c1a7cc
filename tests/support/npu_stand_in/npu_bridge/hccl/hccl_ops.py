"""Collectives between the ranks."""

import numpy as np
import tensorflow.compat.v1 as tf
from stand_in import StandInError, device, gate, size, state
from stand_in.graphs import mark
from stand_in.star import REDUCTIONS

__getattr__ = gate('hccl_ops', ('allreduce', 'allgather', 'broadcast'))

REDUCED_TYPES = ('int8', 'int16', 'int32', 'float16', 'float32')
MOVED_TYPES = REDUCED_TYPES + ('int64', 'uint64')
LAST_BROADCAST = 'npu_stand_in_last_broadcast'


def allreduce(tensor, reduction, fusion=1, fusion_id=-1, group='hccl_world_group'):
    """Return the tensor reduced over the ranks."""
    (tensor,) = checked([tf.convert_to_tensor(tensor)], REDUCED_TYPES, group)
    if reduction not in REDUCTIONS or fusion not in (0, 1, 2):
        raise StandInError(f'allreduce: reduction {reduction!r}, fusion {fusion!r}')
    return collective('HcomAllReduce', [tensor], reduction)[0]


def allreduce_together(tensors):
    """Return the sums over the ranks of float32 tensors, by one exchange, as the device fuses them."""
    return collective('HcomAllReduce', checked(tensors, ('float32',), 'hccl_world_group'), 'sum')


def allgather(tensor, rank_size, group='hccl_world_group', **fusion):
    """Return the tensors of all ranks behind each other along the first axis."""
    (tensor,) = checked([tf.convert_to_tensor(tensor)], MOVED_TYPES, group)
    if fusion and (state() == 'A21' or set(fusion) - {'fusion', 'fusion_id'}):
        raise StandInError(f'allgather: unknown arguments {sorted(fusion)}')
    if rank_size != size() or tensor.shape.ndims == 0:
        raise StandInError(f'allgather: rank_size {rank_size!r} of {size()}, shape {tensor.shape}')
    return collective('HcomAllGather', [tensor], 'gather')[0]


def broadcast(tensor, root_rank, fusion=2, fusion_id=0, group='hccl_world_group'):
    """Return the root's values of a list of tensors, as a list."""
    if not isinstance(tensor, (list, tuple)):
        raise StandInError(f'broadcast: expected a list of tensors, found {tensor!r}')
    if not 0 <= root_rank < size() or fusion not in (0, 2):
        raise StandInError(f'broadcast: root_rank {root_rank!r}, fusion {fusion!r}')
    tensors = checked([tf.convert_to_tensor(item) for item in tensor], MOVED_TYPES, group)
    # One after the other in the order of their creation, so that few threads suffice for any number of them.
    last = tf.get_default_graph().get_collection_ref(LAST_BROADCAST)
    with tf.control_dependencies(last[-1:]):
        outputs = collective('HcomBroadcast', tensors, 'root', root_rank)
    last.append(outputs[0].op)
    return outputs


def checked(tensors, types, group):
    for tensor in tensors:
        if tensor.dtype.base_dtype.name not in types:
            raise StandInError(f'{tensor.name}: HCCL moves {", ".join(types)}, not {tensor.dtype.name}')
        if not tensor.shape.is_fully_defined():
            raise StandInError(f'{tensor.name}: the shape has to be static, found {tensor.shape}')
    if group != 'hccl_world_group':
        raise StandInError(f'group: the stand-in knows the world alone, found {group!r}')
    return tensors


def collective(kind, tensors, reduction, root=0):
    """Return the outputs of an exchange: like the tensors, but size() times as long for a gathering."""
    names = [tensor.name for tensor in tensors]
    factor = size() if reduction == 'gather' else 1
    dtypes = [tensor.dtype.base_dtype for tensor in tensors]

    def exchange(*arrays):
        if not device.is_up:
            raise StandInError(f'{kind} of {names[0]}, but the device is not up')
        data = b''.join(np.ascontiguousarray(array).tobytes() for array in arrays)
        if device.star is not None:
            data = device.star.exchange(f'{kind} {names[0]}', reduction, data, arrays[0].dtype, root)
        outputs, start = [], 0
        for array in arrays:
            end = start + array.nbytes * factor
            shape = (array.shape[0] * factor,) + array.shape[1:] if reduction == 'gather' else array.shape
            outputs.append(np.frombuffer(data[start:end], array.dtype).reshape(shape))
            start = end
        return outputs

    outputs = tf.py_func(exchange, tensors, dtypes, stateful=True, name=kind)
    mark(outputs[0].op, kind)
    for tensor, output in zip(tensors, outputs):
        shape = tensor.shape.as_list()
        output.set_shape([shape[0] * factor] + shape[1:] if reduction == 'gather' else shape)
    return outputs
