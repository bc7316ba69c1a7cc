"""Program of forked_ranks.py: one weight, trained by as many ranks as there are by the adapter's interface alone."""

import json

from hourglass_pose.tf_compat import tf
from stand_in_device import config_of, dynamic, module


def main(arguments):
    """Train for some steps, each rank towards its own number; print [[weight, step, loss scale]] of each step.

    arguments: steps, and 'careless' to leave out the broadcast.
    """
    steps, is_careless = int(arguments[0]), 'careless' in arguments
    ops, optimizers = module('npu_bridge.estimator.npu_ops'), module('npu_bridge.estimator.npu.npu_optimizer')
    with tf.Graph().as_default():
        outer = tf.Session(config=config_of())
        outer.run(ops.initialize_system())
        stop = ops.shutdown_system()
    ranks = module('hccl.manage.api')
    rank = ranks.get_rank_id()
    with tf.Graph().as_default():
        weight = tf.get_variable('w', [], tf.float32, tf.constant_initializer(10.0 * rank + 3.0))
        step = tf.train.get_or_create_global_step()
        optimizer = optimizers.NPUDistributedOptimizer(tf.train.GradientDescentOptimizer(0.5))
        manager = dynamic()()
        optimizer = module('npu_bridge.estimator.npu.npu_loss_scale_optimizer').NPULossScaleOptimizer(
            optimizer, manager, is_distributed=True
        )
        # The gradient of rank r is w - r.
        pairs = optimizer.compute_gradients((weight - float(rank)) ** 2 / 2, [weight])
        train = optimizer.apply_gradients(pairs, step)
        floats = [variable for variable in tf.global_variables() if variable.dtype.base_dtype == tf.float32]
        broadcast = tf.group(
            *[
                tf.assign(variable, module('npu_bridge.hccl.hccl_ops').broadcast([variable], 0)[0])
                for variable in floats
            ]
        )
        session = tf.Session(config=config_of())
        session.run(tf.global_variables_initializer())
        if not is_careless:
            session.run(broadcast)
        found = []
        for _ in range(steps):
            session.run(train)
            found.append([float(value) for value in session.run([weight, step, manager.get_loss_scale()])])
    outer.run(stop)
    outer.close()
    print(json.dumps(found))
