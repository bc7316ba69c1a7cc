"""NewellAttentionHyperparameters: the hyperparameters of a stacked hourglass with multi-context attention."""

from dataclasses import dataclass
from typing import ClassVar

from hourglass_pose.graph.hyperparameters import setting
from hourglass_pose.graph.newell.hyperparameters import NewellHyperparameters
from hourglass_pose.rules import integer


@dataclass(frozen=True)
class NewellAttentionHyperparameters(NewellHyperparameters):
    """Hyperparameters of Chu et al. 2017, "Multi-Context Attention for Human Pose Estimation"."""

    attention_kernel: int = setting(
        11, integer(1, odd=True), 'side of the kernel that smooths an attention map, in cells'
    )
    attention_iterations: int = setting(3, integer(1), 'mean-field steps that make an attention map')

    arch: ClassVar[str] = 'newell_attention'
    title: ClassVar[str] = 'the published one with multi-context attention (Chu et al. 2017)'
    network: ClassVar[str] = 'hourglass_pose.graph.newell_attention.network'
    attention: ClassVar[bool] = True

    @property
    def part_attention_from(self) -> int:
        """Index of the first stack that has an attention map for each joint; the last stack always has."""
        return self.num_stacks // 2
