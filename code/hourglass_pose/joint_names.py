"""Names of joints: how they spell a side, what else a joint is called, and which joints are partners.

Left and right are those of the person in the photo.
"""

import re
from typing import Dict, List, Optional, Pattern, Set, Tuple

# The original code's configuration files misspell these two joints.
_SPELLINGS = {'r_anckle': 'r_ankle', 'l_anckle': 'l_ankle'}

_OTHER_SIDE = {'right': 'left', 'left': 'right', 'r': 'l', 'l': 'r'}

# Other names of a joint, without its side, lower case and without separators.
_SYNONYMS = {'headtop': 'head', 'tophead': 'head', 'topofhead': 'head', 'hips': 'hip', 'midhip': 'pelvis'}

# How a side is written, with the groups side and rest: right_x, r_x, x_right, x_r, RightX, rightX, RX, XRight. A
# separator is one of "_", "-", "." and a space.
_SIDED = tuple(
    re.compile(pattern)
    for pattern in (
        r'(?P<side>(?i:right|left|r|l))[-_. ]+(?P<rest>.+)$',
        r'(?P<rest>.+?)[-_. ]+(?P<side>(?i:right|left|r|l))$',
        r'(?P<side>[Rr]ight|[Ll]eft|R|L|r|l)(?P<rest>[A-Z0-9].*)$',
        r'(?P<rest>.*[a-z0-9])(?P<side>Right|Left|R|L)$',
    )
)

# Anywhere else, these are sides only if the joint of the other side exists: rwrist with lwrist, but not "leg" or "rib"
# alone; front_left_paw with front_right_paw; bl_paw with br_paw. The words come before the patterns above, because
# LEFTWRIST is not the left "EFTWRIST".
_WORDS, _LETTERS = re.compile('right|left'), re.compile('[rl]')


def mended(name: str) -> str:
    """Return a joint's name, spelled correctly where the original code's configuration files misspell it."""
    return _SPELLINGS.get(name, name)


def split_sides(names: Tuple[str, ...]) -> List[Tuple[str, str]]:
    """Return (side, rest) of each name: 'right', 'left' or '', and the name without it, in lower case, no separators.

    names: all joints of a skeleton, because some spellings are a side only where both sides exist.
    """
    lower_names = {name.lower() for name in names}
    split_names = []
    for name in names:
        match = next(filter(None, (pattern.match(name) for pattern in _SIDED)), None)
        side, rest = (
            _with_partner(name.lower(), _WORDS, lower_names)
            or ((match.group('side').lower(), match.group('rest')) if match else None)
            or _with_partner(name.lower(), _LETTERS, lower_names)
            or ('', name)
        )
        split_names.append(({'r': 'right', 'l': 'left'}.get(side, side), _plain(rest)))
    return split_names


def _with_partner(name: str, sides: Pattern[str], names: Set[str]) -> Optional[Tuple[str, str]]:
    """Return (side, rest) of a name whose partner is among the names, all lower case; None for no or several ways."""
    found = []
    for match in sides.finditer(name):
        before, after = name[: match.start()], name[match.end() :]
        if before + _OTHER_SIDE[match.group()] + after in names:
            found.append((match.group(), before + after))
    return found[0] if len(found) == 1 else None


def _plain(name: str) -> str:
    """Return a name in lower case without separators."""
    return re.sub('[-_. ]', '', name.lower())


def role_of(side: str, rest: str) -> str:
    """Return the one name of a joint that split_sides has split, whatever its spelling: r_wrist, l_wrist, neck, ..."""
    stem = _SYNONYMS.get(rest, rest)
    return f'{side[0]}_{stem}' if side else stem


def derived_partners(sides: List[Tuple[str, str]]) -> Tuple[int, ...]:
    """Return the partner's index of each joint by split_sides; its own index if it has none."""
    by_side: Dict[Tuple[str, str], List[int]] = {}
    for index, key in enumerate(sides):
        by_side.setdefault(key, []).append(index)
    partners = list(range(len(sides)))
    for (side, rest), indices in by_side.items():
        others = by_side.get((_OTHER_SIDE.get(side, ''), rest), [])
        # Two spellings of one joint, such as r_x and right_x, leave the partner open.
        if side and len(indices) == len(others) == 1:
            partners[indices[0]] = others[0]
    return tuple(partners)


def given_partners(names: Tuple[str, ...], pairs: Tuple[Tuple[str, str], ...]) -> Tuple[int, ...]:
    """Return the partner's index of each joint by pairs of names; its own index if it has none.

    Raises ValueError for a pair that names no joint, or one twice.
    """
    partners = list(range(len(names)))
    for first, second in pairs:
        for name in (first, second):
            if name not in names:
                raise ValueError(f'flip_pairs names {name!r}, which is not a joint')
            if partners[names.index(name)] != names.index(name):
                raise ValueError(f'flip_pairs names {name!r} twice')
        if first == second:
            raise ValueError(f'flip_pairs pairs {first!r} with itself')
        partners[names.index(first)], partners[names.index(second)] = names.index(second), names.index(first)
    return tuple(partners)
