"""Writes checkpoints as the original TensorFlow 1 code does: no manifest, RMSProp slots, its own count of steps."""

import os

from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.tf_compat import tf
from named_weights import set_weights


def write_original(folder, hyperparameters, step=7, name='hg_7', with_loss_scale=False):
    """Write a checkpoint into a folder and return its prefix; weights follow from the variables' names."""
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.zeros([1, hyperparameters.input_size, hyperparameters.input_size, 3])
        model = HourglassModel(hyperparameters)
        logits = model.build_logits(images, is_training=True, dropout=lambda x, rate, layer: x)
        tf.get_variable('steps/global_step', [], tf.int32, tf.constant_initializer(step), trainable=False)
        optimizer = tf.train.RMSPropOptimizer(0.1)
        optimizer.minimize(tf.reduce_mean(logits))
        if with_loss_scale:
            # The Ascend port's.
            tf.get_variable('loss_scale', [], tf.float32, tf.constant_initializer(1024.0), trainable=False)
        session.run(tf.global_variables_initializer())
        set_weights(session, model.variables())
        # Mean squares are positive; two different numbers tell the slots of one variable apart.
        session.run(
            [
                optimizer.get_slot(variable, slot).assign(tf.fill(variable.shape, value))
                for variable in tf.trainable_variables()
                if optimizer.get_slot(variable, 'rms') is not None
                for slot, value in (('rms', 2.0), ('momentum', 3.0))
            ]
        )
        return tf.train.Saver().save(session, os.path.join(folder, name), write_meta_graph=False)
