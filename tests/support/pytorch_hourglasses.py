"""The two PyTorch hourglasses in NumPy, by the names of their own modules: what their state dicts hold and compute.

Written from bearpaw/pytorch-pose (pose/models/hourglass.py) and princeton-vl/pytorch_stacked_hourglass
(models/posenet.py, models/layers.py). Maps are float64 (N, H, W, C); weights are laid out as PyTorch does.
"""

from collections import OrderedDict

import numpy as np

from reference_network import conv, max_pool, upsample

EPSILON = 1e-5


class _Module:
    """Layers on a state dict, which is filled with random weights where it has none yet."""

    def __init__(self, seed=0):
        self.random = np.random.RandomState(seed)
        self.state = OrderedDict()

    def conv(self, x, name, filters, size=1, stride=1):
        fan_in = x.shape[3] * size**2
        weight = self._take(
            f'{name}.weight', lambda: self.random.normal(0, 0.7 * fan_in**-0.5, (filters, x.shape[3], size, size))
        )
        bias = self._take(f'{name}.bias', lambda: self.random.normal(0, 0.1, filters))
        return conv(x, weight.transpose(2, 3, 1, 0), bias, stride)

    def normalise_relu(self, x, name):
        channels = x.shape[3]
        factor = self._take(f'{name}.weight', lambda: self.random.uniform(0.5, 1.5, channels))
        offset = self._take(f'{name}.bias', lambda: self.random.normal(0, 0.2, channels))
        mean = self._take(f'{name}.running_mean', lambda: self.random.normal(0, 0.2, channels))
        variance = self._take(f'{name}.running_var', lambda: self.random.uniform(0.5, 1.5, channels))
        self.state.setdefault(f'{name}.num_batches_tracked', np.array(7, np.int64))
        return np.maximum((x - mean) / np.sqrt(variance + EPSILON) * factor + offset, 0)

    def bottleneck(self, x, name, filters, conv_end=''):
        y = self.conv(self.normalise_relu(x, f'{name}.bn1'), f'{name}.conv1{conv_end}', filters // 2)
        y = self.conv(self.normalise_relu(y, f'{name}.bn2'), f'{name}.conv2{conv_end}', filters // 2, 3)
        return self.conv(self.normalise_relu(y, f'{name}.bn3'), f'{name}.conv3{conv_end}', filters)

    def _take(self, name, draw):
        if name not in self.state:
            self.state[name] = np.asarray(draw(), np.float32)
        return self.state[name].astype(np.float64)


class Bearpaw(_Module):
    """HourglassNet with `first` channels after the first convolution and 2 * planes in the hourglasses."""

    input_mean = np.array([0.4404, 0.4440, 0.4327])

    def __init__(self, stacks, blocks=1, first=4, planes=4, joints=3, depth=2, seed=0):
        super().__init__(seed)
        self.stacks, self.blocks, self.first, self.planes = stacks, blocks, first, planes
        self.joints, self.depth = joints, depth

    def forward(self, images):
        """Return the maps (N, S, H, W, J) of images (N, size, size, 3) in [0, 1], RGB."""
        x = self.conv(images - self.input_mean, 'conv1', self.first, 7, 2)
        x = self.block(self.normalise_relu(x, 'bn1'), 'layer1.0', 2 * self.first)
        x = self.block(max_pool(x), 'layer2.0', 4 * self.first)
        x = self.block(x, 'layer3.0', 2 * self.planes)
        maps = []
        for stack in range(self.stacks):
            y = self.blocks_in_a_row(self.hourglass(x, self.depth, f'hg.{stack}.hg'), f'res.{stack}')
            y = self.normalise_relu(self.conv(y, f'fc.{stack}.0', 2 * self.planes), f'fc.{stack}.1')
            maps.append(self.conv(y, f'score.{stack}', self.joints))
            if stack < self.stacks - 1:
                x = (
                    x
                    + self.conv(y, f'fc_.{stack}', 2 * self.planes)
                    + self.conv(maps[-1], f'score_.{stack}', 2 * self.planes)
                )
        return np.stack(maps, axis=1)

    def hourglass(self, x, n, name):
        up = self.blocks_in_a_row(x, f'{name}.{n - 1}.0')
        low = self.blocks_in_a_row(max_pool(x), f'{name}.{n - 1}.1')
        low = self.hourglass(low, n - 1, name) if n > 1 else self.blocks_in_a_row(low, f'{name}.0.3')
        return up + upsample(self.blocks_in_a_row(low, f'{name}.{n - 1}.2'))

    def blocks_in_a_row(self, x, name):
        for index in range(self.blocks):
            x = self.block(x, f'{name}.{index}', 2 * self.planes)
        return x

    def block(self, x, name, filters):
        y = self.bottleneck(x, name, filters)
        return y + (x if x.shape[3] == filters else self.conv(x, f'{name}.downsample.0', filters))


class Princeton(_Module):
    """PoseNet with `stem` channels after the first convolution and the first two residual modules."""

    input_mean = np.zeros(3)

    def __init__(self, stacks, stem=(4, 8, 8), features=8, joints=3, depth=2, seed=0):
        super().__init__(seed)
        self.stacks, self.stem, self.features, self.joints, self.depth = stacks, stem, features, joints, depth

    def forward(self, images):
        """Return the maps (N, S, H, W, J) of images (N, size, size, 3) in [0, 1], RGB."""
        first, second, third = self.stem
        x = self.normalise_relu(self.conv(images, 'pre.0.conv', first, 7, 2), 'pre.0.bn')
        x = self.residual(max_pool(self.residual(x, 'pre.1', second)), 'pre.3', third)
        x = self.residual(x, 'pre.4', self.features)
        maps = []
        for stack in range(self.stacks):
            y = self.hourglass(x, self.depth, f'hgs.{stack}.0')
            y = self.conv(self.residual(y, f'features.{stack}.0'), f'features.{stack}.1.conv', self.features)
            y = self.normalise_relu(y, f'features.{stack}.1.bn')
            maps.append(self.conv(y, f'outs.{stack}.conv', self.joints))
            if stack < self.stacks - 1:
                x = (
                    x
                    + self.conv(maps[-1], f'merge_preds.{stack}.conv.conv', self.features)
                    + self.conv(y, f'merge_features.{stack}.conv.conv', self.features)
                )
        return np.stack(maps, axis=1)

    def hourglass(self, x, n, name):
        up = self.residual(x, f'{name}.up1')
        low = self.residual(max_pool(x), f'{name}.low1')
        low = self.hourglass(low, n - 1, f'{name}.low2') if n > 1 else self.residual(low, f'{name}.low2')
        return up + upsample(self.residual(low, f'{name}.low3'))

    def residual(self, x, name, filters=None):
        filters = filters or self.features
        # Declared in every module, applied where the width changes.
        skip = self.conv(x, f'{name}.skip_layer.conv', filters)
        return self.bottleneck(x, name, filters, '.conv') + (skip if x.shape[3] != filters else x)
