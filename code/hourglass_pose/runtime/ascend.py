"""AscendRuntime: an NPU through TensorFlow 1.15 and npu_bridge; only this module imports npu_bridge and hccl."""

import os
from typing import Any, List, Optional, Tuple, Union

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.ascend_options import DYNAMIC, NONE, NpuSettings, loss_scaling, parameters
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.runtime.host_channel import HostChannel
from hourglass_pose.runtime.npu_precision import mode_of
from hourglass_pose.runtime.ranks import RankEnvironment, rank_environment
from hourglass_pose.tf_compat import TF_VERSION, VERSION, tf

_OFF = 2  # RewriterConfig.OFF; the vendor's own configuration sets memory_optimization to the same value
_LARGEST_SEED = 2**31 - 1

# Dynamic loss scaling of float16 (Micikevicius et al. 2018, section 3.2): the scale is halved at every overflow and
# doubled after this many steps without one. The register that reports an overflow is exact, so there is no reason to
# wait for a second overflow.
_GOOD_STEPS_TO_DOUBLE = 2000


class _Bridge:
    """The parts of npu_bridge that are used, imported one by one, because its npu_init changes every session."""

    def __init__(self) -> None:
        from npu_bridge.estimator import npu_ops
        from npu_bridge.estimator.npu import npu_loss_scale_manager, npu_loss_scale_optimizer, npu_optimizer, util
        from npu_bridge.hccl import hccl_ops

        self.ops = npu_ops
        self.managers = npu_loss_scale_manager
        self.LossScaleOptimizer = npu_loss_scale_optimizer.NPULossScaleOptimizer
        self.optimizers = npu_optimizer
        self.hccl_ops = hccl_ops
        self.IterationPerLoop = util.IterationPerLoop

    @property
    def is_newer(self) -> bool:
        """Whether this is the adapter of December 2023 or a later one, and not that of February 2021."""
        return hasattr(self.optimizers, 'npu_distributed_optimizer_wrapper')

    def averaging(self, optimizer: Any) -> Any:
        """Return the optimizer with gradients averaged over the ranks."""
        if self.is_newer:
            return self.optimizers.npu_distributed_optimizer_wrapper(optimizer)
        return self.optimizers.NPUDistributedOptimizer(optimizer)


def _open_bridge() -> _Bridge:
    if VERSION != (1, 15):
        raise ConfigError(
            f"[Device] device: 'npu' needs TensorFlow 1.15 and its npu_bridge, found TensorFlow {TF_VERSION}, which "
            'has no adapter with loss scaling; use the Python of the toolkit'
        )
    try:
        return _Bridge()
    except Exception as error:  # it continues after a library that cannot be loaded, and can then raise any exception
        raise ConfigError(
            f"[Device] device: 'npu': npu_bridge cannot be loaded ({type(error).__name__}: "
            f"{' '.join(str(error).split())}); source the toolkit's set_env.sh first"
        )


class AscendRuntime(Runtime):
    """One NPU, or one of many that train together.

    The constructor initialises the system, because the rank is known only afterwards.

    Args:
        precision: 'auto', 'float32' or 'mixed'.
        loss_scale: fixed scale of the loss, None for a dynamic one where there is float16, 'none' for none.
        steps_per_run: training steps that the device makes in its own loop.
        settings: keys of [Device] for an NPU.
        reason: why this device was chosen, for the log.

    Raises:
        ConfigError: something is missing or contradictory. Nothing has been compiled.
    """

    # The device keeps each kernel in the layout that its convolution takes; parts of a vector would be converted in
    # every step, and joining them has not been tried there.
    joins_variables = False
    sums_tensors = False

    def __init__(
        self,
        precision: str = 'auto',
        loss_scale: Union[None, str, float] = None,
        steps_per_run: int = 1,
        settings: NpuSettings = NpuSettings(),
        reason: str = '',
    ) -> None:
        environment = rank_environment()
        self._bridge = _open_bridge()
        if environment.chief_ip and not self._bridge.is_newer:
            raise ConfigError(
                'environment: CM_CHIEF_IP: the npu_bridge that is installed here averages gradients '
                'over RANK_SIZE alone; give a RANK_TABLE_FILE'
            )
        mode = mode_of(precision, settings.precision_mode)
        self.steps_per_run = steps_per_run
        self._scaling, self._scale = loss_scaling(loss_scale, mode)
        self.skips_overflow = self._scaling != NONE
        self._parameters = parameters(settings, precision, steps_per_run, environment.num_ranks, self._bridge.is_newer)
        self._loop: Any = None
        self._broadcast: Any = None
        self._channel: Optional[HostChannel] = None
        self._system = self._open_system()
        try:
            self._find_ranks(environment, settings)
        except BaseException:
            self._close_system()
            raise
        device = os.environ.get('ASCEND_DEVICE_ID') or os.environ.get('DEVICE_ID') or '0'
        scale = {DYNAMIC: f'dynamic from {self._scale:g}', NONE: 'none'}.get(self._scaling, f'{self._scale:g}')
        ranks = f', {self.world_size} ranks' if self.world_size > 1 else ''
        chosen = f' ({reason})' if reason else ''
        self.description = f'NPU {device}, {mode}, loss scale {scale}{ranks}{chosen}'

    def _open_system(self) -> Tuple[Any, Any]:
        """Initialise the system; return (session, operation that shuts it down)."""
        with tf.Graph().as_default() as graph:
            initialise, shut_down = self._bridge.ops.initialize_system(), self._bridge.ops.shutdown_system()
        session = tf.Session(graph=graph, config=self.session_config())
        session.run(initialise)
        return session, shut_down

    def _find_ranks(self, environment: RankEnvironment, settings: NpuSettings) -> None:
        if environment.num_ranks == 1:
            return
        from hccl.manage import api

        self.rank, self.world_size = api.get_rank_id(), api.get_rank_size()
        if self.world_size != environment.num_ranks:
            raise ConfigError(
                f'environment: number of ranks: expected {self.world_size}, as in HCCL, found {environment.num_ranks}'
            )
        self._channel = HostChannel(
            self.rank,
            self.world_size,
            environment.meeting_host(self.rank),
            settings.rank_port or environment.port,
            environment.key,
            settings.rank_timeout,
            5 * settings.rank_timeout,
            locations=environment.locations,
        )

    def session_config(self) -> Any:
        config = tf.ConfigProto(allow_soft_placement=True, log_device_placement=False)
        rewrite = config.graph_options.rewrite_options
        # The NPU lacks the fused kernels of the CPU, and it plans memory itself.
        rewrite.remapping = _OFF
        rewrite.memory_optimization = _OFF
        optimizer = rewrite.custom_optimizers.add()
        optimizer.name = 'NpuOptimizer'
        for name, value in self._parameters.items():
            if isinstance(value, bool):
                optimizer.parameter_map[name].b = value
            elif isinstance(value, int):
                optimizer.parameter_map[name].i = value
            else:
                optimizer.parameter_map[name].s = value.encode('utf-8')
        return config

    def dropout(self, x: Any, rate: float, step: Any, salt: int) -> Any:
        """The device continues the random numbers of its seed from step to step; a resumed run restarts them."""
        return self._bridge.ops.dropout(x, 1.0 - rate, seed=salt % _LARGEST_SEED)

    def wrap_optimizer(self, optimizer: Any) -> Any:
        if self.world_size > 1:
            optimizer = self._bridge.averaging(optimizer)
        if self._scaling == NONE:
            return optimizer
        if self._scaling == DYNAMIC:
            manager = self._bridge.managers.ExponentialUpdateLossScaleManager(
                init_loss_scale=self._scale,
                incr_every_n_steps=_GOOD_STEPS_TO_DOUBLE,
                decr_every_n_nan_or_inf=1,
                incr_ratio=2,
                decr_ratio=0.5,
            )
        else:
            manager = self._bridge.managers.FixedLossScaleManager(self._scale)
        # Without is_distributed only the rank that overflows would skip its step, and the weights of the ranks would
        # diverge.
        return self._bridge.LossScaleOptimizer(optimizer, manager, is_distributed=self.world_size > 1)

    def loop_operation(self, train_op: Any) -> Any:
        if self.steps_per_run == 1:
            return train_op
        self._loop = self._bridge.IterationPerLoop()
        return self._loop.create_iteration_per_loop_var(train_op)

    def prepare_session(self, session: Any) -> None:
        if self._loop is not None:
            self._loop.load_iteration_per_loop_var(session, self.steps_per_run)
        if self.world_size > 1:
            variables = [variable for variable in tf.global_variables() if variable.dtype.base_dtype.is_floating]
            self._broadcast = tf.group(
                *[
                    tf.assign(variable, self._bridge.hccl_ops.broadcast(tensor=[variable], root_rank=0)[0])
                    for variable in variables
                ]
            )
            self.synchronise(session)

    def synchronise(self, session: Any) -> None:
        if self._broadcast is not None:
            session.run(self._broadcast)

    def exchange_bytes(self, payload: bytes) -> List[bytes]:
        return [payload] if self._channel is None else self._channel.exchange(payload)

    def close(self, failure: Optional[str] = None) -> None:
        if self._channel is not None:
            self._channel.close(failure)
        if failure is None:
            self._close_system()
        elif self.world_size == 1:
            # With several ranks the shutdown could wait for lost ones; the end of the process also frees the device.
            try:
                self._close_system()
            except tf.errors.OpError:
                return  # the earlier failure is the one that is reported

    def _close_system(self) -> None:
        session, shut_down = self._system
        session.run(shut_down)
        session.close()
