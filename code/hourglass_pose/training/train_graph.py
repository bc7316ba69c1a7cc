"""TrainGraph: the training and the evaluation tower of a network in one graph, with optimizer and averaged weights."""

from hourglass_pose.graph.loss import heatmap_loss
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.optimizer import learning_rate, make_optimizer
from hourglass_pose.training.weight_average import WeightAverage


class TrainGraph:
    """Placeholders, tensors and the train operation; owns no session.

    model: HourglassModel. runtime: Runtime. schedule: ScheduleSettings.
    ema_decay: decay of the moving average of the weights, used by the evaluation tower; 0 for none.
    clip_norm: largest global norm of the gradient, 0 for no limit.
    """

    def __init__(self, model, runtime, schedule, batch_size, valid_batch_size, loss='softmax', optimizer='adam',
                 weight_decay=0.0, ema_decay=0.0, clip_norm=0.0, seed=0):
        self.model = model
        traits = model.traits
        size, cells, joints = traits.input_size, traits.heatmap_size, traits.num_joints
        tf.set_random_seed(seed)
        self.global_step = tf.train.get_or_create_global_step()
        self.images = tf.placeholder(tf.uint8, [batch_size, size, size, 3], 'images')
        self.heatmaps = tf.placeholder(tf.float32, [batch_size, cells, cells, joints], 'target_heatmaps')
        self.joint_weights = tf.placeholder(tf.float32, [batch_size, joints], 'joint_weights')
        self.valid_images = tf.placeholder(tf.uint8, [valid_batch_size, size, size, 3], 'valid_images')

        dropout_seed = tf.stack([tf.cast(self.global_step, tf.int32), seed + runtime.rank])
        self.logits = model.build_logits(
            self.images, True, lambda x, rate, place: runtime.dropout(x, rate, dropout_seed + [0, 7919 * place]))
        self.loss = heatmap_loss(self.logits, self.heatmaps, self.joint_weights, loss)
        self.rate = learning_rate(schedule, self.global_step)
        finished_steps, self.gradient_norm = self._step(runtime, optimizer, weight_decay, clip_norm)
        self.average, train_op = None, finished_steps
        if ema_decay > 0:
            self.average = WeightAverage(model.variables(), ema_decay)
            with tf.control_dependencies([finished_steps]):
                train_op = self.average.update(finished_steps)
        self.train_op = tf.group(train_op, name='train_op')
        self.valid_logits = model.build_logits(
            self.valid_images, False, getter=self.average.getter if self.average else None)

    def _step(self, runtime, kind, weight_decay, clip_norm):
        """Return (number of finished steps, which it takes a step to compute, global norm of the step's gradient)."""
        optimizer = runtime.wrap_optimizer(make_optimizer(kind, self.rate, weight_decay))
        pairs = [pair for pair in optimizer.compute_gradients(self.loss, tf.trainable_variables())
                 if pair[0] is not None]
        gradients, variables = zip(*pairs)
        norm = tf.global_norm(gradients)
        if clip_norm > 0:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm, use_norm=norm)
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            applied = optimizer.apply_gradients(zip(gradients, variables))
        with tf.control_dependencies([applied]):
            # Not by the optimizer, which would not count a step that it skips for an overflow in float16.
            return tf.assign_add(self.global_step, 1), norm

    def feed(self, batch):
        """Return the feed of a training Batch.

        Masked rows have no part in the loss. Batch normalisation sees them as the black crops that they are.
        """
        return {self.images: batch.images, self.heatmaps: batch.heatmaps,
                self.joint_weights: batch.joint_weights * batch.mask[:, None]}
