"""NativeRuntime: TensorFlow's own CPU and GPU devices, in float32 or mixed precision."""

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.tf_compat import VERSION, tf

_REWRITE_ON = 1  # RewriterConfig.ON


def cpu_flags():
    """Return the set of feature flags of the processor, empty where the system does not tell."""
    try:
        with open('/proc/cpuinfo') as stream:
            for line in stream:
                if line.startswith('flags'):
                    return set(line.split(':', 1)[1].split())
    except OSError:
        pass
    return set()


def bfloat16_obstacle(version=VERSION, flags=None):
    """Return why mixed precision on this CPU is of no use, or None where it is.

    The graph rewrite to bfloat16 came after TensorFlow 1.15, and without the processor's own bfloat16
    multiply-add (AVX512-BF16 or AMX) it is slower than float32.
    """
    if version < (2, 16):
        return 'TensorFlow %d.%d has no bfloat16 rewrite' % version
    if not (cpu_flags() if flags is None else flags) & {'avx512_bf16', 'amx_bf16'}:
        return 'the processor has neither AVX512-BF16 nor AMX'
    return None


def gpu_names():
    """Return the names of the GPUs that TensorFlow can use, without taking their memory."""
    return [] if not tf.test.is_built_with_cuda() else tf.config.experimental.list_physical_devices('GPU')


class NativeRuntime(Runtime):
    """device: 'cpu' or 'gpu'. precision: 'float32', 'mixed' (bfloat16 on a CPU, float16 with loss scaling on a
    GPU), or 'auto': mixed where the device gains by it. intra_threads: threads of one operation, 0 for all cores.
    loss_scale: fixed scale of the loss in float16, None for a dynamic one, 'none' for none.
    steps_per_run: training steps of one run, which are made one after the other.
    Raises ConfigError for mixed precision on a CPU that cannot.
    """

    def __init__(self, device, precision='auto', intra_threads=0, loss_scale=None, reason='', steps_per_run=1):
        self.device = device
        if device == 'cpu':
            # A CPU is as fast with one crop, and with it a person's heatmaps do not depend on any other person.
            self.evaluation_block = 1
        self.intra_threads = intra_threads
        self.loss_scale = loss_scale
        self.steps_per_run = steps_per_run
        obstacle = bfloat16_obstacle() if device == 'cpu' else None
        if precision == 'mixed' and obstacle:
            raise ConfigError(f"[Device] precision: 'mixed' cannot be used here, {obstacle}; set 'auto' or 'float32'")
        self.mixed = precision == 'mixed' or (precision == 'auto' and not obstacle)
        kind = 'float32' if not self.mixed else 'bfloat16' if device == 'cpu' else 'float16'
        self.skips_overflow = kind == 'float16' and loss_scale is None
        self.description = '{}, {}{}'.format(device.upper(), kind, f' ({reason})' if reason else '')

    def session_config(self):
        config = tf.ConfigProto(
            intra_op_parallelism_threads=self.intra_threads, inter_op_parallelism_threads=2, allow_soft_placement=True
        )
        rewrite = config.graph_options.rewrite_options
        if self.device == 'cpu':
            config.device_count['GPU'] = 0
            if self.mixed:
                rewrite.auto_mixed_precision_onednn_bfloat16 = _REWRITE_ON
        else:
            config.gpu_options.allow_growth = True
            if self.mixed:
                rewrite.auto_mixed_precision = _REWRITE_ON
        return config

    def wrap_optimizer(self, optimizer):
        """bfloat16 has float32's range; only float16 needs its loss scaled (Micikevicius et al. 2018)."""
        if self.device == 'cpu' or not self.mixed or self.loss_scale == 'none':
            return optimizer
        scale = self.loss_scale or 'dynamic'
        if VERSION < (2, 0):
            return tf.train.experimental.MixedPrecisionLossScaleOptimizer(optimizer, scale)
        return tf.mixed_precision.MixedPrecisionLossScaleOptimizer(optimizer, scale)

    def run(self, session, fetches, feed_dict=None):
        for _ in range(self.steps_per_run):
            values = session.run(fetches, feed_dict)
        return values
