"""A toy architecture in one file: a strided convolution and a hyperparameter of its own."""

from dataclasses import dataclass
from typing import Any, ClassVar, Iterator, Optional

from hourglass_pose.graph.hyperparameters import Hyperparameters, Mistake, NetworkOutputs, setting
from hourglass_pose.graph.tower import Dropout, Tower
from hourglass_pose.rules import integer


@dataclass(frozen=True)
class ToyHyperparameters(Hyperparameters):
    """Hyperparameters of the toy."""

    toy_width: int = setting(4, integer(1), 'channels of the toy')

    arch: ClassVar[str] = 'toy'
    title: ClassVar[str] = 'a toy'
    network: ClassVar[str] = 'toy_network'

    def limits(self) -> Iterator[Mistake]:
        if self.toy_width > self.input_size:
            yield 'toy_width', 'at most input_size', self.toy_width


def build(settings: ToyHyperparameters, images: Any, is_training: bool, dropout: Optional[Dropout]) -> NetworkOutputs:
    """Return the outputs of the toy for images in [0, 1]."""
    tower = Tower(is_training, dropout)
    with tower.scope('toy'):
        x = tower.batch_norm_relu(tower.conv(images, settings.toy_width, 7, stride=4))
        return NetworkOutputs([tower.conv(x, settings.num_joints, name='heatmaps')])
