"""AscendRuntime: an NPU by way of TensorFlow 1.15 and npu_bridge; the only module that imports it, or hccl."""

import os

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.ascend_options import DYNAMIC, NONE, NpuSettings, loss_scaling, parameters, rank_environment
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.runtime.host_channel import HostChannel
from hourglass_pose.runtime.npu_precision import mode_of
from hourglass_pose.tf_compat import TF_VERSION, VERSION, tf

_OFF = 2  # RewriterConfig.OFF, and in memory_optimization what the vendor's own configuration sets
_LARGEST_SEED = 2**31 - 1

# As the published loss scaling of float16 has it (Micikevicius et al. 2018, section 3.2, and its implementations):
# halved at every overflow, doubled after this many steps without one. The register that reports an overflow is exact,
# so there is no reason to wait for a second one, which would cost another step.
_GOOD_STEPS_TO_DOUBLE = 2000


class _Bridge:
    """The parts of npu_bridge that are used, imported one by one: its npu_init would change every session."""

    def __init__(self):
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
    def is_newer(self):
        """Whether this is the adapter of December 2023, or a later one, and not that of February 2021."""
        return hasattr(self.optimizers, 'npu_distributed_optimizer_wrapper')

    def averages_gradients(self, optimizer):
        """Return the optimizer with gradients averaged over the ranks."""
        if self.is_newer:
            return self.optimizers.npu_distributed_optimizer_wrapper(optimizer)
        return self.optimizers.NPUDistributedOptimizer(optimizer)


def _open_bridge():
    if VERSION != (1, 15):
        raise ConfigError(
            f"[Device] device: 'npu' needs TensorFlow 1.15 and its npu_bridge, found TensorFlow {TF_VERSION}, for "
            'which there is no adapter with loss scaling; use the Python of the toolkit'
        )
    try:
        return _Bridge()
    except Exception as error:  # its own import goes on after a library that cannot be loaded, to any kind of error
        raise ConfigError(
            "[Device] device: 'npu': npu_bridge cannot be loaded ({}: {}); source the toolkit's "
            'set_env.sh first'.format(type(error).__name__, ' '.join(str(error).split()))
        )


class AscendRuntime(Runtime):
    """One NPU, or one of many that train together.

    precision: 'auto', 'float32' or 'mixed'. loss_scale: fixed scale of the loss, None for a dynamic one where there is
    float16, 'none' for none. steps_per_run: steps that the device makes in a loop of its own. settings: NpuSettings.
    reason: why this device was chosen. The system is initialised here, since the rank is not known before.
    Raises ConfigError for what is missing, or contradicts itself, before anything is compiled.
    """

    def __init__(self, precision='auto', loss_scale=None, steps_per_run=1, settings=NpuSettings(), reason=''):
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
        self._loop = self._broadcast = None
        self._channel = None
        self._system = self._open_system()
        try:
            self._find_ranks(environment, settings)
        except BaseException:
            self._close_system()
            raise
        self.description = 'NPU {}, {}, loss scale {}{}{}'.format(
            os.environ.get('ASCEND_DEVICE_ID') or os.environ.get('DEVICE_ID') or '0',
            mode,
            {DYNAMIC: f'dynamic from {self._scale:g}', NONE: 'none'}.get(self._scaling, f'{self._scale:g}'),
            ', %d ranks' % self.world_size if self.world_size > 1 else '',
            f' ({reason})' if reason else '',
        )

    def _open_system(self):
        """Initialise the system; return (session, operation that shuts it down)."""
        with tf.Graph().as_default() as graph:
            initialise, shut_down = self._bridge.ops.initialize_system(), self._bridge.ops.shutdown_system()
        session = tf.Session(graph=graph, config=self.session_config())
        session.run(initialise)
        return session, shut_down

    def _find_ranks(self, environment, settings):
        if environment.num_ranks == 1:
            return
        from hccl.manage import api

        self.rank, self.world_size = api.get_rank_id(), api.get_rank_size()
        if self.world_size != environment.num_ranks:
            raise ConfigError(
                'environment: the number of ranks: expected the %d that HCCL found, found %d'
                % (self.world_size, environment.num_ranks)
            )
        self._channel = HostChannel(
            self.rank,
            self.world_size,
            environment.meeting_host(self.rank),
            settings.rank_port,
            environment.job,
            settings.rank_timeout,
            5 * settings.rank_timeout,
        )

    def session_config(self):
        config = tf.ConfigProto(allow_soft_placement=True, log_device_placement=False)
        rewrite = config.graph_options.rewrite_options
        # Fused kernels of the CPU are unknown to the NPU, and it plans memory itself.
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

    def dropout(self, x, rate, step, salt):
        """The device goes on with the numbers of its seed from step to step; a resumed run begins them anew."""
        return self._bridge.ops.dropout(x, 1.0 - rate, seed=salt % _LARGEST_SEED)

    def wrap_optimizer(self, optimizer):
        if self.world_size > 1:
            optimizer = self._bridge.averages_gradients(optimizer)
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
        # Without is_distributed a rank that overflows would skip its step alone, and the ranks drift apart.
        return self._bridge.LossScaleOptimizer(optimizer, manager, is_distributed=self.world_size > 1)

    def loop_operation(self, train_op):
        if self.steps_per_run == 1:
            return train_op
        self._loop = self._bridge.IterationPerLoop()
        return self._loop.create_iteration_per_loop_var(train_op)

    def prepare_session(self, session):
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

    def synchronise(self, session):
        if self._broadcast is not None:
            session.run(self._broadcast)

    def exchange_bytes(self, payload):
        return [payload] if self._channel is None else self._channel.exchange(payload)

    def close(self, failure=None):
        if self._channel is not None:
            self._channel.close(failure)
        if failure is None:
            self._close_system()
        elif self.world_size == 1:
            # With several it could wait for ranks that will not come; the end of the process frees the device, too.
            try:
                self._close_system()
            except tf.errors.OpError:
                return  # what has failed before says why

    def _close_system(self):
        session, shut_down = self._system
        session.run(shut_down)
        session.close()
