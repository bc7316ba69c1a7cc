"""The architecture, read from the sources: which room imports which, and the shape of every file."""

import ast
import functools
import importlib
import os
import runpy

import pytest

CODE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'code')
PACKAGE = 'hourglass_pose'

GROUND = (
    'errors',
    'invocation',
    'allocation',
    'cores',
    'files',
    'rules',
    'jpeg_header',
    'images',
    'videos',
    'joint_names',
    'skeleton',
    'geometry',
)
# The rooms, from the ground up: a module imports only from its own room and from those before it.
ROOMS = (
    '',
    *GROUND,
    'tf_compat',
    'annotations',
    'input',
    'representations',
    'graph',
    'synthetic',
    'converters',
    'evaluation',
    'scoring',
    'report',
    'runtime',
    'checkpoints',
    'training',
    'prediction',
    'export',
    'doctor',
    'benchmark',
    'config',
    'experiment',
    'cli',
    'launch',
    '__main__',
)
# Everything here loads without TensorFlow; the other rooms need a session.
WITHOUT_TENSORFLOW = (
    *GROUND,
    'annotations',
    'input',
    'synthetic',
    'converters',
    'evaluation',
    'scoring',
    'report',
    'config',
    'launch',
    # The way of an ONNX model.
    'checkpoints.exported',
    'checkpoints.inference',
    'prediction.engine',
    'prediction.finding',
    'prediction.onnx_engine',
    'prediction.photos',
    'prediction.pose',
    'prediction.pose_files',
    'prediction.predictor',
    'prediction.similarity',
    'prediction.windows',
    'prediction.video',
    # What a path is, is found out without TensorFlow.
    'checkpoints.folder',
    'checkpoints.manifest',
    'checkpoints.opening',
    'checkpoints.original',
    'checkpoints.paths',
    'checkpoints.run_lock',
    'checkpoints.stored',
    'experiment.starting',
    'cli.train',
    'cli.resume',
    'cli.inspect',
    'cli.import_weights',
    'cli.options',
)
MOST_COLUMNS = 120


def find_sources():
    """Return {module name: path} of the package."""
    sources = {}
    for folder, _, names in os.walk(os.path.join(CODE, PACKAGE)):
        for name in names:
            if name.endswith('.py'):
                path = os.path.join(folder, name)
                parts = os.path.relpath(path, CODE)[: -len('.py')].split(os.sep)
                sources['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return sources


SOURCES = find_sources()


def read(path):
    with open(path, encoding='utf-8') as stream:
        return stream.read()


def literal(node):
    """Return the value of an expression that is written out, otherwise None."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def imported_names(tree, package, at_load_only=False):
    """Yield the dotted names that a module imports; `from a import b` gives both a and a.b.

    package: the package the module is in, for relative imports. at_load_only: leave out what functions import when
    they are called. A call such as import_module('a') counts as an import of a.
    """
    for node in ast.iter_child_nodes(tree):
        if at_load_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package.split('.')[: len(package.split('.')) - node.level + 1] if node.level else []
            base = '.'.join(above + ([node.module] if node.module else []))
            yield base
            for alias in node.names:
                yield f'{base}.{alias.name}'
        elif isinstance(node, ast.Call) and node.args:
            function = getattr(node.func, 'attr', getattr(node.func, 'id', None))
            if function in ('import_module', '__import__') and isinstance(literal(node.args[0]), str):
                yield literal(node.args[0])
        yield from imported_names(node, package, at_load_only)


@functools.lru_cache(None)
def imports_of(module, at_load_only=False):
    """Set of dotted names that a module of the package imports."""
    path = SOURCES[module]
    package = module if path.endswith('__init__.py') else module.rpartition('.')[0]
    return set(imported_names(ast.parse(read(path)), package, at_load_only))


def own_imports_of(module, at_load_only=False):
    """Set of modules of the package that a module imports."""
    return {name for name in imports_of(module, at_load_only) if name in SOURCES} - {module}


def everything_loaded_by(module):
    """Set of modules of the package that are loaded when a module is imported, packages on the way included."""
    loaded, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in loaded:
            loaded.add(name)
            waiting.extend(own_imports_of(name, at_load_only=True))
            if '.' in name:
                waiting.append(name.rpartition('.')[0])
    return loaded


def is_within(name, *parents):
    """Tell whether a dotted name is one of some modules, or in one of some packages."""
    return any(name == parent or name.startswith(f'{parent}.') for parent in parents)


def inside(*parents):
    """Names of the modules in parts of the package, given without its name."""
    return sorted(name for name in SOURCES if is_within(name, *[f'{PACKAGE}.{parent}' for parent in parents]))


def room_of(module):
    return (module.split('.') + [''])[1]


def test_imports_are_found_at_every_level():
    source = '\n'.join(
        [
            'import a.b as c',
            'from d import e',
            'from . import f',
            'from ..g import h',
            'try:',
            '    import i',
            'except ImportError:',
            '    i = None',
            'def later():',
            '    import j',
            "    return import_module('k')",
            'class L:',
            '    import m',
        ]
    )
    found = set(imported_names(ast.parse(source), 'p.q'))
    assert found == {'a.b', 'd', 'd.e', 'p.q', 'p.q.f', 'p.g', 'p.g.h', 'i', 'j', 'k', 'm'}
    assert found - set(imported_names(ast.parse(source), 'p.q', at_load_only=True)) == {'j', 'k'}


@pytest.mark.parametrize('module', sorted(SOURCES))
def test_a_module_imports_only_from_rooms_below_it(module):
    assert room_of(module) in ROOMS, f'{module} is in no room of ROOMS'
    above = [name for name in own_imports_of(module) if ROOMS.index(room_of(name)) > ROOMS.index(room_of(module))]
    assert not above


def test_no_imports_go_in_a_circle():
    imports = {module: own_imports_of(module) for module in SOURCES}
    while imports:
        free = [module for module, needed in imports.items() if not needed & set(imports)]
        assert free, f'in a circle: {", ".join(sorted(imports))}'
        for module in free:
            del imports[module]


@pytest.mark.parametrize('module', inside(*WITHOUT_TENSORFLOW))
def test_rooms_without_a_session_load_no_tensorflow(module):
    assert f'{PACKAGE}.tf_compat' not in everything_loaded_by(module)
    assert f'{PACKAGE}.tf_compat' not in own_imports_of(module)


@pytest.mark.parametrize('module', inside('representations'))
def test_only_graph_halves_of_representations_load_tensorflow(module):
    loads = f'{PACKAGE}.tf_compat' in everything_loaded_by(module)
    assert loads == module.endswith('.graph')


def test_every_module_can_be_imported():
    """On Python 3.7 this shows that nothing newer is used."""
    for module in sorted(SOURCES):
        if not module.endswith('__main__'):
            importlib.import_module(module)


def test_the_package_itself_loads_nothing():
    assert everything_loaded_by(PACKAGE) == {PACKAGE}


def test_only_tf_compat_imports_tensorflow():
    importers = {module for module in SOURCES if any(is_within(name, 'tensorflow') for name in imports_of(module))}
    assert importers == {f'{PACKAGE}.tf_compat'}


def test_only_the_ascend_runtime_imports_its_libraries():
    importers = {
        module for module in SOURCES if any(is_within(name, 'npu_bridge', 'hccl') for name in imports_of(module))
    }
    assert importers <= {f'{PACKAGE}.runtime.ascend'}


@pytest.mark.parametrize('module', inside('graph', 'representations'))
def test_the_graph_knows_neither_data_nor_devices(module):
    assert not {
        name
        for name in own_imports_of(module) | everything_loaded_by(module)
        if room_of(name) in ('annotations', 'input', 'runtime')
    }


def test_only_the_composition_root_and_the_command_line_see_the_config():
    for module in SOURCES:
        if room_of(module) not in ('config', 'experiment', 'cli', 'launch'):
            assert not {name for name in own_imports_of(module) if room_of(name) == 'config'}, module


def test_the_scripts_beside_the_package_only_start_the_command_line():
    for name in ('train_launcher.py', 'load.py'):
        source = read(os.path.join(CODE, name))
        own = [name for name in imported_names(ast.parse(source), '') if is_within(name, PACKAGE)]
        assert own and all(is_within(name, f'{PACKAGE}.cli') for name in own)


@pytest.mark.parametrize('module', sorted(SOURCES))
def test_a_file_says_what_it_is_in_one_sentence(module):
    source = read(SOURCES[module])
    lines = source.splitlines()
    assert not [number for number, line in enumerate(lines, 1) if len(line) > MOST_COLUMNS]
    docstring = ast.get_docstring(ast.parse(source))
    assert docstring and docstring.split('\n\n')[0].rstrip().endswith('.')


@pytest.mark.parametrize('launcher', ['train_launcher.py', 'load.py'])
def test_importing_a_launcher_again_starts_nothing(launcher):
    # What a spawned process of multiprocessing does with the program that it belongs to.
    runpy.run_path(os.path.join(CODE, launcher), run_name='__mp_main__')
