"""Counts squats in a video.

python examples/count_squats.py VIDEO.mp4 CHECKPOINT
"""

import sys

from hourglass_pose import Predictor
from hourglass_pose.prediction.video.following import Follower
from hourglass_pose.videos import VideoReader


def count_squats(video, predictor):
    """Return {number of a person: squats}; in a squat the hips go down to the knees and come up again."""
    squats, is_down = {}, {}
    for frame in Follower(predictor).frames(VideoReader(video)):
        for person in frame.persons:
            joints = dict(zip(person.pose.names, person.smoothed_img))
            hip, knee, ankle = (joints[f'l_{part}'][1] + joints[f'r_{part}'][1] for part in ('hip', 'knee', 'ankle'))
            height = (knee - hip) / (ankle - knee)  # of the hips: 1 upright, 0 at the knees, NaN if not all are seen
            if height < 0.5:
                is_down[person.track] = True
            elif height > 0.7 and is_down.pop(person.track, False):
                squats[person.track] = squats.get(person.track, 0) + 1
    return squats


if __name__ == '__main__':
    print(count_squats(sys.argv[1], Predictor(*sys.argv[2:3], flip_test=False)))
