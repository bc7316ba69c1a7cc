"""Files like mpii_human_pose_v1_u12_1.mat with the oddities of the real one, and what a reader has to find in them."""

import numpy as np
import scipy.io

EMPTY = np.zeros((0, 0))

# Ways in which the official file says whether a joint is visible, and what they mean.
VISIBLE = (
    (np.array([[1]], np.uint8), True),
    (np.array([[0]], np.uint8), False),
    ('1', True),
    ('0', False),
    (np.array([[1.0]]), True),
    (EMPTY, True),
)


def struct_array(records, shape=None):
    """Return a MATLAB struct array (1, N) of dictionaries; a field that a record lacks is empty."""
    names = sorted({name for record in records for name in record})
    array = np.empty((1, len(records)), [(name, object) for name in names])
    for index, record in enumerate(records):
        for name in names:
            value = record.get(name, EMPTY)
            cell = np.empty((), object)
            cell[()] = value
            array[name][0, index] = cell[()]
    return array


def point_of(x, y, identity, visible=None):
    """Return a record of `point`; visible None leaves the field out."""
    record = {'x': np.array([[float(x)]]), 'y': np.array([[float(y)]]), 'id': np.array([[identity]], np.uint8)}
    return record if visible is None else dict(record, is_visible=visible)


def rectangle_of(points=None, centre=None, scale=None, head=None):
    """Return a record of `annorect`. points: records of point_of, [] for an empty list, None for no annopoints."""
    record = {}
    if points is not None:
        # MATLAB writes an empty annopoints, or an annopoints with an empty point.
        record['annopoints'] = struct_array([{'point': struct_array(points)}]) if points else EMPTY
    if centre is not None:
        record['objpos'] = struct_array([{'x': np.array([[centre[0]]]), 'y': np.array([[centre[1]]])}])
    if scale is not None:
        record['scale'] = np.array([[float(scale)]])
    if head is not None:
        record.update((name, np.array([[float(value)]])) for name, value in zip(('x1', 'y1', 'x2', 'y2'), head))
    return record


def write_mpii_mat(path, images):
    """Write the official layout. images: (name, is training, records of rectangle_of or None for an empty annorect)."""
    annolist = struct_array(
        [
            {
                'image': struct_array([{'name': name}]),
                'annorect': EMPTY if people is None else struct_array(people),
                'frame_sec': EMPTY if index % 3 else np.array([[7]], np.uint8),
                'vididx': EMPTY if index % 3 else np.array([[index + 1]], np.uint16),
            }
            for index, (name, _, people) in enumerate(images)
        ]
    )
    single = np.empty((len(images), 1), object)
    single[:, 0] = [np.array([[1]], np.uint8) if people else EMPTY for _, _, people in images]
    release = struct_array(
        [
            {
                'annolist': annolist,
                'img_train': np.array([[is_training for _, is_training, _ in images]], np.uint8),
                'version': '12',
                'single_person': single,
                'act': struct_array(
                    [{'cat_name': 'sports', 'act_name': EMPTY, 'act_id': np.array([[-1]], np.int16)}] * len(images)
                ).T,
                'video_list': np.array([['abc']], object),
            }
        ]
    )
    scipy.io.savemat(path, {'RELEASE': release}, do_compression=True)


def random_images(rng, count):
    """Return (images, expected): images for write_mpii_mat, and by person what a reader has to find in them.

    expected: dictionaries of name, index, training, joints {joint: (x, y, visible)} counted from 1, centre, scale and
    head, in the order of the file; None stands for persons without usable data.
    """
    images, expected = [], []
    for number in range(count):
        name, is_training = f'{number + 1:09d}.jpg', bool(rng.rand() < 0.7)
        if rng.rand() < 0.1:
            images.append((name, is_training, None))
            continue
        people = []
        for index in range(1 + rng.binomial(3, 0.2)):
            record, found = _random_person(rng, is_training)
            people.append(record)
            expected.append(found and dict(found, name=name, index=index, training=is_training))
        images.append((name, is_training, people))
    return images, expected


def _random_person(rng, is_training):
    centre, scale = [float(rng.randint(50, 900)), float(rng.randint(50, 600))], float(rng.uniform(0.5, 6))
    if not is_training:
        return rectangle_of(None, centre, scale), {'joints': {}, 'centre': centre, 'scale': scale, 'head': None}
    kind = rng.choice(['whole', 'one', 'empty', 'none', 'no scale'], p=[0.8, 0.05, 0.05, 0.05, 0.05])
    head = [float(value) for value in rng.randint(10, 700, 4)]
    if kind in ('empty', 'none'):
        return rectangle_of([] if kind == 'empty' else None, centre, scale, head), None
    if kind == 'no scale':
        centre, scale = None, None
    joints, points, is_given = {}, [], rng.rand() < 0.5
    for joint in rng.permutation(16)[: 1 if kind == 'one' else rng.randint(2, 17)]:
        x, y = (round(float(value), 3) for value in rng.uniform(-5, 900, 2))
        mark, visible = VISIBLE[rng.randint(len(VISIBLE))] if is_given else (None, True)
        points.append(point_of(x, y, int(joint), mark))
        joints[int(joint)] = (x, y, visible)
    return rectangle_of(points, centre, scale, head), {'joints': joints, 'centre': centre, 'scale': scale, 'head': head}
