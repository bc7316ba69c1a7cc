"""A training step of this project compared with the same network in PyTorch, in processes of their own and in turns.

    python benchmarks/step_pytorch.py [--stacks 2] [--batch 8] [--steps 10] [--output FILE]

The network is the published stacked hourglass: 256 features, input 256, heatmaps 64, one residual module at each
position. PyTorch runs it in the layout channels_last with bfloat16 autocast, loss, gradients and RMSProp included.
Needs PyTorch.
"""

import argparse
import json
import os
import sys
from contextlib import ExitStack

CODE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'code')
sys.path.insert(0, CODE)

from hourglass_pose.benchmark.comparison import Side, compare  # noqa: E402
from hourglass_pose.benchmark.worker import Worker, serve  # noqa: E402

FEATURES, DEPTH, INPUT, HEATMAP, JOINTS = 256, 4, 256, 64, 16


def make_network(torch, stacks):
    """Return the network as a torch.nn.Module: images (N, 3, H, W) to a list of heatmaps (N, J, H / 4, W / 4)."""
    nn, features = torch.nn, FEATURES

    def normalised(channels, *convolution):
        return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, *convolution))

    class Residual(nn.Module):
        def __init__(self, channels, filters):
            super().__init__()
            self.branch = nn.Sequential(
                normalised(channels, filters // 2, 1),
                normalised(filters // 2, filters // 2, 3, 1, 1),
                normalised(filters // 2, filters, 1),
            )
            self.skip = nn.Identity() if channels == filters else nn.Conv2d(channels, filters, 1)

        def forward(self, x):
            return self.branch(x) + self.skip(x)

    class Hourglass(nn.Module):
        def __init__(self, depth):
            super().__init__()
            self.up, self.low_in, self.low_out = [Residual(features, features) for _ in range(3)]
            self.low = Hourglass(depth - 1) if depth > 1 else Residual(features, features)

        def forward(self, x):
            low = self.low_out(self.low(self.low_in(nn.functional.max_pool2d(x, 2))))
            return self.up(x) + nn.functional.interpolate(low, scale_factor=2)

    class Stack(nn.Module):
        def __init__(self, is_last):
            super().__init__()
            self.features = nn.Sequential(
                Hourglass(DEPTH),
                Residual(features, features),
                nn.Conv2d(features, features, 1),
                nn.BatchNorm2d(features),
                nn.ReLU(inplace=True),
            )
            self.heatmaps = nn.Conv2d(features, JOINTS, 1)
            self.back = None
            if not is_last:
                self.back = nn.ModuleList([nn.Conv2d(features, features, 1), nn.Conv2d(JOINTS, features, 1)])

        def forward(self, x):
            y = self.features(x)
            maps = self.heatmaps(y)
            return maps, None if self.back is None else x + self.back[0](y) + self.back[1](maps)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            first, second = features // 4, features // 2
            self.stem = nn.Sequential(
                nn.Conv2d(3, first, 7, 2, 3),
                nn.BatchNorm2d(first),
                nn.ReLU(inplace=True),
                Residual(first, second),
                nn.MaxPool2d(2),
                Residual(second, second),
                Residual(second, features),
            )
            self.stacks = nn.ModuleList([Stack(index + 1 == stacks) for index in range(stacks)])

        def forward(self, x):
            x, found = self.stem(x), []
            for stack in self.stacks:
                maps, x = stack(x)
                found.append(maps)
            return found

    return Network()


def forward_gflops(torch, network):
    """Return the 10^9 operations of the convolutions for one image forward, a multiply-add as two."""
    counts = []

    def count(layer, inputs, output):
        counts.append(2 * layer.weight.numel() * output.shape[2] * output.shape[3])

    hooks = [layer.register_forward_hook(count) for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    with torch.no_grad():
        network(torch.zeros(1, 3, INPUT, INPUT))
    for hook in hooks:
        hook.remove()
    return sum(counts) / 1e9


class TorchStep:
    """A training step in PyTorch on one batch, which every step repeats; see benchmark.timed.Timed."""

    untimed = 1

    def __init__(self, stacks, batch):
        import torch

        torch.manual_seed(0)
        self._torch = torch
        network = make_network(torch, stacks)
        self.images, self.gflop = batch, 3 * batch * forward_gflops(torch, network)
        self.description = f'PyTorch {torch.__version__}, bfloat16; {torch.get_num_threads()} threads; batch {batch}'
        self._network = network.to(memory_format=torch.channels_last).train()
        self._optimizer = torch.optim.RMSprop(network.parameters(), 2.5e-4)
        crops = torch.rand(batch, 3, INPUT, INPUT)
        self._crops = crops.to(memory_format=torch.channels_last)
        self._target = torch.rand(batch, JOINTS, HEATMAP, HEATMAP).to(memory_format=torch.channels_last)

    def run(self):
        """Train one step."""
        torch = self._torch
        self._optimizer.zero_grad(set_to_none=True)
        with torch.autocast('cpu', torch.bfloat16):
            outputs = self._network(self._crops)
        loss = sum(torch.nn.functional.mse_loss(maps.float(), self._target) for maps in outputs)
        loss.backward()
        self._optimizer.step()

    def close(self):
        """Keep nothing."""


def main():
    """Print both speeds and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    for name, default in (('--stacks', 2), ('--batch', 8), ('--steps', 10)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument('--output', metavar='FILE')
    parser.add_argument('--serve', action='store_true', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        order = json.loads(sys.stdin.readline())
        return serve([TorchStep(order['stacks'], order['batch'])], sys.stdin)
    settings = [f'Network.nStack={options.stacks}', f'Train.batch_size={options.batch}', "Train.optimizer='rmsprop'"]
    order = {'stacks': options.stacks, 'batch': options.batch}
    with ExitStack() as stack:
        # PyTorch first, which may be missing.
        theirs = Worker(CODE, order, program=[os.path.abspath(__file__), '--serve'])
        stack.callback(theirs.close)
        ours = Worker(CODE, {'what': 'step', 'config': None, 'checkpoint': None, 'sides': [settings]})
        stack.callback(ours.close)
        sides = [Side('this project', ours, 0), Side('PyTorch', theirs, 0)]
        measured = compare(sides, options.steps, [Side('peak', ours, len(ours.parts) - 1)])
    print('\n'.join(measured.lines()))
    if options.output:
        with open(options.output, 'w', encoding='utf-8') as stream:
            json.dump(measured.as_dict(), stream, indent=2)


if __name__ == '__main__':
    main()
