"""Damaged configuration files give a valid Config or a ConfigError, never another exception."""

import os
import random

from hourglass_pose.config.config import config_from_dict, format_config, load_config
from hourglass_pose.errors import ConfigError

REFERENCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, 'code', 'config.cfg')

NASTY = [
    b'',
    b'None',
    b'True',
    b'-1',
    b'0',
    b'1e999',
    b'nan',
    b'%(x)s',
    b'%',
    b"'",
    b'"""',
    b'[',
    b'[' * 3000,
    b'9' * 5000,
    b'\xff',
    b'\x00',
    b'\xef\xbb\xbf',
    b'\r',
    b'\x0c',
    b'\xc2\x85',
    b'{}',
    b'{[]}',
    b'[None]',
    b"['']",
    b'1_0',
    b'0777',
    b'1j',
    b'b"x"',
    b"'\\ud800'",
    b"'\\x00'",
    b"'~\\x00'",
    b"'~'",
    b'...',
    b'a.b',
    b'[[[]]]',
    b'-' * 3000,
    b'[Train]',
    b'[DEFAULT]',
    b'[]',
    b'=',
    b':',
    b'#',
    b';',
    b'\n ',
    b'\n\t[x]\n',
    b'(1,)',
    b'99999999999999999999',
    b'2147483647',
    b'[0.5, 0.5]',
    b'[1, 1]',
    b"['a', 'b']",
    b'1 if 1 else 2',
    b'lambda: 0',
]


def load(folder, text):
    (folder / 'config.cfg').write_bytes(text)
    return load_config(str(folder / 'config.cfg'))


def mutate(text, draw):
    """Return bytes of a configuration after one to four random accidents."""
    lines = text.split(b'\n')
    for _ in range(draw.randint(1, 4)):
        accident, at = draw.randrange(7), draw.randrange(len(lines))
        line = lines[at]
        if accident == 0:
            other = draw.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif accident == 1:
            lines[at : at + draw.randint(1, 3)] = [b'']
        elif accident == 2:
            lines.insert(at, draw.choice(lines))
        elif accident == 3 and line:
            where = draw.randrange(len(line))
            lines[at] = line[:where] + bytes([line[where] ^ (1 << draw.randrange(8))]) + line[where + 1 :]
        elif accident == 4:
            where = draw.randrange(len(line) + 1)
            lines[at] = line[:where] + draw.choice(NASTY) + line[where + draw.randrange(3) :]
        else:
            lines[at] = line.split(b':')[0] + b': ' + draw.choice(NASTY + lines).split(b': ')[-1]
    return b'\n'.join(lines)


def test_mutated_files_give_a_config_or_a_config_error(tmp_path):
    with open(REFERENCE, 'rb') as stream:
        commented = stream.read()
    plain = format_config(config_from_dict({})).encode('utf-8')
    draw, accepted = random.Random(20160322), 0
    total = 500
    for index in range(total):
        text = mutate(plain if index % 5 else commented, draw)
        try:
            config = load(tmp_path, text)
        except ConfigError as error:
            assert str(error) and str(error).count('\n') <= 10
        else:
            accepted += 1
            assert load(tmp_path, format_config(config).encode('utf-8')) == config
    assert total / 20 < accepted < total / 2
