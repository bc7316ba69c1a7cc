"""MATLAB files read record by record: what SciPy finds in them, in little memory; damage is reported."""

import struct
import tracemalloc

import numpy as np
import pytest
import scipy.io

from hourglass_pose.converters.matlab_stream import MatlabStruct
from hourglass_pose.errors import AnnotationError
from mpii_mat import EMPTY, random_images, struct_array, write_mpii_mat


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / 'x.mat')


def as_ours(value):
    """Return what SciPy has read in the form that MatlabStruct gives."""
    if value.dtype.names:
        return [{name: as_ours(record[name]) for name in value.dtype.names} for record in value.ravel('F')] or None
    if value.dtype == object:
        return [as_ours(one) for one in value.ravel('F')] or None
    if value.dtype.kind == 'U':
        return str(value.flat[0]) if value.size else None
    return tuple(value.ravel('F').tolist()) or None


@pytest.mark.parametrize('packed', [False, True])
def test_every_value_of_an_official_file_is_the_one_that_scipy_reads(path, rng, packed):
    write_mpii_mat(path, random_images(rng, 60)[0])
    # First, so that something has to be stepped over to find the other.
    scipy.io.savemat(
        path,
        dict([('A', np.ones((300, 400)))] + [item for item in scipy.io.loadmat(path).items() if item[0] == 'RELEASE']),
        do_compression=packed,
    )
    expected = as_ours(scipy.io.loadmat(path)['RELEASE'])[0]
    release = MatlabStruct(path, 'RELEASE')
    assert release.fields(tuple(expected)) == expected
    assert list(release.records('annolist', ('image', 'annorect'))) == [
        {name: record[name] for name in ('image', 'annorect')} for record in expected['annolist']
    ]


@pytest.mark.parametrize(
    'kind', [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64]
)
def test_numbers_of_every_kind_are_read(path, kind, rng):
    array = rng.randint(0, 100, (3, 4)).astype(kind)
    scipy.io.savemat(path, {'s': struct_array([{'a': array, 'b': 'aé照', 'c': EMPTY}])})
    found = MatlabStruct(path, 's').fields(('a', 'b', 'c', 'none'))
    assert found == {'a': tuple(array.ravel('F').tolist()), 'b': 'aé照', 'c': None}


def test_a_variable_or_field_that_is_not_there_has_nothing_in_it(path):
    scipy.io.savemat(path, {'s': struct_array([{'a': EMPTY}]), 'number': 3.0})
    for variable in ('other', 'number'):
        assert MatlabStruct(path, variable).fields(('a',)) == {}
        assert list(MatlabStruct(path, variable).records('a', ('x',))) == []
    for field in 'ab':
        assert list(MatlabStruct(path, 's').records(field, ('x',))) == []


@pytest.mark.parametrize('order, mark', [('<', b'IM'), ('>', b'MI')])
def test_fields_that_were_never_set_and_both_orders_of_bytes_are_read(path, order, mark):
    def element(kind, content):
        return struct.pack(f'{order}II', kind, len(content)) + content + b'\0' * (-len(content) % 8)

    def matrix(kind, name, *parts):
        head = element(6, struct.pack(f'{order}II', kind, 0)) + element(5, struct.pack(f'{order}ii', 1, 1))
        return element(14, head + element(1, name) + b''.join(parts))

    number = matrix(6, b'', element(9, struct.pack(f'{order}d', 2.5)))
    names = element(5, struct.pack(f'{order}i', 8)), element(1, b'unset\0\0\0value\0\0\0')
    # MATLAB writes nothing at all for a field that was never set.
    content = matrix(2, b's', *names, element(14, b''), number)
    with open(path, 'wb') as stream:
        stream.write(b'MATLAB 5.0 MAT-file'.ljust(124) + struct.pack(f'{order}H', 0x0100) + mark + content)
    assert MatlabStruct(path, 's').fields(('unset', 'value')) == {'unset': None, 'value': (2.5,)}
    assert scipy.io.loadmat(path)['s']['value'][0, 0] == 2.5


@pytest.mark.parametrize('share', [0.0, 0.05, 0.3, 0.6, 0.95])
@pytest.mark.parametrize('packed', [False, True])
def test_a_file_that_breaks_off_is_reported(path, rng, packed, share):
    write_mpii_mat(path, random_images(rng, 30)[0])
    scipy.io.savemat(path, {'RELEASE': scipy.io.loadmat(path)['RELEASE']}, do_compression=packed)
    with open(path, 'rb') as stream:
        content = stream.read()
    with open(path, 'wb') as stream:
        stream.write(content[: max(int(len(content) * share), 100)])
    with pytest.raises(AnnotationError, match='x.mat: this MATLAB file is damaged'):
        release = MatlabStruct(path, 'RELEASE')
        release.fields(('img_train', 'single_person', 'act', 'video_list'))
        list(release.records('annolist', ('annorect',)))


def test_changed_bytes_give_numbers_or_one_line_but_no_traceback(path, rng):
    write_mpii_mat(path, random_images(rng, 6)[0])
    scipy.io.savemat(path, {'RELEASE': scipy.io.loadmat(path)['RELEASE']})
    with open(path, 'rb') as stream:
        content = stream.read()
    reported = 0
    for _ in range(150):
        changed = bytearray(content)
        changed[rng.randint(128, len(content))] = rng.randint(256)
        with open(path, 'wb') as stream:
            stream.write(changed)
        try:
            list(MatlabStruct(path, 'RELEASE').records('annolist', ('image', 'annorect')))
        except AnnotationError:
            reported += 1
    assert 0 < reported < 150


def test_memory_holds_one_record_of_many(path, rng):
    few, many = [], []
    for count, peaks in ((20, few), (160, many)):
        write_mpii_mat(path, random_images(rng, count)[0])
        tracemalloc.start()
        try:
            assert sum(1 for _ in MatlabStruct(path, 'RELEASE').records('annolist', ('image', 'annorect'))) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # The values of another 140 images take 0.7 MB; what is read at a time is 4 KB, unpacked twenty times that.
    assert many[0] < few[0] + 4e5
