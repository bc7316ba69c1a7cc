"""Trains a network in a loop of your own and evaluates it.

python examples/train_from_python.py dataset.txt images
"""

import sys
from itertools import islice

from hourglass_pose import HourglassModel
from hourglass_pose.config.config import load_config
from hourglass_pose.evaluation.evaluator import Evaluator, mean_training_pose
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.graph.layers import MOVING_STATISTICS, moving_change
from hourglass_pose.representations.table import graph_half
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.pipeline import training_arrays


def train(annotations, images, steps=200, **settings):
    """Return the Evaluation on the validation persons after so many steps. settings: such as Network__nFeat=16."""
    settings = {'DataSetHG.training_txt_file': annotations, 'DataSetHG.img_directory': images, **settings}
    config = load_config(None, [f'{key.replace("__", ".")}={value}' for key, value in settings.items()])
    experiment = Experiment(config)
    split, codec = experiment.split(), experiment.codec
    data = experiment.generator(split['train'], config.Train.batch_size)

    tf.set_random_seed(config.Train.seed)
    # The graph: a training tower, its loss, and an evaluation tower over the same variables.
    model, joints = HourglassModel(config.hyperparameters()), len(experiment.skeleton)
    crops = model.declare_images()
    joints_crop = tf.placeholder(tf.float32, [None, joints, 2])
    joint_weights = tf.placeholder(tf.float32, [None, joints])
    representation = graph_half(codec)
    target = representation.target(joints_crop, codec)
    loss = representation.loss(model.build_logits(crops, is_training=True), target, joint_weights)
    statistics = [tf.assign_sub(a, moving_change(a, value)) for a, value in tf.get_collection(MOVING_STATISTICS)]
    train_op = tf.group(tf.train.AdamOptimizer(config.Train.lear_rate).minimize(loss), *statistics)
    logits = model.build_logits(crops, is_training=False)[:, -1]

    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for step, batch in enumerate(islice(data.training_batches(), steps), 1):
            feed = dict(zip((crops, joints_crop, joint_weights), training_arrays(batch)))
            _, value = session.run([train_op, loss], feed)
            if step % 20 == 0 or step == steps:
                print(f'step {step}: loss {value:.4f}')
        persons = experiment.generator(split['valid'], config.Validation.valid_batch_size)
        mean_pose = mean_training_pose(split['train'], experiment.rule)
        evaluator = Evaluator(persons, codec, experiment.skeleton, mean_pose, config.Validation.flip_test)
        return evaluator.evaluate(lambda images: session.run(logits, {crops: images}))


if __name__ == '__main__':
    evaluation = train(*sys.argv[1:3], Network__nFeat=32, Network__nStack=1, Network__img_size=64, Network__nLow=3)
    pckh = evaluation.result.metrics['pckh@0.5']['mean']
    print(f'PCKh@0.5 on {evaluation.result.num_persons} persons: {pckh:.1f}')
