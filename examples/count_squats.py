"""Counts squats in a video.

python examples/count_squats.py VIDEO.mp4 CHECKPOINT
"""

import sys

from hourglass_pose import Predictor
from hourglass_pose.prediction.video.following import Follower
from hourglass_pose.videos import VideoReader


def count_squats(video, predictor, persons=1):
    """Return {number of a person: squats}; in a squat the hips come near the feet and go up again."""
    squats, longest, is_down = {}, {}, {}
    for frame in Follower(predictor, persons).frames(VideoReader(video)):
        for person in frame.persons:
            joints = dict(zip(person.pose.names, person.smoothed_img))
            hips, feet = (joints[f'l_{name}'][1] + joints[f'r_{name}'][1] for name in ('hip', 'ankle'))
            height = feet - hips  # NaN if not all are seen
            longest[person.track] = max(longest.get(person.track, 0), height)
            if height < 0.65 * longest[person.track]:
                is_down[person.track] = True
            elif height > 0.85 * longest[person.track] and is_down.pop(person.track, False):
                squats[person.track] = squats.get(person.track, 0) + 1
    return squats


if __name__ == '__main__':
    print(count_squats(sys.argv[1], Predictor(*sys.argv[2:3], flip_test=False)))
