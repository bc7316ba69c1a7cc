"""The description of a network on disk, as text for people and for JSON."""

import os
from typing import Any, Dict, Iterator, List, Tuple, Union

from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.checkpoints.manifest import Manifest
from hourglass_pose.checkpoints.stored import StoredNetwork
from hourglass_pose.checkpoints.variables import report_on_network
from hourglass_pose.errors import counted
from hourglass_pose.graph.hyperparameters import key_name
from hourglass_pose.graph.summary import summarise_network

Text = Union[str, List[str]]


def describe(stored: StoredNetwork) -> Dict[str, Text]:
    """Return {name: text or list of texts} of everything that is known about a network."""
    record: Dict[str, Text] = {'checkpoint': stored.path}
    record['files'] = _files(stored)
    record['network'] = summarise_network(stored.hyperparameters).describe()
    values = stored.hyperparameters.as_dict()
    record['hyperparameters'] = [f'{key_name(name)}: {value!r}' for name, value in values.items()]
    record['variables'] = report_on_network(stored).lines()
    if stored.manifest:
        record.update(describe_training(stored.manifest))
    elif stored.variables:
        record['training'] = 'by another program; the file does not record its data and joint names'
        record.update(_source(stored.source))
    else:
        steps = '' if stored.step is None else f', {counted(stored.step, "step")}'
        record['training'] = (
            f'by the original TensorFlow 1 code{steps}; it carries no manifest, so its dropout rate, data and '
            'joint names are not known'
        )
    record['prediction'] = _prediction(stored.inference)
    joints = zip(stored.inference.joints, stored.inference.kept_joints)
    record['joints'] = ', '.join(name for name, kept in joints if kept)
    return record


def describe_training(manifest: Manifest) -> Iterator[Tuple[str, Text]]:
    """Yield (name, text or list of texts) of the training that a manifest records."""
    config, progress = manifest['config'], manifest['progress']
    averages = ', moving averages of the weights' if manifest['averaged_weights'] else ''
    yield (
        'training',
        f'step {manifest["global_step"]}, epoch {manifest["epoch"]} of {config["Train"]["nEpochs"]}{averages}; seed '
        f'{manifest["seed"]}',
    )
    if manifest.get('started_from'):
        yield 'started from', manifest['started_from']
    yield from _source(manifest.get('source'))
    metrics = [
        f'{name} {values["mean"]:.2f} (validation, mean)'
        for name, values in progress['metrics'].items()
        if values['mean'] is not None
    ]
    if progress.get('best_score') is not None and progress.get('best_by'):
        metrics.append(f'{progress["best_by"]} {progress["best_score"]:.4g} (the best so far, which decides)')
    yield 'metrics', metrics or 'not validated yet'
    yield 'data', _data(manifest)
    yield 'device', manifest['device']
    yield 'versions', ', '.join(f'{name} {version}' for name, version in sorted(manifest['versions'].items()))


def _source(source: Any) -> Iterator[Tuple[str, Text]]:
    if source:
        yield 'imported from', f'{source["file"]}, of {source["code_base"]}; SHA-256 {source["sha256"]}'


def _prediction(inference: InferenceRecord) -> str:
    if inference.crop_rule == 'box':
        crops = f'box with margin {inference.box_margin:g}'
    else:
        crops = f'centre and scale, corners {inference.crop_corners}'
    return (
        f'loss {inference.loss}, sigma {inference.sigma:.3g}, decoding {inference.codec().decoding}, flip test '
        f'{"on" if inference.flip_test else "off"}, crops by {crops}'
        f'{", person output" if inference.gives_person else ""}'
    )


def _files(stored: StoredNetwork) -> str:
    if stored.prefix is None:
        return f'1 file, {os.path.getsize(stored.path) / 1e6:.1f} MB'
    folder, prefix = os.path.split(stored.prefix)
    names = sorted(name for name in os.listdir(folder or '.') if name.startswith(f'{prefix}.'))
    size = sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    return f'{len(names)} files, {size / 1e6:.1f} MB{", checksums agree" if stored.manifest else ""}'


def _data(manifest: Manifest) -> Text:
    if manifest['split_hash'] is None:
        return 'not known, the weights were imported'
    data = manifest['config']['DataSetHG']
    files = [f'{path}, images in {folder}' for path, folder in zip(data['training_txt_file'], data['img_directory'])]
    split = f'split {manifest["split_hash"][:12]}, {data["valid_fraction"]:g} of the images for validation'
    return [*files, split]
