"""PCKh as MPII publishes it, recomputed in plain loops."""

import math

from hourglass_pose.skeleton import MPII_JOINTS


def published_protocol(pred, joints, boxes, missing, threshold=0.5):
    """PCKh as MPII publishes it, in loops: ({joint: percent}, mean of 14, mean weighted by labelled joints)."""
    by_joint, counted = {}, {}
    for joint, name in enumerate(MPII_JOINTS):
        hits = labelled = 0
        for person in range(len(joints)):
            if missing[person][joint]:
                continue
            (x0, y0), (x1, y1) = boxes[person]
            head_size = 0.6 * math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2)
            dx = pred[person][joint][0] - joints[person][joint][0]
            dy = pred[person][joint][1] - joints[person][joint][1]
            labelled += 1
            hits += math.sqrt(dx * dx + dy * dy) / head_size <= threshold
        by_joint[name], counted[name] = 100.0 * hits / labelled, labelled
    kept = [name for name in MPII_JOINTS if name not in ('pelvis', 'thorax')]
    return (
        by_joint,
        sum(by_joint[name] for name in kept) / 14,
        sum(by_joint[name] * counted[name] for name in kept) / sum(counted[name] for name in kept),
    )
