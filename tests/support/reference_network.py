"""The stacked hourglass in NumPy, written from the paper (Newell, Yang and Deng 2016), to check the graph against.

Maps are float64 (N, H, W, C). Weights come from a dict of variable name -> array.
"""

import numpy as np

DECAY = 0.9
# TensorFlow raises smaller epsilons of its fused operation to this, the least that cuDNN takes.
EPSILON = 1.001e-5


def conv(x, kernel, bias, stride=1, padding=None):
    """Slide the kernel (K, K, in, out) over x with K // 2 zeros around it; no shortcut but the sum over channels.

    padding: another number of zeros on each side.
    """
    size = kernel.shape[0]
    padding = size // 2 if padding is None else padding
    padded = np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)], 'constant')
    height, width = x.shape[1] // stride, x.shape[2] // stride
    y = np.zeros((len(x), height, width, kernel.shape[3])) + bias
    for row in range(size):
        for column in range(size):
            window = padded[:, row : row + stride * height : stride, column : column + stride * width : stride]
            y += window.dot(kernel[row, column])
    return y


def batch_statistics(x):
    """Mean and biased variance of each channel."""
    mean = x.mean(axis=(0, 1, 2))
    return mean, np.square(x - mean).mean(axis=(0, 1, 2))


def max_pool(x):
    return np.maximum(np.maximum(x[:, ::2, ::2], x[:, 1::2, ::2]), np.maximum(x[:, ::2, 1::2], x[:, 1::2, 1::2]))


def upsample(x):
    return np.repeat(np.repeat(x, 2, axis=1), 2, axis=2)


class Network:
    """weights: variable name -> array. is_training: normalise by the batch, otherwise by the moving averages."""

    def __init__(self, hyperparameters, weights, is_training=False):
        self.hyperparameters = hyperparameters
        self.weights = {name: np.asarray(array, np.float64) for name, array in weights.items()}
        self.is_training = is_training
        self.used = set()
        self.features = None

    def forward(self, images):
        """Return the logits (N, S, H, W, J) of images (N, size, size, 3) in [0, 1]; keep the last features."""
        x = self.normalise_relu(self.conv(images - 0.5, 'model/stem/conv_in', 2), 'model/stem/batch_norm')
        x = self.residual(x, 'model/stem/residual_0')
        x = self.residual(max_pool(x), 'model/stem/residual_1')
        x = self.residual(x, 'model/stem/residual_2')
        maps = []
        for index in range(self.hyperparameters.num_stacks):
            scope = f'model/stack_{index}/'
            y = self.hourglass(x, self.hyperparameters.num_poolings, f'{scope}hourglass')
            y = self.residuals(y, f'{scope}residual')
            y = self.normalise_relu(self.conv(y, f'{scope}linear'), f'{scope}batch_norm')
            maps.append(self.conv(y, f'{scope}heatmaps'))
            self.features = y
            if index + 1 < self.hyperparameters.num_stacks:
                x = x + self.conv(y, f'{scope}features_back') + self.conv(maps[-1], f'{scope}heatmaps_back')
        return np.stack(maps, axis=1)

    def person(self, cells):
        """Return the person logits (N,) of the last features: their means over cells x cells parts, two full layers."""
        count, side, _, channels = self.features.shape
        parts = self.features.reshape(count, cells, side // cells, cells, side // cells, channels).mean(axis=(2, 4))
        hidden = self.take('model/person/hidden/weights').reshape(cells * cells * channels, -1)
        hidden = np.maximum(parts.reshape(count, -1).dot(hidden) + self.take('model/person/hidden/biases'), 0)
        last = self.take('model/person/logit/weights').reshape(-1, 1)
        return (hidden.dot(last) + self.take('model/person/logit/biases'))[:, 0]

    def hourglass(self, x, order, scope):
        branch = self.residuals(x, f'{scope}/up')
        low = self.residuals(max_pool(x), f'{scope}/low_in')
        low = self.hourglass(low, order - 1, f'{scope}/low') if order > 1 else self.residuals(low, f'{scope}/low_mid')
        return branch + upsample(self.residuals(low, f'{scope}/low_out'))

    def residuals(self, x, scope):
        for index in range(self.hyperparameters.num_modules):
            x = self.residual(x, f'{scope}_{index}')
        return x

    def residual(self, x, scope):
        y = x
        for layer in (1, 2, 3):
            y = self.conv(self.normalise_relu(y, f'{scope}/batch_norm_{layer}'), f'{scope}/conv_{layer}')
        if f'{scope}/skip/weights' in self.weights:
            x = self.conv(x, f'{scope}/skip')
        return x + y

    def conv(self, x, scope, stride=1):
        return conv(x, self.take(f'{scope}/weights'), self.take(f'{scope}/biases'), stride)

    def normalise_relu(self, x, scope):
        mean, variance = self.take(f'{scope}/moving_mean'), self.take(f'{scope}/moving_variance')
        if self.is_training:
            mean, variance = batch_statistics(x)
        y = self.take(f'{scope}/gamma') * (x - mean) / np.sqrt(variance + EPSILON) + self.take(f'{scope}/beta')
        return np.maximum(y, 0)

    def take(self, name):
        self.used.add(name)
        return self.weights[name]
