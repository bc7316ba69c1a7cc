"""ClusterRuntime: one of many processes that train together on CPUs or GPUs, by TensorFlow's distributed runtime."""

import atexit
import os
import socket
import time
from typing import Any, Callable, List, Mapping, Optional, Tuple, Union

from hourglass_pose.errors import UserError
from hourglass_pose.runtime.cluster.collectives import AveragingOptimizer, Collectives
from hourglass_pose.runtime.cluster.spec import TF_CONFIG, Cluster, host_and_port
from hourglass_pose.runtime.host_channel import HostChannel
from hourglass_pose.runtime.native import NativeRuntime
from hourglass_pose.tf_compat import reason_of, tf

_STARTS_PER_TIMEOUT = 5
_LOOPBACK = ('127.', 'localhost')
_REACH_SECONDS = 10.0
_REWRITE_OFF = 2  # RewriterConfig.OFF

# What TensorFlow raises where another process is gone; version 1.15 waits forever instead.
_LOSSES = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.InternalError)

Tensor = Any


class ClusterRuntime(NativeRuntime):
    """A CPU or a GPU of one process among many.

    The processes meet over the host channel first, which names who is missing; then each starts TensorFlow's server,
    and they check that they reach each other's. A process that is lost ends the others from the channel's thread,
    because an exchange of gradients can wait forever, and a server cannot be stopped before the process ends.

    Args:
        cluster: the processes.
        key: secret that they share.
        rank_port: port where rank 0 waits for the others, None for the one next to TensorFlow's.
        rank_timeout: seconds without a sign of life after which a process counts as lost.
        The other arguments are those of NativeRuntime.

    Raises:
        UserError: processes are missing or do not reach each other, or a port is taken.
    """

    def __init__(
        self,
        cluster: Cluster,
        key: bytes,
        rank_port: Optional[int],
        rank_timeout: float,
        device: str,
        precision: str = 'auto',
        intra_threads: int = 0,
        loss_scale: Union[None, str, float] = None,
        reason: str = '',
        steps_per_run: int = 1,
    ) -> None:
        super().__init__(device, precision, intra_threads, loss_scale, reason, steps_per_run)
        self._cluster = cluster
        self._timeout = rank_timeout
        self.rank, self.world_size = cluster.rank, cluster.size
        self.description = f'{self.description}, {self.world_size} processes'
        self._collectives = Collectives(self.world_size, device)
        self._copy: Any = None
        host, port = cluster.meeting_point(rank_port)
        self._channel = HostChannel(
            self.rank,
            self.world_size,
            # Only rank 0 listens; at all addresses of its host, unless the job stays on this host.
            host if self.rank or host.startswith(_LOOPBACK) else '',
            port,
            key,
            rank_timeout,
            _STARTS_PER_TIMEOUT * rank_timeout,
            locations=[cluster.location(rank) for rank in range(self.world_size)],
        )
        try:
            self._server = self._started_server()
            # The server's own end fails when Python has taken down the modules that it uses.
            atexit.register(self.__dict__.pop, '_server', None)
            self.target = self._server.target
            self._require_reachable()
        except BaseException as error:
            self._channel.close(failure=' '.join(str(error).split()) or type(error).__name__)
            raise

    def _started_server(self) -> Any:
        """Start TensorFlow's server, which ends with the process."""
        hosts = ','.join(sorted({host_and_port(address)[0] for address in self._cluster.addresses}))
        # A proxy for web pages does not lead to the other processes.
        os.environ.setdefault('no_grpc_proxy', hosts)
        job, index = self._cluster.task(self.rank)
        spec = tf.train.ClusterSpec({name: list(addresses) for name, addresses in self._cluster.jobs})
        try:
            return tf.train.Server(spec, job_name=job, task_index=index, config=self.session_config())
        except tf.errors.OpError as error:
            raise UserError(
                f'{TF_CONFIG}: {self._cluster.location(self.rank)}: TensorFlow cannot open this port '
                f'({reason_of(error)}); choose another port for this process in {TF_CONFIG} of all processes'
            )

    def _require_reachable(self) -> None:
        """Raise UserError in all processes if one of them does not reach the TensorFlow server of another one."""
        self.barrier()  # all servers have started
        failures = self.exchange(self._unreachable())
        for rank, failure in enumerate(failures):
            if failure is not None:
                other, reason = failure
                raise UserError(
                    f'rank {rank} ({self._cluster.location(rank)}) does not reach TensorFlow of rank {other} '
                    f'({self._cluster.location(other)}): {reason}; open the ports of {TF_CONFIG} between all hosts'
                )

    def _unreachable(self) -> Optional[Tuple[int, str]]:
        """Return the first rank whose server does not accept a connection, and why; None if all do."""
        for rank, address in enumerate(self._cluster.addresses):
            try:
                socket.create_connection(host_and_port(address), timeout=_REACH_SECONDS).close()
            except OSError as error:
                return rank, error.strerror or str(error)
        return None

    def session_config(self) -> Any:
        config = super().session_config()
        job, index = self._cluster.task(self.rank)
        # Each process has its own graph, variables and sessions; only collectives reach beyond it.
        config.device_filters.append(f'/job:{job}/task:{index}')
        config.isolate_session_state = True
        config.experimental.collective_group_leader = f'/job:{self._cluster.jobs[0][0]}/replica:0/task:0'
        config.experimental.collective_nccl = self.device == 'gpu'
        if self.device == 'cpu' and self.mixed:
            # Remapping makes _FusedConv2D, whose declaration lacks bfloat16. In one process oneDNN's pass replaces it
            # before types are checked. A server's worker gets the optimised graph and checks them before that pass.
            # RewriterConfig has no switch for this pattern alone.
            config.graph_options.rewrite_options.remapping = _REWRITE_OFF
        return config

    def wrap_optimizer(self, optimizer: Any) -> Any:
        return super().wrap_optimizer(AveragingOptimizer(optimizer, self._collectives.mean))

    def sum_over_processes(self, tensor: Tensor) -> Tensor:
        return self._collectives.sum(tensor)

    def joint_mean(self, mean: Tensor, count: Tensor) -> Tensor:
        total = self.sum_over_processes(count)
        return mean * (self.world_size * tf.maximum(count, 1.0) / tf.maximum(total, 1.0))

    def prepare_session(self, session: Any) -> None:
        with session.graph.as_default():
            self._copy = tf.group(
                *[
                    tf.assign(variable, self.sum_over_processes(variable if self.is_chief else tf.zeros_like(variable)))
                    for variable in tf.global_variables()
                    if variable.dtype.base_dtype.is_floating
                ]
            )
        graphs = self.exchange(self._collectives.made)
        for rank, graph in enumerate(graphs):
            if graph != graphs[0]:
                raise UserError(
                    f'rank {rank} ({self._cluster.location(rank)}) builds another network or training than rank 0; '
                    'start all processes with the same settings and the same version of this program'
                )
        self.synchronise(session)

    def synchronise(self, session: Any) -> None:
        if self._copy is not None:
            self._guarded(lambda: session.run(self._copy))

    def run(self, session: Any, fetches: Any, feed_dict: Optional[Mapping[Any, Any]] = None) -> Any:
        return self._guarded(lambda: super(ClusterRuntime, self).run(session, fetches, feed_dict))

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """Return what the work returns. Where it fails because a process is lost, the channel ends this one."""
        try:
            return work()
        except _LOSSES:
            time.sleep(self._timeout + 1)
            raise

    def exchange_bytes(self, payload: bytes) -> List[bytes]:
        return self._channel.exchange(payload)

    def close(self, failure: Optional[str] = None) -> None:
        self._channel.close(failure)
