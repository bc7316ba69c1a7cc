"""Generated COCO annotations and results: crowds, persons without keypoints, several persons an image."""

import numpy as np


def random_annotations(random, num_images=8):
    """Return the content of an annotations JSON."""
    images = [{'id': 100 + 7 * index, 'file_name': f'{100 + 7 * index:012d}.jpg'} for index in range(num_images)]
    annotations = []
    for image in images:
        for _ in range(random.randint(1, 5)):
            x, y = random.uniform(0, 300, 2)
            width, height = random.uniform(20, 250, 2)
            marks = random.choice([0, 1, 2], 17, p=[0.3, 0.2, 0.5])
            crowd = random.uniform() < 0.15
            if crowd or random.uniform() < 0.2:
                marks[:] = 0
            joints = np.rint(random.uniform((x, y), (x + width, y + height), (17, 2)))
            joints[marks == 0] = 0
            annotations.append(
                {
                    'id': 1 + len(annotations),
                    'image_id': image['id'],
                    'category_id': 1,
                    'iscrowd': int(crowd),
                    'area': float(width * height * random.uniform(0.3, 0.8)),
                    'bbox': [float(x), float(y), float(width), float(height)],
                    'keypoints': np.concatenate([joints, marks[:, None]], axis=1).ravel().tolist(),
                    'num_keypoints': int((marks > 0).sum()),
                }
            )
    return {'images': images, 'annotations': annotations, 'categories': [{'id': 1, 'name': 'person'}]}


def random_results(random, content, spread=8.0):
    """Return the content of a result JSON: noisy poses of most persons, and some of nobody."""
    results = []
    for person in content['annotations']:
        if random.uniform() < 0.1:
            continue
        joints = np.array(person['keypoints'], float).reshape(17, 3)
        empty = joints[:, 2] == 0
        joints[empty, :2] = random.uniform(0, 500, (empty.sum(), 2))
        joints[:, :2] += random.normal(0, spread * random.uniform(0, 3), (17, 2))
        joints[:, 2] = random.uniform(0, 1, 17)
        results.append(
            {
                'image_id': person['image_id'],
                'category_id': 1,
                'keypoints': joints.ravel().tolist(),
                'score': float(random.uniform()),
            }
        )
    return results
