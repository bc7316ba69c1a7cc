"""The manifest of a checkpoint: a JSON file that describes the checkpoint and holds the checksums of its files."""

import hashlib
import json
import os
from typing import Any, Dict, List

from hourglass_pose.errors import CheckpointError
from hourglass_pose.files import file_sha256, parse_json, write_whole

MANIFEST = 'manifest.json'
MANIFEST_FORMAT = 2

# Entries that earlier versions wrote under other names.
_EARLIER_NAMES = {'traits': 'hyperparameters', 'recipe': 'inference'}

Manifest = Dict[str, Any]


def read_manifest(folder: str) -> Manifest:
    """Return a checkpoint's manifest. Raises CheckpointError if it cannot be read or has another format."""
    path = os.path.join(folder, MANIFEST)
    try:
        with open(path, 'rb') as stream:
            manifest = parse_json(stream.read())
        if manifest['format'] > MANIFEST_FORMAT:
            raise CheckpointError(
                f'{path}: written by a newer version (format {manifest["format"]}, this one reads format '
                f'{MANIFEST_FORMAT})'
            )
        if manifest['format'] < MANIFEST_FORMAT:
            raise CheckpointError(
                f'{path}: written by an older version (format {manifest["format"]}, this one reads format '
                f'{MANIFEST_FORMAT}), whose variables had other names; train again, or use that version'
            )
        if manifest.pop('sha256') != _digest_of(manifest):
            raise ValueError('its text differs from what was written')
        if not _are_file_records(manifest['files']):
            raise ValueError('its files have no sizes and checksums')
        for earlier, name in _EARLIER_NAMES.items():
            if earlier in manifest:
                manifest.setdefault(name, manifest.pop(earlier))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f'{path}: the manifest cannot be read ({type(error).__name__}: {error})')
    return manifest


def verify(folder: str) -> Manifest:
    """Return the manifest of a checkpoint whose files have the sizes and checksums that the manifest records.

    Raises CheckpointError naming the first file that differs.
    """
    manifest = read_manifest(folder)
    for name, record in manifest['files'].items():
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            raise CheckpointError(f'{path}: damaged, the file is missing')
        found = _file_record(path)
        if found != record:
            raise CheckpointError(
                f'{path}: damaged; expected {record["size"]} bytes with SHA-256 {record["sha256"][:8]}, found '
                f'{found["size"]} bytes with {found["sha256"][:8]}'
            )
    return manifest


def write_manifest(folder: str, manifest: Manifest, names: List[str]) -> None:
    """Write a manifest with the checksums of the folder's files `names`. Raises UserError if it cannot be written."""
    rewrite_manifest(folder, manifest, {name: _file_record(os.path.join(folder, name)) for name in names})


def rewrite_manifest(folder: str, manifest: Manifest, files: Dict[str, Any]) -> None:
    """Replace a manifest. files: the part with the checksums, which does not change."""
    manifest = dict(manifest, format=MANIFEST_FORMAT, files=files)
    manifest['sha256'] = _digest_of(manifest)
    text = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False)
    write_whole(os.path.join(folder, MANIFEST), f'{text}\n'.encode('ascii'))


def _are_file_records(files: Any) -> bool:
    return isinstance(files, dict) and all(
        isinstance(record, dict) and isinstance(record.get('size'), int) and isinstance(record.get('sha256'), str)
        for record in files.values()
    )


def _digest_of(manifest: Manifest) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode('ascii')).hexdigest()


def _file_record(path: str) -> Dict[str, Any]:
    return {'size': os.path.getsize(path), 'sha256': file_sha256(path)}
