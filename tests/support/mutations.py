"""Files as they come from other people: bytes, lines, JSON values and arrays damaged at random, by a seed."""

import copy
import math

import numpy as np

# What a value becomes: other types, numbers that are none, huge ones, and text of any kind.
VALUES = (
    None,
    True,
    float('nan'),
    math.inf,
    -math.inf,
    1e30,
    -1e30,
    10**400,
    2**63,
    -1,
    0,
    0.5,
    '',
    'text',
    'a\0b',
    '\ud800',
    'ä' * 300,
    [],
    {},
    [[]],
    [None],
)
WORDS = (
    b'nan',
    b'inf',
    b'-1e999',
    b'1_0',
    b'\xe4\xf6\xfc',
    b'\0',
    b'"',
    b'{',
    b'[]',
    b'null',
    b'99999999999',
    b'-',
    b'',
)


def mutate_bytes(content, rng):
    """Return bytes with one to five changes: bytes replaced, cut out, repeated, or the end cut off."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        if not data:
            break
        start = rng.randint(len(data))
        end = min(len(data), start + rng.randint(1, 40))
        kind = rng.randint(5)
        if kind == 0:
            data[start] = rng.randint(256)
        elif kind == 1:
            del data[start:end]
        elif kind == 2:
            data[start:start] = data[start:end]
        elif kind == 3:
            data[start:end] = bytes(rng.randint(0, 256, end - start).astype(np.uint8))
        elif rng.rand() < 0.3:
            del data[start:]
    return bytes(data)


def mutate_text(content, rng):
    """Return the bytes of a text file with changed words, fields, lines, line ends or encoding, or changed bytes."""
    kind = rng.randint(6)
    if kind == 0:
        return mutate_bytes(content, rng)
    if kind == 1:
        return content.replace(b'\n', (b'\r', b'\r\n', b'\n\n', b' ')[rng.randint(4)])
    if kind == 2:
        text = content.decode('utf-8')
        return text.encode(('utf-16', 'utf-8-sig', 'utf-32')[rng.randint(3)])
    lines = content.split(b'\n')
    row = rng.randint(len(lines))
    if kind == 3:
        lines[row:row] = [lines[rng.randint(len(lines))]] * rng.randint(0, 3)
        return b'\n'.join(lines)
    words = lines[row].split(b' ')
    column = rng.randint(len(words))
    if kind == 4:
        words[column] = WORDS[rng.randint(len(WORDS))]
    else:
        del words[column]
    lines[row] = b' '.join(words)
    return b'\n'.join(lines)


def mutate_value(value, rng):
    """Return a copy of a JSON-able value with one to three parts, at any depth, replaced, removed or doubled."""
    value = copy.deepcopy(value)
    for _ in range(rng.randint(1, 4)):
        value = _mutated_once(value, rng)
    return value


def _mutated_once(value, rng):
    holder, key, inner = None, None, value
    while isinstance(inner, (dict, list)) and inner and (holder is None or rng.rand() < 0.85):
        keys = sorted(inner, key=str) if isinstance(inner, dict) else range(len(inner))
        holder, key = inner, keys[rng.randint(len(keys))]
        inner = holder[key]
    replacement = copy.deepcopy(VALUES[rng.randint(len(VALUES))])
    if holder is None:
        return replacement
    kind = rng.randint(4)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(inner))
    else:
        holder[key] = replacement
    return value


def mutate_arrays(arrays, rng):
    """Return {name: array} with one to three changes: numbers, types, shapes, or arrays left out."""
    arrays = {name: np.array(array) for name, array in arrays.items()}
    for _ in range(rng.randint(1, 4)):
        if not arrays:
            break
        name = sorted(arrays)[rng.randint(len(arrays))]
        array = arrays[name]
        kind = rng.randint(6)
        if kind == 0:
            del arrays[name]
        elif kind == 1 and array.ndim:
            arrays[name] = np.moveaxis(array, 0, -1)
        elif kind == 2 and len(array.shape) and len(array):
            arrays[name] = array[: rng.randint(len(array))]
        elif kind == 3:
            arrays[name] = np.array([b'text'])
        elif array.size and array.dtype.kind in 'fiu':
            changed = array.astype(np.float64)
            flat = changed.reshape(-1)
            flat[rng.randint(flat.size, size=max(1, flat.size // 50))] = (np.nan, np.inf, -np.inf, 1e30, -1, 0, 300.5)[
                rng.randint(7)
            ]
            arrays[name] = changed
    return arrays
