"""Scaling: a training step of several processes next to the same step without their exchange, and what follows."""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping

import numpy as np

from hourglass_pose.benchmark.comparison import NOTEWORTHY_LOAD, Comparison, Side, compare, foreign_load_note
from hourglass_pose.benchmark.crowd import Crowd

TOGETHER, ALONE, GRADIENTS, MESSAGE = range(4)
"""Index of each part of a process: step, step without exchange, exchange of all gradients, exchange of one number."""

FURTHER = (2, 4, 8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True)
class Scaling:
    """Seconds of some processes on one machine, as medians of the blocks of a comparison.

    together: step with exchange. alone: the same step, of all processes at the same time, without exchange.
    gradients: exchange of num_bytes bytes. message: exchange of one number.
    """

    processes: int
    description: str
    images: int
    num_bytes: int
    together: float
    alone: float
    gradients: float
    message: float
    foreign_load: float

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> 'Scaling':
        """Return the Scaling of which as_dict has returned this content."""
        seconds = content['seconds']
        return cls(
            content['processes'],
            content['description'],
            content['images_of_process'],
            content['gradient_bytes'],
            seconds['step'],
            seconds['step_without_exchange'],
            seconds['exchange_of_gradients'],
            seconds['exchange_of_a_number'],
            content['foreign_load'],
        )

    @property
    def latency(self) -> float:
        """Seconds of one of the 2 (N - 1) messages, one after the other, in which a ring of N processes sums.

        The call itself is counted among them, so this is an upper bound.
        """
        return self.message / (2 * (self.processes - 1))

    @property
    def seconds_per_byte(self) -> float:
        """Seconds of one byte that a process sends on."""
        return max(0.0, self.gradients - self.message) / sent_bytes(self.num_bytes, self.processes)

    def exchange_seconds(self, processes: int, latency: float = 0.0, seconds_per_byte: float = 0.0) -> float:
        """Return 2 (N - 1) x latency + bytes sent x seconds a byte, of a ring of N processes with the same links.

        latency, seconds_per_byte: what a network adds to the links inside this machine.
        """
        sent = sent_bytes(self.num_bytes, processes)
        return 2 * (processes - 1) * (self.latency + latency) + sent * (self.seconds_per_byte + seconds_per_byte)

    def as_dict(self) -> Dict[str, Any]:
        """Return everything, JSON-able."""
        return {
            'processes': self.processes,
            'description': self.description,
            'images_of_process': self.images,
            'gradient_bytes': self.num_bytes,
            'seconds': {
                'step': self.together,
                'step_without_exchange': self.alone,
                'exchange_of_gradients': self.gradients,
                'exchange_of_a_number': self.message,
            },
            'share_of_exchange': self.together / self.alone - 1,
            'latency_seconds': self.latency,
            'seconds_per_byte': self.seconds_per_byte,
            'more_processes': [
                {
                    'processes': number,
                    'bytes_sent': sent_bytes(self.num_bytes, number),
                    'exchange_seconds': self.exchange_seconds(number),
                }
                for number in FURTHER
            ],
            'foreign_load': self.foreign_load,
        }

    def lines(self) -> List[str]:
        """Return the report."""
        content = self.as_dict()
        lines = [
            f'{self.processes} processes: {_milliseconds(self.together)} a step of {self.images} images each, '
            f'{_milliseconds(self.alone)} without exchange (+{100 * content["share_of_exchange"]:.1f} %); '
            f'{self.description}',
            f'exchange alone: {_milliseconds(self.gradients)} for {self.num_bytes / 1e6:.1f} MB of gradients, '
            f'{_milliseconds(self.message)} for one number',
            'a ring of N such processes: 2 (N - 1) x latency + 2 (N - 1) / N x gradients x time a byte, with a latency '
            f'of {_milliseconds(self.latency)} and {1e9 * self.seconds_per_byte:.2f} ns a byte',
        ]
        lines += [
            f'  N = {row["processes"]:3}: {row["bytes_sent"] / 1e6:8.1f} MB, {_milliseconds(row["exchange_seconds"])}'
            for row in content['more_processes']
        ]
        if self.foreign_load > NOTEWORTHY_LOAD:
            lines.append(foreign_load_note(self.foreign_load))
        return lines


def sent_bytes(num_bytes: int, processes: int) -> float:
    """Return the bytes that each process sends in a ring: all but its own part, twice (Patarasuk and Yuan 2009)."""
    return 2.0 * (processes - 1) / processes * num_bytes


def measure_scaling(crowd: Crowd, runs: int) -> Scaling:
    """Run the parts of the processes in turns. runs: smallest number of runs of each part."""
    names = ('together', 'alone', 'gradients', 'message')
    return scaling_of(compare([Side(name, crowd, index) for index, name in enumerate(names)], runs), len(crowd))


def scaling_of(comparison: Comparison, processes: int) -> Scaling:
    """Return the Scaling of a comparison of the four parts."""
    parts = comparison.sides[0].worker.parts
    seconds = np.median(comparison.seconds, axis=1)
    return Scaling(
        processes,
        parts[TOGETHER]['description'],
        parts[TOGETHER]['images'],
        4 * int(parts[GRADIENTS]['description']),
        float(seconds[TOGETHER]),
        float(seconds[ALONE]),
        float(seconds[GRADIENTS]),
        float(seconds[MESSAGE]),
        comparison.foreign_load,
    )


def _milliseconds(seconds: float) -> str:
    return f'{1000 * seconds:.2f} ms'
