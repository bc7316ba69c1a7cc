"""Makes the golden networks: tiny checkpoints of every architecture, each with an input and its logits.

    python tests/golden/make_golden.py              all of them
    python tests/golden/make_golden.py newell       some of them, by name

They stand for what people have trained. Make one again only where an architecture is new, or changes before anybody
can have trained it: otherwise a test that they fail means that people's checkpoints no longer load.
`hyperparameters.json` holds the hyperparameters as the manifests of the time of making do.
"""

import json
import os
import sys
import zipfile

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))
if __name__ == '__main__':
    sys.path.insert(0, os.path.dirname(FOLDER))
    import conftest  # noqa: F401  (puts the package on the path)

from hourglass_pose import HourglassModel
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.runtime.native import NativeRuntime
from hourglass_pose.tf_compat import tf
from named_weights import set_weights

_SMALL = dict(num_stacks=2, num_features=8, num_poolings=1, num_joints=3, input_size=32)
_STEM = dict(stem_features=(4, 6, 8))
# With three stacks, one of them is neither the first nor the last.
_MODELZOO = dict(_SMALL, arch='modelzoo', num_stacks=3)

GOLDEN = {
    'newell': make_hyperparameters(**dict(_SMALL, **_STEM, num_modules=2)),
    'newell_tiny': make_hyperparameters(**dict(_SMALL, tiny=True, stem_features=(4, 8, 12))),
    # Three poolings and three stacks, so that it has units of all kinds, and maps of other resolutions.
    'newell_attention': make_hyperparameters(
        **dict(_SMALL, **_STEM, arch='newell_attention', num_stacks=3, num_poolings=3, attention_kernel=3)
    ),
    'modelzoo': make_hyperparameters(**_MODELZOO),
    'modelzoo_tiny': make_hyperparameters(**dict(_MODELZOO, tiny=True)),
    'modelzoo_modif': make_hyperparameters(**dict(_MODELZOO, modif=True)),
    'modelzoo_attention': make_hyperparameters(**dict(_MODELZOO, attention=True, num_features=256)),
}
"""Hyperparameters of each golden network, by name."""

WEIGHTS_NOT_KEPT = ('modelzoo_attention',)
"""Networks too large for their weights to be kept: these are made from their names, of which a list is kept."""

_ENDINGS = ('.index', '.data-00000-of-00001')


def golden_path(name, file):
    return os.path.join(FOLDER, name, file)


def unpack_checkpoint(name, folder):
    """Unpack a golden network's TensorFlow checkpoint into a folder and return the path that it is known by."""
    with zipfile.ZipFile(golden_path(name, 'checkpoint.zip')) as archive:
        archive.extractall(str(folder))
    return os.path.join(str(folder), 'network')


def network_session():
    return tf.Session(config=NativeRuntime('cpu', 'float32', intra_threads=1).session_config())


def make(name, hyperparameters):
    """Write hyperparameters.json, io.npz and checkpoint.zip, or variables.txt, into a golden network's folder."""
    os.makedirs(golden_path(name, ''), exist_ok=True)
    size = hyperparameters.input_size
    image = np.random.RandomState(0).randint(0, 256, (2, size, size, 3)).astype(np.uint8)
    with tf.Graph().as_default():
        model = HourglassModel(hyperparameters)
        logits = model.build_logits(tf.constant(image), False)
        with network_session() as session:
            set_weights(session, model.variables())
            logits = session.run(logits)
            if name in WEIGHTS_NOT_KEPT:
                with open(golden_path(name, 'variables.txt'), 'w') as stream:
                    stream.writelines(
                        f'{v.op.name} {"x".join(map(str, v.shape.as_list()))}\n' for v in model.variables()
                    )
            else:
                _pack_checkpoint(name, tf.train.Saver(model.variables()), session)
    np.savez_compressed(golden_path(name, 'io.npz'), image=image, logits=logits)
    with open(golden_path(name, 'hyperparameters.json'), 'w') as stream:
        json.dump(hyperparameters.as_dict(), stream, indent=2, sort_keys=True)
        stream.write('\n')


def _pack_checkpoint(name, saver, session):
    prefix = golden_path(name, 'network')
    saver.save(session, prefix, write_meta_graph=False, write_state=False)
    with zipfile.ZipFile(golden_path(name, 'checkpoint.zip'), 'w') as archive:
        for ending in _ENDINGS:
            with open(prefix + ending, 'rb') as stream:
                # Without the time of writing, so that what does not change is the same file.
                archive.writestr(zipfile.ZipInfo(f'network{ending}'), stream.read(), zipfile.ZIP_DEFLATED)
            os.remove(prefix + ending)


if __name__ == '__main__':
    for wanted in sys.argv[1:] or sorted(GOLDEN):
        make(wanted, GOLDEN[wanted])
        print(golden_path(wanted, ''))
