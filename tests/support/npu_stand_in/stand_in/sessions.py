"""Sessions that check what is run on the device, and repeat a run as the device's loop would."""

import os

import tensorflow.compat.v1 as tf
from tensorflow.python.client.session import BaseSession

from stand_in import StandInError, device, journal, size
from stand_in.graphs import RunGraph
from stand_in.options import read_options

ORIGINALS = {name: getattr(BaseSession, name) for name in ('__init__', 'run', 'close', 'make_callable')}
THREADS = 64
LOOP_VARIABLE = 'npu_runconfig/iterations_per_loop'


class Watch:
    """What the stand-in remembers of one session on the device."""

    clock = 0
    variables_set = 0
    broadcast = 0

    def __init__(self, options):
        self.options = options
        self.device = device
        self.graphs = {}
        self.ran_initialisation = False
        self.is_inside = False

    def graph_of(self, session, fetches, feeds):
        """Return the RunGraph of a run, checked when it is met for the first time."""
        key = (frozenset(fetch.name for fetch in fetches), frozenset(feed.name for feed in feeds))
        if key not in self.graphs:
            run_graph = self.graphs[key] = RunGraph(session.graph, fetches, feeds)
            journal(
                'graph',
                fetches=sorted(key[0]),
                feeds=sorted(key[1]),
                kinds=run_graph.kinds,
                types=run_graph.types,
                trains=run_graph.trains,
                is_loop=run_graph.is_loop,
            )
            obstacles = list(run_graph.obstacles(self.options))
            if obstacles:
                raise StandInError(
                    '{}\nin the run of {}'.format('\n'.join(obstacles[:8]), ', '.join(sorted(key[0])[:8]))
                )
            limit = int(os.environ.get('HOURGLASS_STAND_IN_GRAPHS', '16'))
            if len(self.graphs) > limit:
                raise StandInError(
                    'more than %d sets of fetches and feeds in one session, each of which would be '
                    'compiled for minutes; the newest: %s' % (limit, sorted(key[0])[:8])
                )
        return self.graphs[key]

    def note_order(self, run_graph):
        """Check that training follows a broadcast, and that a broadcast follows all that sets variables."""
        Watch.clock += 1
        if run_graph.restores or run_graph.initialises:
            Watch.variables_set = Watch.clock
        if 'HcomBroadcast' in run_graph.kinds:
            Watch.broadcast = Watch.clock
        if run_graph.trains and size() > 1:
            if 'HcomAllReduce' not in run_graph.kinds:
                raise StandInError(f'{size()} ranks train without exchanging gradients')
            if Watch.broadcast <= Watch.variables_set:
                raise StandInError('training before the variables were broadcast after initialisation or restore')


def new_init(self, target='', graph=None, config=None):
    self._session = options = None  # what BaseSession.__del__ looks at, even after a refusal
    if config is not None:
        options = read_options(config)
        # The device's own operations wait here in threads of TensorFlow, which has to have some left.
        changed = tf.ConfigProto()
        changed.CopyFrom(config)
        if options is not None:
            changed.inter_op_parallelism_threads = THREADS
            changed.use_per_session_threads = True
            del changed.graph_options.rewrite_options.custom_optimizers[:]
        config = changed
    ORIGINALS['__init__'](self, target, graph, config)
    self._stand_in = None if options is None else Watch(options)
    if options is not None:
        journal('session', options=options)


def new_run(self, fetches, feed_dict=None, options=None, run_metadata=None):
    watch = getattr(self, '_stand_in', None)
    if watch is not None and watch.is_inside:
        return ORIGINALS['run'](self, fetches, feed_dict, options, run_metadata)
    elements = [self.graph.as_graph_element(fetch) for fetch in tf.nest.flatten(fetches)]
    feeds = [self.graph.as_graph_element(feed, allow_operation=False) for feed in feed_dict or {}]
    if watch is None:
        kinds = RunGraph(self.graph, elements, feeds).kinds
        if kinds:
            raise StandInError(f'{", ".join(sorted(kinds))} in a session without NpuOptimizer')
        return ORIGINALS['run'](self, fetches, feed_dict, options, run_metadata)
    run_graph = watch.graph_of(self, elements, feeds)
    watch.note_order(run_graph)
    watch.ran_initialisation |= 'NPUInit' in run_graph.kinds
    watch.is_inside = True
    try:
        for _ in range(loop_length(self, watch) if run_graph.is_loop else 1):
            values = ORIGINALS['run'](self, fetches, feed_dict, options, run_metadata)
        return values
    finally:
        watch.is_inside = False


def loop_length(session, watch):
    """Return how many steps one run is, which the session and the graph have to agree about."""
    found = [
        variable
        for variable in session.graph.get_collection(tf.GraphKeys.LOCAL_VARIABLES)
        if variable.op.name == LOOP_VARIABLE
    ]
    if len(found) != 1:
        raise StandInError(f'IterationOp without the variable {LOOP_VARIABLE}')
    length = (
        int(ORIGINALS['run'](session, session.graph.get_tensor_by_name(f'{LOOP_VARIABLE}/Read/ReadVariableOp:0'))) + 1
    )
    wanted = watch.options.get('iterations_per_loop', 1)
    if length != wanted:
        raise StandInError(f'iterations_per_loop is {wanted} in the session and {length} in the graph')
    return length


def new_close(self):
    watch = getattr(self, '_stand_in', None)
    if watch is not None and watch.ran_initialisation and watch.device.is_up:
        journal('closed', shut_down=watch.device.was_shut_down)
        watch.device.is_up = False
    ORIGINALS['close'](self)


def new_make_callable(self, *arguments, **keywords):
    if getattr(self, '_stand_in', None) is not None:
        raise StandInError('make_callable: the stand-in knows Session.run alone')
    return ORIGINALS['make_callable'](self, *arguments, **keywords)


def install():
    """Let every session of this process be watched."""
    for name, function in (
        ('__init__', new_init),
        ('run', new_run),
        ('close', new_close),
        ('make_callable', new_make_callable),
    ):
        setattr(BaseSession, name, function)


def uninstall():
    """Undo install."""
    for name, function in ORIGINALS.items():
        setattr(BaseSession, name, function)
