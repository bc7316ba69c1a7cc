"""TrainGraph: training tower and evaluation tower of a network in one graph, with optimizer and averaged weights."""

from contextlib import ExitStack
from typing import Any, List, Optional

import numpy as np

from hourglass_pose.evaluation.passes import run_in_passes
from hourglass_pose.graph.joint_batch_norm import normalisation_over
from hourglass_pose.graph.layers import MOVING_STATISTICS, joint_batch, moving_change
from hourglass_pose.graph.storage import Storage, declare, getter_of
from hourglass_pose.graph.summary import summarise
from hourglass_pose.representations.heatmap.numpy import HeatmapCodec
from hourglass_pose.representations.table import graph_half
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.optimizer import ScheduleSettings, create_state, learning_rate, make_optimizer
from hourglass_pose.training.person_loss import person_loss
from hourglass_pose.training.pipeline import FedInput, ReadInput
from hourglass_pose.training.teacher import Teacher
from hourglass_pose.training.weight_average import WeightAverage

_TYPES = (tf.uint8, tf.float32, tf.float32, tf.float32)
_NAMES = ('images', 'joints_crop', 'joint_weights', 'person_labels')
_LAYER_STRIDE = (
    7919  # larger than the number of dropout layers, so that each layer has its own random numbers for each seed
)

Tensor = Any


class TrainGraph:
    """Inputs, tensors and the train operation. It owns no session.

    model: HourglassModel. codec: the representation of joints. runtime: the device. schedule: of the learning rate.
    ema_decay: decay of the moving average of the weights, used by the evaluation tower; 0 for none.
    clip_norm: largest global norm of the gradient, 0 for no limit. person_weight: factor on the loss of the person
    output, which `loss` includes; networks without this output do not use it. sync_batch_norm: whether batches are
    normalised by the statistics of all processes. teacher: a network whose maps are part of the targets.

    The global step counts the steps that were applied: the schedule, the epochs and the averages follow it.
    `skipped_steps` counts those that were skipped because their gradient overflowed; the sum of both is the position in
    the order of the data. Tensors of a run of one or several steps: `finished` and `skipped`, int32, the counters after
    it; `loss`, `rate` and `gradient_norm` of its last step; `loss_sum` over its applied steps.
    """

    def __init__(
        self,
        model: Any,
        codec: HeatmapCodec,
        runtime: Runtime,
        schedule: ScheduleSettings,
        batch_size: int,
        valid_batch_size: int,
        optimizer: str = 'adam',
        weight_decay: float = 0.0,
        ema_decay: float = 0.0,
        clip_norm: float = 0.0,
        seed: int = 0,
        person_weight: float = 0.0,
        sync_batch_norm: bool = False,
        teacher: Optional[Teacher] = None,
    ) -> None:
        self.model = model
        hyperparameters = model.hyperparameters
        size, joints = hyperparameters.input_size, hyperparameters.num_joints
        tf.set_random_seed(seed)
        self.global_step = tf.train.get_or_create_global_step()
        self.skipped_steps = tf.get_variable('skipped_steps', [], tf.int64, tf.zeros_initializer(), trainable=False)
        shapes = [[batch_size, size, size, 3], [batch_size, joints, 2], [batch_size, joints]]
        if hyperparameters.gives_person:
            shapes.append([batch_size, 2])
        self.input = (FedInput if runtime.steps_per_run == 1 else ReadInput)(_TYPES[: len(shapes)], shapes, _NAMES)
        self.images, self.joints_crop, self.joint_weights = self.input.tensors[:3]
        self.valid_images = tf.placeholder(tf.uint8, [valid_batch_size, size, size, 3], 'valid_images')

        position = tf.cast(self.global_step, tf.int32) + tf.cast(self.skipped_steps, tf.int32)
        salt = seed + runtime.rank
        declared, inference = declare(model)
        self.summary = summarise(hyperparameters, declared, inference)
        self.storage = Storage(declared, runtime.joins_variables)
        weights = getter_of(self.storage.groups)
        with ExitStack() as stack:
            if sync_batch_norm and runtime.world_size > 1:
                stack.enter_context(joint_batch(normalisation_over(runtime.sum_over_processes, runtime.world_size)))
            self.logits, person = model.build_outputs(
                self.images,
                True,
                lambda x, rate, layer: runtime.dropout(x, rate, position, salt + _LAYER_STRIDE * layer),
                weights,
            )
        representation = graph_half(codec)
        target = representation.target(self.joints_crop, codec)
        if teacher:
            target = teacher.target(target, self.images, codec)
        loss = representation.loss(self.logits, target, self.joint_weights)
        self.loss = runtime.joint_mean(loss, tf.reduce_sum(self.joint_weights))
        if person is not None:
            labels = self.input.tensors[3]
            self.loss += person_weight * runtime.joint_mean(person_loss(person, labels), tf.reduce_sum(labels[:, 1]))
        self.rate = learning_rate(schedule, self.global_step)
        self.average: Optional[WeightAverage] = None
        applied = self._apply(runtime, optimizer, weight_decay, clip_norm)
        updates = self._updates_after(applied, ema_decay, runtime.steps_per_run)
        self.train_op = runtime.loop_operation(tf.group(*updates, name='train_op'))
        self.valid_logits, self.valid_person = model.build_outputs(
            self.valid_images, False, getter=self.average.getter() if self.average else weights
        )
        self.initialisation = tf.group(
            tf.global_variables_initializer(), tf.local_variables_initializer(), name='initialisation'
        )

    def _apply(self, runtime: Runtime, kind: str, weight_decay: float, clip_norm: float) -> Tensor:
        """Build the update of the weights and of the step counter; return a bool tensor: whether it was applied."""
        plain = make_optimizer(kind, self.rate, weight_decay, self.storage.weights)
        optimizer = runtime.wrap_optimizer(plain)
        variables = [group.variable for group in self.storage.weights]
        # The norm waits for all gradients, so TensorFlow's gates are not needed. They stop the propagation at every
        # convolution until the gradient of its kernel is there.
        gradients = [
            # A weight without a gradient, such as biases before a batch norm, has state like the others, so that the
            # checkpoints of all devices hold the same.
            tf.zeros_like(variable) if gradient is None else gradient
            for gradient, variable in optimizer.compute_gradients(
                self.loss, variables, gate_gradients=tf.train.Optimizer.GATE_NONE
            )
        ]
        create_state(plain, self.storage.weights)
        self.gradient_norm = tf.global_norm(gradients)
        if clip_norm > 0:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm, use_norm=self.gradient_norm)
        # The cast makes a copy, while the counter itself changes.
        due = tf.cast(self.global_step, tf.int32) + 1
        # Devices read their overflow flag here, so all arithmetic on gradients, the norm included, comes first.
        with tf.control_dependencies([due, self.gradient_norm]):
            update = optimizer.apply_gradients(list(zip(gradients, variables)), self.global_step)
        with tf.control_dependencies([update]):
            # TensorFlow's graph optimizer moves a plain read, or the addition of a constant zero, before the step. It
            # cannot infer that this tensor is zero.
            zero = tf.cast(tf.less(due, 0), tf.int64)
            self.finished = tf.cast(tf.assign_add(self.global_step, zero), tf.int32, name='finished_steps')
        return tf.equal(self.finished, due)

    def _updates_after(self, is_applied: Tensor, ema_decay: float, steps_per_run: int) -> List[Tensor]:
        """Return the operations that follow a step; statistics and averages change only after an applied one."""
        values = {average.op.name: value for average, value in tf.get_collection(MOVING_STATISTICS)}
        statistics = [
            tf.assign_sub(group.variable, _where(is_applied, moving_change(group.variable, group.joined(values))))
            for group in self.storage.statistics
        ]
        skips = tf.cast(tf.logical_not(is_applied), tf.int64)
        self.skipped = tf.cast(tf.assign_add(self.skipped_steps, skips), tf.int32, name='skipped_steps_so_far')
        self.loss_sum = _where(is_applied, self.loss)
        if steps_per_run > 1:
            self.loss_sum = _sum_of_run(self.loss_sum, steps_per_run)
        updates = statistics + [self.skipped, self.loss_sum]
        if ema_decay > 0:
            self.average = WeightAverage(self.storage.groups, ema_decay)
            with tf.control_dependencies(statistics):
                updates.append(self.average.update(self.finished, is_applied))
        return updates

    def predict_logits(self, session: Any, images: np.ndarray) -> np.ndarray:
        """Return the evaluation tower's logits (N, H, W, J) of the last stack, of any number of crops."""

        def run(crops: np.ndarray) -> List[np.ndarray]:
            return [session.run(self.valid_logits, {self.valid_images: crops})[:, -1]]

        return run_in_passes(run, images, [int(self.valid_images.shape[0])])[0]

    def predict_person(self, session: Any, images: np.ndarray) -> np.ndarray:
        """Return the evaluation tower's person logits (N,) of any number of crops."""

        def run(crops: np.ndarray) -> List[np.ndarray]:
            return [session.run(self.valid_person, {self.valid_images: crops})]

        return run_in_passes(run, images, [int(self.valid_images.shape[0])])[0]


def _where(condition: Tensor, value: Tensor) -> Tensor:
    """Return the value, or zeros if the scalar condition is False, even if the value is not finite."""
    return tf.where(condition, value, tf.zeros_like(value))


def _sum_of_run(value: Tensor, steps_per_run: int) -> Tensor:
    """Return the sum of a scalar over the steps of a run so far, in variables that are not part of checkpoints."""
    count, total = [
        tf.get_variable(
            name, [], kind, tf.zeros_initializer(), trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES]
        )
        for name, kind in (('steps_of_run', tf.int32), ('loss_of_run', tf.float32))
    ]
    step_of_run = tf.assign(count, tf.floormod(count, steps_per_run) + 1)
    return tf.identity(tf.assign(total, tf.where(tf.equal(step_of_run, 1), value, total + value)))
