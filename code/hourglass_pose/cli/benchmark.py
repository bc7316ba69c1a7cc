"""benchmark: training and input speed of a config, beside those of a rival in the same run."""

import time

import numpy as np

from hourglass_pose.cli.options import add_config_options, config_path, load_run_config

HELP = 'measure images a second of training and of its input, against a rival in the same run'


def add_arguments(parser):
    add_config_options(parser)
    parser.add_argument(
        '--rival',
        action='append',
        default=[],
        metavar='SECTION.KEY=VALUE',
        help='override a setting of the rival, which is the same config else; may be repeated',
    )
    parser.add_argument('--steps', type=int, default=20, help='steps measured of each (default: 20)')


def run(options):
    from hourglass_pose.config.config import load_config

    configs = [load_run_config(options)]
    if options.rival:
        configs.append(load_config(config_path(options), options.overrides + options.rival))
    sides = [Contestant(config) for config in configs]
    # In turns, so that a change of the machine's speed meets both alike.
    for _ in range(options.steps):
        for side in sides:
            side.step()
    for name, side in zip(('config', 'rival'), sides):
        print(f'{name:7} {side.describe()}')
    if len(sides) == 2:
        print(
            'config / rival: training {:.2f}, input {:.2f}'.format(
                *tuple(ours / theirs for ours, theirs in zip(sides[0].rates(), sides[1].rates()))
            )
        )
    for side in sides:
        side.close()


class Contestant:
    """A training session on random images, and a sample maker at work on one of them, of one config."""

    WARM_UP = 3

    def __init__(self, config):
        from hourglass_pose.experiment.experiment import Experiment
        from hourglass_pose.experiment.training_run import train_graph
        from hourglass_pose.graph.summary import summarise_network
        from hourglass_pose.runtime.selection import open_runtime
        from hourglass_pose.tf_compat import tf

        experiment = Experiment(config)
        traits, device = experiment.traits(), config.Device
        self.batch_size = config.Train.batch_size
        self.summary = summarise_network(traits)
        self.runtime = open_runtime(device.device, device.precision, device.intra_threads)
        with tf.Graph().as_default() as graph:
            self.graph = train_graph(config, traits, self.runtime, total_steps=10000)
            self.session = tf.Session(graph=graph, config=self.runtime.session_config())
            self.session.run(self.graph.initialisation)
        random = np.random.RandomState(0)
        self.feed = {
            tensor: random.randint(0, 256, tensor.shape).astype(np.uint8)
            if tensor.dtype == tf.uint8
            else random.uniform(size=tensor.shape.as_list())
            for tensor in (self.graph.images, self.graph.heatmaps, self.graph.joint_weights)
        }
        self.make_sample = _sample_function(experiment)
        self.training_times, self.input_times = [], []
        for _ in range(self.WARM_UP):
            self.step()
        self.training_times, self.input_times = [], []

    def step(self):
        start = time.perf_counter()
        self.session.run([self.graph.train_op, self.graph.loss], self.feed)
        trained = time.perf_counter()
        for index in range(self.batch_size):
            self.make_sample(index)
        self.training_times.append(trained - start)
        self.input_times.append(time.perf_counter() - trained)

    def rates(self):
        """Return median images a second of (training, input by one thread)."""
        return tuple(self.batch_size / np.median(times) for times in (self.training_times, self.input_times))

    def close(self):
        """Give the device back."""
        self.session.close()
        self.runtime.close()

    def describe(self):
        return 'training %.1f images/s, input %.1f images/s a thread; %s; %s' % (
            self.rates() + (self.runtime.description, self.summary.describe())
        )


def _sample_function(experiment):
    """Return a function of an index that makes a training sample of a decoded random photo of 640 x 480 pixels."""
    from hourglass_pose.annotations.person import Person
    from hourglass_pose.input.samples import SampleMaker

    random = np.random.RandomState(1)
    photo = random.randint(0, 256, (480, 640, 3)).astype(np.uint8)
    joints = len(experiment.skeleton)
    person = Person(
        'photo',
        'photo',
        'photo',
        np.array([200.0, 100.0, 400.0, 400.0]),
        random.uniform(150, 350, (joints, 2)).astype(np.float32),
        np.ones(joints, bool),
    )

    class Photo:
        """Stands for the image cache: reading and decoding are not measured here."""

        def read(self, path):
            return photo

    maker = SampleMaker(
        Photo(),
        experiment.codec,
        experiment.rule,
        experiment.skeleton.flip_permutation,
        experiment.kept_joints,
        experiment.ranges,
        seed=0,
    )
    return lambda index: maker.training_sample(person, 0, index)
