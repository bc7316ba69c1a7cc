"""The attention network in NumPy, written from the formulas of Chu et al. 2017, to check the graph against.

Every joint, every resolution and every cell of a kernel is computed apart, where the graph puts them together.
"""

from collections import Counter

import numpy as np

from reference_network import Network, conv, max_pool, upsample


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def mean_field(unary, kernel, bias, steps):
    """Q_1 = sigmoid(k * U + U), Q_t = sigmoid(k * Q_{t-1} + U); unary: (N, H, W, 1), kernel: (K, K)."""
    q = sigmoid(conv(unary, kernel[:, :, None, None], bias) + unary)
    for _ in range(steps - 1):
        q = sigmoid(conv(q, kernel[:, :, None, None], bias) + unary)
    return q


class AttentionNetwork(Network):
    """weights: variable name -> array; layers of one kind are numbered in each scope in the order of their use."""

    def __init__(self, hyperparameters, weights, is_training=False):
        super().__init__(hyperparameters, weights, is_training)
        self._uses = Counter()

    def named(self, scope, kind):
        self._uses[scope, kind] += 1
        number = self._uses[scope, kind] - 1
        return '{}/{}{}'.format(scope, kind, f'_{number}' if number else '')

    def forward(self, images):
        x = self.linear(images - np.asarray(self.hyperparameters.input_mean), 'model/stem')
        for pools in (True, False, True, False, False, False):
            x = self.residual(x, self.named('model/stem', 'residual_block'))
            x = max_pool(x) if pools else x
        maps = []
        for index in range(self.hyperparameters.num_stacks):
            scope = f'model/stack_{index}'
            pyramid = self.hourglass(x, self.hyperparameters.num_poolings, f'{scope}/hourglass/mcam_hg')
            first = self.linear(pyramid[-1], scope)
            features = self.linear(first, scope)
            attended = features * self.multi_resolution(features, pyramid[:-1], f'{scope}/attention')
            maps.append(self.logits(attended, index >= self.hyperparameters.num_stacks // 2, f'{scope}/attention'))
            if index + 1 < self.hyperparameters.num_stacks:
                x = x + self.conv(maps[-1], self.named(scope, 'conv')) + self.linear(first, scope)
        return np.stack(maps, axis=1)

    def linear(self, x, scope):
        return self.normalise_relu(self.conv(x, self.named(scope, 'conv')), self.named(scope, 'batch_norm'))

    def hourglass(self, x, order, scope):
        """Return the features on the way up, from the coarsest on."""
        up, low = x, max_pool(x)
        for module in range(self.hyperparameters.num_modules):
            if order > 1:
                units = self.named(scope, 'rep_residual')
                up = self.residual(up, f'{units}/residual_block')
                for _ in range(order - 2):
                    up = self.hourglass_residual_unit(up, self.named(units, 'residual_pool'))
            elif module == 0:
                up = self.residual(up, self.named(scope, 'residual_block'))
            else:
                up = self.hourglass_residual_unit(up, self.named(scope, 'residual_pool'))
            low = self.residual(low, self.named(scope, 'residual_block'))
        pyramid = self.hourglass(low, order - 1, f'{scope}/mcam_hg') if order > 1 else []
        low = pyramid[-1] if pyramid else self.residual(low, self.named(scope, 'residual_block'))
        return pyramid + [up + upsample(self.residual(low, self.named(scope, 'residual_block')))]

    def hourglass_residual_unit(self, x, scope):
        """Equation 4: x + F(x) + P(x)."""
        pooled = max_pool(self.normalise_relu(x, f'{scope}/pool_layer/batch_norm'))
        pooled = self.normalise_relu(self.conv(pooled, f'{scope}/pool_layer/conv'), f'{scope}/pool_layer/batch_norm_1')
        return self.residual(x, scope) + upsample(self.conv(pooled, f'{scope}/pool_layer/conv_1'))

    def multi_resolution(self, x, coarser, scope):
        """Sum over resolutions r of the map of the features of r, brought to full size."""
        total = 0
        for features in coarser:
            y = self.normalise_relu(features, self.named(scope, 'batch_norm'))
            phi = self.attention(y, self.named(scope, 'attention_iter'))
            while phi.shape[1] < x.shape[1]:
                phi = upsample(phi)
            total = total + phi
        return total + self.attention(x, self.named(scope, 'attention_iter'))

    def attention(self, x, scope, index=0):
        """One map (N, H, W, 1): number `index` of those that the scope's variables hold."""
        weights, bias = self.take(f'{scope}/conv/weights'), self.take(f'{scope}/conv/biases')
        kernel, shared_bias = self.take(f'{scope}/shared_weights'), self.take(f'{scope}/shared_biases')
        unary = conv(x, weights[..., index : index + 1], bias[index])
        return mean_field(unary, kernel[:, :, index, 0], shared_bias[index], self.hyperparameters.attention_iterations)

    def logits(self, x, looks_at_parts, scope):
        """Section 5.3: y_p = w_p * (features weighed by the map of part p), or by one refined map for all."""
        maps, maps_of_joints = self.named(scope, 'attention_iter'), []
        weights, bias = self.take(f'{scope}/heatmaps/weights'), self.take(f'{scope}/heatmaps/biases')
        for joint in range(self.hyperparameters.num_joints):
            weighed = x * self.attention(x, maps, joint if looks_at_parts else 0)
            maps_of_joints.append(weighed.dot(weights[0, 0, :, joint]) + bias[joint])
        return np.stack(maps_of_joints, axis=-1)
