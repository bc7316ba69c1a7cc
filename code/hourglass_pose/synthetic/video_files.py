"""Writing of a video of rendered people: an MP4 file, and the true joints as a line of JSON for each frame."""

import os
from typing import Any, Callable, Dict

from hourglass_pose.skeleton import MPII_JOINTS
from hourglass_pose.synthetic.walks import PersonInFrame, SyntheticVideo
from hourglass_pose.videos import FrameLines, VideoWriter

TRUTH_FORMAT = 'hourglass-pose true joints 1'


def write_synthetic_video(folder: str, name: str, video: SyntheticVideo, progress: Callable[[Any], Any] = iter) -> str:
    """Write NAME.mp4 and NAME.jsonl into a folder and return the path of the video.

    progress: as tqdm, takes a sized iterable and returns it; one item of it is one frame.
    Raises UserError if a file cannot be written, or would replace one that this program did not write.
    """
    stem = os.path.join(folder, name)
    with FrameLines(f'{stem}.jsonl', TRUTH_FORMAT) as lines:
        with VideoWriter(f'{stem}.mp4', video.fps, video.size_wh) as writer:
            for index in progress(range(video.num_frames)):
                writer.write(video.image(index))
                lines.write(truth_record(video, index))
    return f'{stem}.mp4'


def truth_record(video: SyntheticVideo, index: int) -> Dict[str, Any]:
    """Return the JSON-able truth of a frame: its time, and the joints of every person as [x, y, 1 if visible]."""
    return {
        'frame': index,
        'time': round(index / video.fps, 6),
        'persons': [_person_record(person) for person in video.persons(index)],
    }


def _person_record(person: PersonInFrame) -> Dict[str, Any]:
    joints = {
        name: [round(float(x), 3), round(float(y), 3), int(visible)]
        for name, (x, y), visible in zip(MPII_JOINTS, person.joints_img, person.visible)
    }
    return {'track': person.number, 'hidden': not bool(person.visible.any()), 'joints': joints}
