"""NetworkSummary against parameters and operations counted by hand."""

import pytest

from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.graph.summary import summarise_network


class Count:
    """Adds up layer by layer. parameters: weights, biases, scales and offsets. flops: 2 for each multiply-add."""

    def __init__(self):
        self.parameters = self.flops = 0

    def conv(self, kernel, channels, filters, side):
        self.parameters += kernel * kernel * channels * filters + filters
        self.flops += 2 * kernel * kernel * channels * filters * side * side

    def over_maps(self, kernel, maps, side, times):
        self.parameters += kernel * kernel * maps + maps
        self.flops += 2 * kernel * kernel * maps * side * side * times

    def norm(self, channels):
        self.parameters += 2 * channels

    def residual(self, channels, filters, narrow, side):
        self.norm(channels)
        self.conv(1, channels, narrow, side)
        self.norm(narrow)
        self.conv(3, narrow, narrow, side)
        self.norm(narrow)
        self.conv(1, narrow, filters, side)
        if channels != filters:
            self.conv(1, channels, filters, side)


def test_small_network_counted_layer_by_layer():
    # The stem works at sides 16 and 8, the hourglass at 8 and 4; modules are half as wide inside.
    count = Count()
    count.conv(7, 3, 4, 16)
    count.norm(4)
    count.residual(4, 6, 3, 16)
    count.residual(6, 6, 3, 8)
    count.residual(6, 8, 4, 8)
    for side in (8, 4, 4, 4, 8):  # up, low_in, low_mid, low_out, and the one after the hourglass
        count.residual(8, 8, 4, side)
    count.conv(1, 8, 8, 8)
    count.norm(8)
    count.conv(1, 8, 3, 8)
    summary = summarise_network(
        make_hyperparameters(
            num_stacks=1, num_features=8, num_poolings=1, num_joints=3, input_size=32, stem_features=(4, 6)
        )
    )
    assert summary.parameters == count.parameters
    assert summary.gflops * 1e9 == pytest.approx(count.flops, rel=1e-12)


def test_small_attention_network_counted_layer_by_layer():
    # One stack and two poolings: maps of features at sides 4 and 8, and one of each of three joints; 5x5, four steps.
    count = Count()
    count.conv(7, 3, 4, 32)
    count.norm(4)
    for channels, filters, side in ((4, 4, 32), (4, 4, 16), (4, 6, 16), (6, 6, 8), (6, 6, 8), (6, 8, 8)):
        count.residual(channels, filters, filters // 2, side)
    for side in (8, 4, 4, 2, 2, 2, 4):  # up, low_in; inside up, low_in, low_mid, low_out; low_out
        count.residual(8, 8, 4, side)
    for channels in (8, 16):
        count.conv(1, channels, 16, 8)
        count.norm(16)
    count.norm(8)
    for channels, maps, side in ((8, 1, 4), (16, 1, 8), (16, 3, 8)):
        count.conv(3, channels, maps, side)
        count.over_maps(5, maps, side, 4)
    count.conv(1, 16, 3, 8)
    summary = summarise_network(
        make_hyperparameters(
            attention=True,
            attention_kernel=5,
            attention_iterations=4,
            num_stacks=1,
            num_features=8,
            num_poolings=2,
            num_joints=3,
            input_size=32,
            stem_features=(4, 6),
        )
    )
    assert summary.parameters == count.parameters
    assert summary.gflops * 1e9 == pytest.approx(count.flops, rel=1e-12)


def test_published_network_of_two_stacks_counted_by_hand():
    # A residual module of 256 features: 1x1 to 128, 3x3, 1x1 to 256, and scale and offset of 256, 128 and 128.
    multiplies = 256 * 128 + 9 * 128 * 128 + 128 * 256
    module = multiplies + (128 + 128 + 256) + 2 * (256 + 128 + 128)
    # Stem: 7x7 of 3 to 64 with norm; 64 to 128; 128 to 128; 128 to 256.
    stem = (
        (49 * 3 * 64 + 64 + 2 * 64)
        + (64 * 64 + 9 * 64 * 64 + 64 * 128 + 64 * 128 + (64 + 64 + 128 + 128) + 2 * (64 + 64 + 64))
        + (128 * 64 + 9 * 64 * 64 + 64 * 128 + (64 + 64 + 128) + 2 * (128 + 64 + 64))
        + (128 * 128 + 9 * 128 * 128 + 128 * 256 + 128 * 256 + (128 + 128 + 256 + 256) + 2 * (128 + 128 + 128))
    )
    # A stack: 13 modules in the hourglass of four poolings (3 at each, and one at the bottom) and one after it,
    # the 1x1 with norm, the 16 heatmaps; between the stacks two 1x1 back to 256.
    stack = 14 * module + (256 * 256 + 256 + 2 * 256) + (256 * 16 + 16)
    back = (256 * 256 + 256) + (16 * 256 + 256)
    # Modules of a stack by side: 64 up, low_out's result is at 32, and so on; one more at 64 after the hourglass.
    cells = 64 * 64 + (64 * 64 + 2 * 32 * 32) + (32 * 32 + 2 * 16 * 16) + (16 * 16 + 2 * 8 * 8) + (8 * 8 + 3 * 4 * 4)
    stem_multiplies = (
        49 * 3 * 64 * 128 * 128
        + (64 * 64 + 9 * 64 * 64 + 64 * 128 + 64 * 128) * 128 * 128
        + (128 * 64 + 9 * 64 * 64 + 64 * 128) * 64 * 64
        + (128 * 128 + 9 * 128 * 128 + 128 * 256 + 128 * 256) * 64 * 64
    )
    stack_multiplies = multiplies * cells + (256 * 256 + 256 * 16) * 64 * 64
    back_multiplies = (256 * 256 + 16 * 256) * 64 * 64
    summary = summarise_network(make_hyperparameters())
    assert summary.parameters == stem + 2 * stack + back
    assert summary.gflops * 1e9 == pytest.approx(
        2 * (stem_multiplies + 2 * stack_multiplies + back_multiplies), rel=1e-12
    )
    line = summary.describe()
    assert f'{summary.parameters / 1000000.0:.2f} M parameters' in line and f'{summary.gflops:.2f} GFLOPs' in line
    assert '2 stacks of 256 features, 16 joints, input 256, heatmaps 64' in line


@pytest.mark.slow
@pytest.mark.parametrize('features', [128, 256])
def test_tiny_network_costs_at_most_half_at_the_same_width(features):
    standard, tiny = [
        summarise_network(
            make_hyperparameters(
                num_stacks=1, num_features=features, stem_features=(features // 4, features // 2), tiny=tiny
            )
        )
        for tiny in (False, True)
    ]
    assert tiny.gflops <= standard.gflops / 2


def test_small_networks_have_their_count_and_their_arithmetic_in_full():
    summary = summarise_network(make_hyperparameters(num_stacks=1, num_features=8, num_poolings=2, input_size=32))
    assert summary.parameters < 1e5 and summary.gflops < 0.1
    line = summary.describe()
    assert f': {summary.parameters:,} parameters, {summary.gflops * 1000:.2f} MFLOPs' in line and '1 stack of' in line
