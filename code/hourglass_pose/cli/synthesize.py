"""synthesize: a data set or a video of rendered people."""

import argparse
from typing import Any, Dict, Tuple

from hourglass_pose.cli.numbers import integer_from

HELP = 'render a data set of people: JPEGs and a dataset.txt; or a video of people with their joints'

_SMALLEST, _LARGEST = 64, 4096
_VIDEO_DEFAULTS: Dict[str, Any] = {'people': 1, 'frames': 250, 'size': (640, 480), 'motion': 'walk', 'crossing': None}


def size_argument(text: str) -> Tuple[int, int]:
    """Return the two numbers of 'WIDTHxHEIGHT', even and from 64 to 4096. Raises ArgumentTypeError."""
    try:
        width, height = [int(number) for number in text.lower().split('x')]
    except ValueError:
        width = height = 0
    if not all(_SMALLEST <= side <= _LARGEST and side % 2 == 0 for side in (width, height)):
        raise argparse.ArgumentTypeError(
            f'expected WIDTHxHEIGHT, even numbers from {_SMALLEST} to {_LARGEST}, such as 640x480; found {text!r}'
        )
    return width, height


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    from hourglass_pose.synthetic.motions import MOTIONS

    parser.add_argument('--output', required=True, metavar='DIR', help='folder for images/ and dataset.txt, or a video')
    parser.add_argument('--images', type=int, metavar='N', help='images to render (default: 4000)')
    parser.add_argument('--seed', type=int, default=0, help='another number renders other people (default: 0)')
    parser.add_argument(
        '--video', action='store_true', help='render a video, MOTION_seedN.mp4, and its joints, MOTION_seedN.jsonl'
    )
    video = parser.add_argument_group('options of --video')
    video.add_argument('--people', type=integer_from(1), metavar='N', help='people in the video (default: 1)')
    video.add_argument('--frames', type=integer_from(1), metavar='N', help='frames, 25 a second (default: 250)')
    video.add_argument('--size', type=size_argument, metavar='WxH', help='size in pixels (default: 640x480)')
    video.add_argument('--motion', choices=tuple(MOTIONS), help='what the people do (default: walk)')
    video.add_argument(
        '--crossing',
        type=integer_from(0),
        metavar='HIDDEN',
        help='two people walk past each other, behind a post that hides them for so many frames, 0 for none',
    )


def run(options: argparse.Namespace) -> None:
    """Render the data set or the video and print the path of its annotations or of the video."""
    from hourglass_pose.errors import UserError
    from hourglass_pose.experiment.experiment import make_folder
    from hourglass_pose.experiment.training_data import rendering_bar

    if not 0 <= options.seed < 2**32:
        raise UserError(f'--seed: expected an integer from 0 to 2^32 - 1, found {options.seed}')
    given = [name for name in _VIDEO_DEFAULTS if getattr(options, name) is not None]
    if options.video:
        if options.images is not None:
            raise UserError('--images and --video: expected one of them; --frames is the length of a video')
        make_folder(options.output)
        print(_write_video(options))
        return
    if given:
        raise UserError(f'--{given[0]}: is an option of --video; add --video, or leave it out')
    from hourglass_pose.cores import available_cores
    from hourglass_pose.synthetic.dataset import write_synthetic_dataset

    images = 4000 if options.images is None else options.images
    if images < 1:
        raise UserError(f'--images: expected an integer >= 1, found {images}')
    make_folder(options.output)
    print(write_synthetic_dataset(options.output, images, options.seed, rendering_bar, available_cores()))


def _write_video(options: argparse.Namespace) -> str:
    from hourglass_pose.errors import UserError
    from hourglass_pose.experiment.training_data import rendering_bar
    from hourglass_pose.synthetic.motions import MOTIONS
    from hourglass_pose.synthetic.video_files import write_synthetic_video
    from hourglass_pose.synthetic.walks import SyntheticVideo

    people, frames, size, motion, crossing = (
        default if getattr(options, name) is None else getattr(options, name)
        for name, default in _VIDEO_DEFAULTS.items()
    )
    if crossing is not None:
        if options.people not in (None, 2) or not MOTIONS[motion].speed:
            raise UserError('--crossing: expected two people who walk or run; leave out --people and --motion')
        people = 2
    video = SyntheticVideo(options.seed, people, frames, size, motion=motion, crossing=crossing)
    return write_synthetic_video(options.output, f'{motion}_seed{options.seed}', video, rendering_bar)
