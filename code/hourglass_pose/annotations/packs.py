"""Packs: folders of ready crops with their persons, which `prepare --pack` writes and training reads."""

import json
import os
import re
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

from hourglass_pose.annotations.packed_crop import Shard
from hourglass_pose.annotations.person_table import RECORDS, PersonTable, open_arrays, record_type
from hourglass_pose.errors import AnnotationError, excerpt
from hourglass_pose.files import file_sha256, parse_json

MANIFEST = 'pack.json'
FORMAT, VERSION = 'hourglass-pose pack', 1

_AGAIN = 'copy the pack again, or make it again by "prepare --pack"'


@dataclass(frozen=True)
class PackFile:
    """A file of a pack: its name, its size in bytes and the SHA-256 of its content."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class PackManifest:
    """What pack.json holds. joints: names. views: the crops and the largest changes of view that the pack has room for.

    shards, index: the files, in order.
    """

    joints: Tuple[str, ...]
    persons: int
    views: Dict[str, Any]
    shards: Tuple[PackFile, ...]
    index: Tuple[PackFile, ...]

    def text(self) -> str:
        """Return the content of pack.json."""
        return json.dumps(dict(format=FORMAT, version=VERSION, **asdict(self)), indent=1) + '\n'


def is_pack(path: str) -> bool:
    """Return whether a path is a folder with a manifest of a pack."""
    return os.path.isfile(os.path.join(path, MANIFEST))


def read_manifest(folder: str) -> PackManifest:
    """Return the PackManifest of a pack. Raises AnnotationError."""
    path = os.path.join(folder, MANIFEST)
    try:
        with open(path, 'rb') as stream:
            content = parse_json(stream.read())
        if content.pop('format') != FORMAT or content.pop('version') != VERSION:
            raise ValueError(f'expected {FORMAT!r} of version {VERSION}')
        files = {name: tuple(PackFile(**each) for each in content[name]) for name in ('shards', 'index')}
        manifest = PackManifest(tuple(content['joints']), content['persons'], dict(content['views']), **files)
        _check_types(manifest)
        return manifest
    except OSError as error:
        raise AnnotationError(f'{path}: cannot be read ({error.strerror or error}); {_AGAIN}')
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AnnotationError(f'{path}: damaged or of another version ({excerpt(str(error))}); {_AGAIN}')


def open_pack(
    folder: str, num_joints: int, source: int = 0, joint_names: Optional[Sequence[str]] = None
) -> PersonTable:
    """Return the persons of a pack. The sizes of all files are checked, and the content of the index.

    The crops are checked one by one, when they are read.

    num_joints, joint_names, source: as in person_lines.read_person_lines. Raises AnnotationError.
    """
    manifest = read_manifest(folder)
    for each in manifest.shards + manifest.index:
        path = os.path.join(folder, each.name)
        size = os.path.getsize(path) if os.path.isfile(path) else None
        if size != each.size:
            found = 'missing' if size is None else f'{size:,} bytes'
            raise AnnotationError(f'{path}: {found}; expected {each.size:,} bytes; {_AGAIN}')
    try:
        # A gigabyte takes a second. A damaged number in it would otherwise be trained on without a word.
        for each in manifest.index:
            if file_sha256(os.path.join(folder, each.name)) != each.sha256:
                raise ValueError(f'{each.name} is not the file that was written')
        records, names = open_arrays(folder)
    except (OSError, ValueError) as error:
        raise AnnotationError(f'{folder}: the index is damaged ({excerpt(str(error))}); {_AGAIN}')
    if records.dtype != record_type(len(manifest.joints)) or len(records) != manifest.persons:
        raise AnnotationError(f'{folder}: {RECORDS} is not the one of {MANIFEST}; {_AGAIN}')
    shards = [Shard(os.path.join(folder, each.name)) for each in manifest.shards]
    chosen = _chosen(folder, manifest.joints, num_joints, joint_names)
    return PersonTable(records, names, shards, chosen, source)


def _check_types(manifest: PackManifest) -> None:
    """Raise TypeError for values that pack.json cannot have."""
    files = manifest.shards + manifest.index
    wrong: List[Any] = [name for name in manifest.joints if not (isinstance(name, str) and name)]
    wrong += [number for number in (manifest.persons, *(each.size for each in files)) if type(number) is not int]
    wrong += [each for each in files if not (isinstance(each.name, str) and re.match(r'[\w.-]+$', each.name))]
    if wrong:
        raise TypeError(f'it has {wrong[0]!r}')


def _chosen(
    folder: str, joints: Sequence[str], num_joints: int, joint_names: Optional[Sequence[str]]
) -> Optional[List[int]]:
    if joint_names is None:
        if len(joints) != num_joints:
            raise AnnotationError(
                f'{folder}: {len(joints)} joints; expected {num_joints}; name them in DataSetHG.joint_list'
            )
        return None
    missing = [name for name in joint_names if name not in joints]
    if missing:
        raise AnnotationError(
            f'{folder}: no joint {", ".join(missing)} among {", ".join(joints)}; choose DataSetHG.skeleton, or name '
            "the pack's joints in DataSetHG.joint_list"
        )
    return None if tuple(joint_names) == tuple(joints) else [joints.index(name) for name in joint_names]
