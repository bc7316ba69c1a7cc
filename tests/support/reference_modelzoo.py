"""The graph of the original TensorFlow 1 code in NumPy, oddities included, to check arch 'modelzoo' against.

Maps are float64 (N, H, W, C). Weights come from a dict of the original's variable names -> arrays. Each layer finds its
weights by names counted here, and notes them, so that the order in which they are made is checked as well.
"""

from collections import Counter
from contextlib import contextmanager

import numpy as np

from reference_network import EPSILON, batch_statistics, conv, max_pool, upsample


class ModelzooNetwork:
    """hyperparameters: those of the network; derived properties are not used. weights: name -> array.

    is_training: normalise by the batch, otherwise by the moving averages. drop: function (x, rate, layer) -> x, for
    training. After `forward`, `names` lists all variables in the order of creation and `idle` those without effect.
    """

    def __init__(self, hyperparameters, weights, is_training=False, drop=None):
        self.hyperparameters = hyperparameters
        self.weights = weights
        self.is_training = is_training
        self.drop_function = drop
        self.names, self.idle = [], set()
        self.path = ''
        self.uses = Counter()
        self.drops = self.norms = 0

    @property
    def modules(self):
        """How many modules follow each other on either branch of an attention hourglass."""
        return (16 if self.hyperparameters.num_poolings == 3 else 8) // self.hyperparameters.num_stacks

    def forward(self, images):
        """Return the logits (N, S, H, W, J) of images (N, size, size, 3) in [0, 1]."""
        images = images.astype(np.float64)
        return np.stack(
            self.attention_network(images) if self.hyperparameters.attention else self.stacked(images), axis=1
        )

    # The stacked hourglass.

    def stacked(self, x):
        features, joints, tiny = (
            self.hyperparameters.num_features,
            self.hyperparameters.num_joints,
            self.hyperparameters.tiny,
        )
        maps = []
        with self.scope('model'):
            with self.scope('preprocessing'):
                x = self.conv_bn_relu(x, 64, 'conv_256_to_128', size=6, stride=2, padding=2)
                x = max_pool(self.residual(x, 128, 'r1'))
                x = x if tiny else self.residual(x, features // 2, 'r2')
                x = self.residual(x, features, 'r3')
            with self.scope('stacks'):
                for index in range(self.hyperparameters.num_stacks):
                    is_last = index == self.hyperparameters.num_stacks - 1
                    with self.scope(f'stage_{index}'):
                        hourglass = self.hourglass(x, self.hyperparameters.num_poolings, 'hourglass')
                        dropped = self.drop(hourglass, self.hyperparameters.drop_rate)
                        linear = self.conv_bn_relu(dropped, features, 'll' if tiny and not is_last else 'conv')
                        if not tiny and index == 0:
                            of_first = self.conv(linear, features, 'll')
                        elif not tiny and not is_last:
                            self.conv(linear, features, 'll')
                            self.idle.add(self.names[-1])
                        head = self.conv_bn_relu if self.hyperparameters.modif else self.conv
                        maps.append(head(linear, joints, 'out'))
                        if not is_last:
                            back = self.conv(maps[-1], features, 'out_')
                            x = back + linear + x if tiny else back + x + of_first
        return maps

    def hourglass(self, x, n, name):
        features = self.hyperparameters.num_features
        with self.scope(name):
            up = self.residual(x, features, 'up_1')
            low = self.residual(max_pool(x), features, 'low_1')
            low = self.hourglass(low, n - 1, 'low_2') if n > 0 else self.residual(low, features, 'low_2')
            return self.modified(up + upsample(self.residual(low, features, 'low_3')))

    # Multi-context attention.

    def attention_network(self, x):
        stacks, features, joints = (
            self.hyperparameters.num_stacks,
            self.hyperparameters.num_features,
            self.hyperparameters.num_joints,
        )
        with self.scope('preprocessing'):
            x = self.bn_relu(self.conv(x, 64, size=7))
            x = self.residual(max_pool(self.residual(x, 64)), 64)
            x = max_pool(self.residual(x, 128))
            for width in (128, 128, 256):
                x = self.residual(x, width)
        maps = []
        with self.scope('stacks'):
            for index in range(stacks):
                is_last = index == stacks - 1
                width = 2 * features if is_last else features
                # The name as its checkpoints have it.
                with self.scope(f'houglass_{index + 1}'):
                    y = self.attention_hourglass(x, self.hyperparameters.num_poolings)
                y = self.conv_bn_relu(self.conv_bn_relu(y, width), width)
                if is_last or index > stacks // 2:
                    y = self.drop(y, 0.1)
                    with self.scope('attention_part'):
                        y = self.attend(y)
                    with self.scope('attention_part'):
                        maps.append(np.concatenate([self.conv(self.attend(y), 1) for _ in range(joints)], axis=3))
                else:
                    with self.scope('attention_part'):
                        y = self.attend(y)
                    maps.append(self.conv(y, joints))
                if not is_last:
                    back = self.conv(maps[-1], features)
                    x = x + back + self.conv_bn_relu(back, features)
        return maps

    def attention_hourglass(self, x, n):
        features = self.hyperparameters.num_features
        with self.scope('mcam_hg'):
            up, low = x, max_pool(x)
            for index in range(self.modules):
                if n > 1:
                    up = self.repeated(up, n - 1)
                else:
                    up = self.residual(up, features) if index == 0 else self.residual_pool(up)
                low = self.residual(low, features)
            low = self.attention_hourglass(low, n - 1) if n > 1 else self.residual(low, features)
            return up + upsample(self.residual(low, features))

    def repeated(self, x, count):
        with self.scope('rep_residual'):
            x = self.residual(x, self.hyperparameters.num_features)
            for _ in range(count - 1):
                x = self.residual_pool(x)
            return x

    def residual_pool(self, x):
        features = self.hyperparameters.num_features
        with self.scope('residual_pool'):
            total = self.conv_block(x, features) + self.skip(x, features)
            with self.scope('pool_layer'):
                y = self.conv(max_pool(self.bn_relu(x)), features, size=3)
                return total + upsample(self.conv(self.bn_relu(y), features, size=3))

    def attend(self, x):
        with self.scope('attention_iter'):
            evidence = self.conv(x, 1, size=3)
            shared = self.take(f'{self.path}shared_weights', (1, 1, 1, 1))
        q = evidence
        for _ in range(3):
            # The logistic function, in a form that cannot overflow.
            q = 0.5 + 0.5 * np.tanh(0.5 * (shared * q + evidence))
        return x * q

    # Parts of both.

    def residual(self, x, filters, name='residual_block'):
        with self.scope(name):
            y = self.conv_block(x, filters)
            return self.modified(y + self.skip(x, filters))

    def conv_block(self, x, filters):
        with self.scope('conv_block'):
            if self.hyperparameters.tiny:
                return self.conv(self.bn_relu(x), filters, size=3)
            for index, (width, size) in enumerate(((filters // 2, 1), (filters // 2, 3), (filters, 1)), 1):
                with self.scope(f'norm_{index}'):
                    x = self.conv(self.bn_relu(x), width, size=size)
            return x

    def skip(self, x, filters):
        with self.scope('skip_layer'):
            return x if x.shape[3] == filters else self.conv(x, filters)

    def conv_bn_relu(self, x, filters, name='conv', **shape):
        return self.bn_relu(self.conv(x, filters, name, **shape))

    def conv(self, x, filters, name='conv', size=1, stride=1, padding=None):
        with self.scope(name):
            return conv(x, self.take(f'{self.path}weights', (size, size, x.shape[3], filters)), 0, stride, padding)

    def bn_relu(self, x):
        name = f'BatchNorm_{self.norms}/' if self.norms else 'BatchNorm/'
        self.norms += 1
        offset, mean, variance = [
            self.take(name + part, x.shape[3:]) for part in ('beta', 'moving_mean', 'moving_variance')
        ]
        if self.is_training:
            mean, variance = batch_statistics(x)
        return np.maximum((x - mean) / np.sqrt(variance + EPSILON) + offset, 0)

    def modified(self, x):
        return np.maximum(x, 0) if self.hyperparameters.modif else x

    def drop(self, x, rate):
        if self.is_training and rate:
            x = self.drop_function(x, rate, self.drops)
            self.drops += 1
        return x

    # Names.

    @contextmanager
    def scope(self, name):
        """A name within the present path; from its second use there on it is numbered."""
        before, wanted = self.path, self.path + name
        self.path = '{}{}/'.format(wanted, f'_{self.uses[wanted]}' if self.uses[wanted] else '')
        self.uses[wanted] += 1
        yield
        self.path = before

    def take(self, name, shape):
        assert self.weights[name].shape == tuple(shape), name
        self.names.append(name)
        return np.asarray(self.weights[name], np.float64)
