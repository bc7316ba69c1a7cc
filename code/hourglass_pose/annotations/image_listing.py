"""ImageListing: whether image files exist, by one listing of each folder instead of one system call per file."""

import os
from typing import Dict, FrozenSet, Optional


class ImageListing:
    """Answers whether image files exist; each folder is listed once."""

    def __init__(self) -> None:
        self._names: Dict[str, FrozenSet[str]] = {}

    def is_missing(self, path: str) -> bool:
        """Return whether no image file exists at a path."""
        folder, name = os.path.split(path)
        if folder not in self._names:
            self._names[folder] = _list(folder)
        # File systems that ignore case or normalise Unicode open names that the listing spells differently.
        return name not in self._names[folder] and not _exists(path)

    def problem(self, path: str) -> Optional[str]:
        """Return a message if an image file is missing, with the nearest existing name, otherwise None."""
        if not self.is_missing(path):
            return None
        folder, name = os.path.split(path)
        stem = os.path.splitext(name)[0].lower()
        similar = sorted(other for other in self._names[folder] if os.path.splitext(other)[0].lower() == stem)
        hint = f'; did you mean {similar[0]}' if similar else ''
        return f'there is no image {os.path.abspath(path)}{hint}'


def _list(folder: str) -> FrozenSet[str]:
    try:
        return frozenset(os.listdir(folder or '.'))
    except (OSError, ValueError):
        return frozenset()


def _exists(path: str) -> bool:
    try:
        return os.path.exists(path)
    except ValueError:
        return False
