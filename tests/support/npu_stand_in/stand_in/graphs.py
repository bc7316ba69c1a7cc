"""Which operations a run executes, and what about them a device would not accept."""

import re

import tensorflow.compat.v1 as tf

HOST_ONLY = re.compile(
    r'^(EagerPyFunc|PyFunc|PyFuncStateless|Decode\w+|Encode\w+|ReadFile|WriteFile|MatchingFiles|AsString|String\w*|'
    r'Regex\w+|Substr|Print|PrintV2|ParseExample\w*|ParseSingle\w+|\w*HashTable\w*|LookupTable\w*)$'
)
KINDS = 'npu_stand_in_kinds'


def mark(operation, kind):
    """Note that an operation stands for one of the device's, and return it."""
    operation.graph.add_to_collection(KINDS, (operation, kind))
    return operation


def executed(fetches, feeds):
    """Return the set of operations that a run of fetches (tensors, operations) executes when tensors are fed."""
    fed, found = {feed.name for feed in feeds}, set()
    waiting = [fetch for fetch in fetches if getattr(fetch, 'name', None) not in fed]
    while waiting:
        item = waiting.pop()
        operation = item.op if isinstance(item, tf.Tensor) else item
        if operation not in found:
            found.add(operation)
            waiting.extend(operation.control_inputs)
            waiting.extend(tensor for tensor in operation.inputs if tensor.name not in fed)
    return found


class RunGraph:
    """What one set of fetches and feeds executes.

    kinds: counts of the device's own operations, such as {'HcomAllReduce': 1}; types: of TensorFlow's.
    """

    def __init__(self, graph, fetches, feeds):
        self.operations = executed(fetches, feeds)
        self.feeds = feeds
        own = dict(graph.get_collection(KINDS))
        self.kinds, self.types = {}, {}
        for operation in self.operations:
            table, name = (self.kinds, own[operation]) if operation in own else (self.types, operation.type)
            table[name] = table.get(name, 0) + 1
        self.own = own
        self.is_loop = any(operation.name == 'IterationOp' for operation in self.operations)
        self.restores = any(name.startswith('Restore') for name in self.types)
        self.saves = any(name.startswith('Save') for name in self.types)
        self.initialises = any(
            isinstance(fetch, tf.Operation) and fetch.type == 'NoOp' and fetch.name[:4] == 'init' for fetch in fetches
        )
        self.trains = 'NpuGetFloatStatus' in self.kinds or any(
            re.match('^(Resource)?Apply', name) for name in self.types
        )

    def obstacles(self, options):
        """Yield why a device with these session options would not run it as meant."""
        for operation in sorted(self.operations, key=lambda operation: operation.name):
            if operation not in self.own:
                yield from self._obstacles_of(operation)
        for feed in self.feeds:
            if not feed.shape.is_fully_defined():
                yield f'the shape of {feed.name}, which is fed, is not static: {feed.shape}'
        loop = options.get('iterations_per_loop', 1)
        if 'OneShotIterator' in self.types:
            yield 'a one-shot iterator; take make_initializable_iterator'
        if 'IteratorGetNext' in self.types and not options.get('enable_data_pre_proc'):
            yield 'IteratorGetNext without enable_data_pre_proc'
        if loop > 1 and self.trains and not self.is_loop:
            yield f'training without IterationOp, although iterations_per_loop is {loop}'
        if self.is_loop and 'IteratorGetNext' not in self.types:
            yield 'IterationOp without IteratorGetNext: each of its steps would see the same batch'
        if self.is_loop and self.feeds:
            yield f'IterationOp with feeds: {", ".join(feed.name for feed in self.feeds)}'

    def _obstacles_of(self, operation):
        if re.match(r'.*Summary(V2)?$', operation.type):
            yield f'the summary operation {operation.name}: its value does not come back to the host'
        elif HOST_ONLY.match(operation.type):
            yield f'{operation.name} ({operation.type}) runs on the host alone'
        if self.saves or self.restores or 'Iterator' in operation.type or 'Dataset' in operation.type:
            return
        for output in operation.outputs:
            kind = output.dtype.base_dtype
            if kind == tf.string and operation.type != 'Const':
                yield f'{output.name} is text'
            # Reductions over axes that follow from static shapes are folded before the device sees them, and the
            # reserve space of batch normalisation belongs to other devices.
            is_harmless = operation.type.startswith('FusedBatchNorm') or any(
                tensor.op.type == 'BroadcastGradientArgs' for tensor in operation.inputs
            )
            if kind.is_floating and not output.shape.is_fully_defined() and not is_harmless:
                yield f'the shape of {output.name} ({operation.type}) is not static: {output.shape}'
