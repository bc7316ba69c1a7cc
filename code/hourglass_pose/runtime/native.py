"""NativeRuntime: TensorFlow's own CPU and GPU devices, in float32 or mixed precision."""

from typing import Any, List, Mapping, Optional, Set, Tuple, Union

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.tf_compat import VERSION, tf

_REWRITE_ON = 1  # RewriterConfig.ON


def cpu_flags() -> Set[str]:
    """Return the feature flags of the processor, an empty set if the system does not list them."""
    try:
        with open('/proc/cpuinfo') as stream:
            for line in stream:
                if line.startswith('flags'):
                    return set(line.split(':', 1)[1].split())
    except OSError:
        pass
    return set()


def bfloat16_obstacle(version: Tuple[int, ...] = VERSION, flags: Optional[Set[str]] = None) -> Optional[str]:
    """Return why mixed precision is no faster on this CPU, or None if it is.

    TensorFlow 1.15 lacks the graph rewrite to bfloat16. Without the processor's bfloat16 multiply-add (AVX512-BF16 or
    AMX), bfloat16 is slower than float32.
    """
    if version < (2, 16):
        return f'TensorFlow {version[0]}.{version[1]} has no bfloat16 rewrite'
    if not (cpu_flags() if flags is None else flags) & {'avx512_bf16', 'amx_bf16'}:
        return 'the processor has neither AVX512-BF16 nor AMX'
    return None


def gpu_names() -> List[Any]:
    """Return the GPUs that TensorFlow can use, without allocating their memory."""
    return [] if not tf.test.is_built_with_cuda() else tf.config.experimental.list_physical_devices('GPU')


def forbid_tensor_float_32() -> None:
    """Make float32 on GPUs exact for the whole process: TensorFlow uses TensorFloat-32, with 10 bits of mantissa.

    That is TensorFlow's default since 2.4; 1.15 does not have it.
    """
    if VERSION >= (2, 4):
        tf.config.experimental.enable_tensor_float_32_execution(False)


class NativeRuntime(Runtime):
    """A CPU or a GPU.

    Args:
        device: 'cpu' or 'gpu'.
        precision: 'float32'; 'mixed', which is bfloat16 on a CPU and float16 with loss scaling on a GPU; or 'auto',
            which is mixed on a CPU where that is faster, and float32 otherwise. float32 is never TensorFloat-32.
        intra_threads: threads of one operation, 0 for all cores.
        loss_scale: fixed scale of the loss in float16, None for a dynamic one, 'none' for none.
        reason: why the device was chosen, for the log.
        steps_per_run: training steps of one run, which are executed one after the other.

    Raises:
        ConfigError: mixed precision on a CPU that does not support it.
    """

    def __init__(
        self,
        device: str,
        precision: str = 'auto',
        intra_threads: int = 0,
        loss_scale: Union[None, str, float] = None,
        reason: str = '',
        steps_per_run: int = 1,
    ) -> None:
        self.device = device
        if device == 'cpu':
            # On a CPU single crops are as fast, and then a person's heatmaps do not depend on other persons.
            self.evaluation_block = 1
            # A crop and its mirror image: threads that share a small operation mostly wait for each other.
            self.evaluation_lanes = 2
        self.intra_threads = intra_threads
        self.loss_scale = loss_scale
        self.steps_per_run = steps_per_run
        # Mixed precision has not been tested on a GPU, so it is not a default there.
        obstacle = bfloat16_obstacle() if device == 'cpu' else None
        if precision == 'mixed' and obstacle:
            raise ConfigError(f"[Device] precision: 'mixed' cannot be used here, {obstacle}; set 'auto' or 'float32'")
        self.mixed = precision == 'mixed' or (precision == 'auto' and device == 'cpu' and not obstacle)
        if not self.mixed:
            forbid_tensor_float_32()
        kind = 'float32' if not self.mixed else 'bfloat16' if device == 'cpu' else 'float16'
        self.skips_overflow = kind == 'float16' and loss_scale is None
        self.description = f'{device.upper()}, {kind}{f" ({reason})" if reason else ""}'

    def session_config(self) -> Any:
        config = tf.ConfigProto(
            intra_op_parallelism_threads=self.intra_threads, inter_op_parallelism_threads=2, allow_soft_placement=True
        )
        rewrite = config.graph_options.rewrite_options
        # A second pass over the graph takes seconds for a large network and makes the step no faster.
        rewrite.meta_optimizer_iterations = rewrite.ONE
        if self.device == 'cpu':
            config.device_count['GPU'] = 0
            # They change nothing in a graph for processors, and take a second for a large network.
            rewrite.layout_optimizer = rewrite.OFF
            if hasattr(rewrite, 'disable_tfg_optimizer'):
                rewrite.disable_tfg_optimizer = True
            if self.mixed:
                rewrite.auto_mixed_precision_onednn_bfloat16 = _REWRITE_ON
        else:
            config.gpu_options.allow_growth = True
            if self.mixed:
                rewrite.auto_mixed_precision = _REWRITE_ON
        return config

    def wrap_optimizer(self, optimizer: Any) -> Any:
        """bfloat16 has float32's range; only float16 needs its loss scaled (Micikevicius et al. 2018)."""
        if self.device == 'cpu' or not self.mixed or self.loss_scale == 'none':
            return optimizer
        scale = self.loss_scale or 'dynamic'
        if VERSION < (2, 0):
            return tf.train.experimental.MixedPrecisionLossScaleOptimizer(optimizer, scale)
        return tf.mixed_precision.MixedPrecisionLossScaleOptimizer(optimizer, scale)

    def run(self, session: Any, fetches: Any, feed_dict: Optional[Mapping[Any, Any]] = None) -> Any:
        values = None
        for _ in range(self.steps_per_run):
            values = session.run(fetches, feed_dict)
        return values
