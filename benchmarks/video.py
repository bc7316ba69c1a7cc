"""Measures the prediction of a video: frames per second, processor time per frame, and memory over many frames.

python benchmarks/video.py --checkpoint hourglass.onnx [--frames N] [--people N] [--persons N]

A rendered person walks to and fro in a video of 640 x 480 pixels; the files are written as by `predict`.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from typing import Any, Iterator, List, Tuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'code'))

from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.prediction.video.recording import record_video
from hourglass_pose.synthetic.walks import SyntheticVideo
from hourglass_pose.videos import VideoReader, VideoWriter

RENDERED, SIZE_WH, FPS = 125, (640, 480), 25.0
# Libraries take their memory in the first frames.
WARM_UP = 100


def write_video(path: str, people: int, frames: int) -> None:
    """Write a video whose rendered frames are shown forwards and backwards until it is long enough."""
    video = SyntheticVideo(0, people, RENDERED, SIZE_WH, FPS)
    images = [video.image(index) for index in range(RENDERED)]
    loop = images + images[-2:0:-1]
    with VideoWriter(path, FPS, SIZE_WH) as writer:
        for index in range(frames):
            writer.write(loop[index % len(loop)])


class Watched:
    """A VideoReader that notes time, processor time and memory at the first frame, after WARM_UP, and at the end."""

    def __init__(self, reader: VideoReader) -> None:
        self._reader = reader
        self.notes: List[Tuple[float, ...]] = []
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def __iter__(self) -> Iterator[Tuple[float, Any]]:
        for frame in self._reader:
            if self.count in (0, WARM_UP):
                self.note()
            self.count += 1
            yield frame
        self.note()

    def note(self) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        with open('/proc/self/statm') as stream:
            resident = int(stream.read().split()[1]) * resource.getpagesize() / 2**20
        self.notes.append((self.count, time.perf_counter(), usage.ru_utime + usage.ru_stime, resident))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--checkpoint', help='default: the network that ships with the package')
    parser.add_argument('--frames', type=int, default=2000)
    parser.add_argument('--people', type=int, default=1, help='in the video')
    parser.add_argument('--persons', type=int, help='largest number that is followed; default: all')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'walk.mp4')
        write_video(path, options.people, options.frames)
        with Predictor(options.checkpoint, flip_test=False) as predictor:
            print(f'network: {predictor.stored.path}; {predictor.engine.description}')
            watched = Watched(VideoReader(path))
            record_video(watched, os.path.join(folder, 'walk'), predictor, options.persons)
    show(*watched.notes[1:])


def show(warm: Tuple[float, ...], end: Tuple[float, ...]) -> None:
    frames, seconds, busy, grown = (late - early for early, late in zip(warm, end))
    print(f'frames {warm[0]:.0f} to {end[0]:.0f}: {frames / seconds:.1f} frames/s')
    print(f'processor time: {1000 * busy / frames:.1f} ms a frame, {busy / seconds:.2f} cores')
    print(f'memory: {warm[3]:.0f} MiB after {warm[0]:.0f} frames, {grown:+.1f} MiB at the end')


if __name__ == '__main__':
    main()
