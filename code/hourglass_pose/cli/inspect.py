"""inspect: what a checkpoint is: its network, how far it was trained, on what, and by which versions."""

import json
import os
from collections import OrderedDict

HELP = 'say what a checkpoint is'


def add_arguments(parser):
    parser.add_argument(
        'checkpoint',
        metavar='CHECKPOINT',
        help='a run folder, a checkpoint in it such as RUN/best, or the prefix of a checkpoint of the '
        'original TensorFlow 1 code',
    )
    parser.add_argument('--json', action='store_true', help='print it as JSON')


def run(options):
    from hourglass_pose.checkpoints.stored import open_stored

    record = describe(open_stored(options.checkpoint))
    if options.json:
        print(json.dumps(record, indent=2))
        return
    width = max(len(name) for name in record)
    for name, value in record.items():
        for line_number, line in enumerate(value if isinstance(value, list) else [value]):
            print('%-*s  %s' % (width, '' if line_number else name, line))


def describe(stored):
    """Return an OrderedDict of what is known of a StoredNetwork: texts and lists of texts, for people and for JSON."""
    from hourglass_pose.checkpoints.variables import report_on_network
    from hourglass_pose.graph.summary import summarise_network

    record = OrderedDict([('checkpoint', stored.path)])
    record['files'] = _files(stored)
    record['network'] = summarise_network(stored.traits).describe()
    record['traits'] = ['{}: {!r}'.format(*item) for item in stored.traits.as_dict().items()]
    record['variables'] = report_on_network(stored.traits, stored.path, stored.prefix).lines()
    if stored.manifest:
        record.update(describe_training(stored.manifest))
    else:
        record['training'] = (
            'by the original TensorFlow 1 code%s; it carries no manifest, so its dropout rate, its '
            'data and its joint names are not known' % ('' if stored.step is None else ', %d steps' % stored.step)
        )
    inference = stored.inference
    record['prediction'] = 'loss {}, sigma {:.3g}, decoding {}, flip test {}, crops by {}'.format(
        inference.loss,
        inference.sigma,
        inference.decoding,
        'on' if inference.flip_test else 'off',
        f'box with margin {inference.box_margin:g}'
        if inference.crop_rule == 'box'
        else f'centre and scale, corners {inference.crop_corners}',
    )
    record['joints'] = ', '.join(name for name, kept in zip(inference.joints, inference.kept_joints) if kept)
    return record


def _files(stored):
    folder, prefix = os.path.split(stored.prefix)
    names = sorted(name for name in os.listdir(folder or '.') if name.startswith(f'{prefix}.'))
    size = sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    return f'{len(names)} files, {size / 1000000.0:.1f} MB{", checksums agree" if stored.manifest else ""}'


def describe_training(manifest):
    """Yield (name, text or list of texts) of what a manifest says of the training."""
    config, progress = manifest['config'], manifest['progress']
    yield (
        'training',
        'step %d, epoch %d of %d%s; seed %d'
        % (
            manifest['global_step'],
            manifest['epoch'],
            config['Train']['nEpochs'],
            ', moving averages of the weights' if manifest['averaged_weights'] else '',
            manifest['seed'],
        ),
    )
    if manifest.get('started_from'):
        yield 'started from', manifest['started_from']
    if manifest.get('source'):
        source = manifest['source']
        yield 'imported from', f'{source["file"]}, of {source["code_base"]}; SHA-256 {source["sha256"]}'
    yield (
        'metrics',
        [
            f'{name} {values["mean"]:.2f} (validation, mean)'
            for name, values in progress['metrics'].items()
            if values['mean'] is not None
        ]
        or 'not validated yet',
    )
    yield 'data', _data(manifest)
    yield 'device', manifest['device']
    yield 'versions', ', '.join('{} {}'.format(*item) for item in sorted(manifest['versions'].items()))


def _data(manifest):
    if manifest['split_hash'] is None:
        return 'not known, the weights were imported'
    data = manifest['config']['DataSetHG']
    return ['{}, images in {}'.format(*pair) for pair in zip(data['training_txt_file'], data['img_directory'])] + [
        'split {:.12}, {:g} of the images for validation'.format(manifest['split_hash'], data['valid_fraction'])
    ]
