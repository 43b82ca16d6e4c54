"""Checkpoints as influence workers read them: names, digests, and refusals before anybody waits."""

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from winnow_trainer.announcing import Announcer
from winnow_trainer.checkpoint import announced_file, digest_of, kinds_of, plain_name, write
from winnow_trainer.cursor import Cursor
from winnow_trainer.fitting import Kind, exported_model
from winnow_wire.errors import WinnowError
from winnow_wire.places import local_path

SHIPPED = Path(__file__).parents[4] / 'services/model/shipped/llama-64x2'
PARAMETERS = {one['name']: one['shape'] for one in json.loads((SHIPPED / 'model.json').read_text())['parameters']}


def shapes_of(path):
    return {name: kind.shape for name, kind in kinds_of(path).items()}


def refuse_unfit(shapes, moments=False, model=str(SHIPPED)):
    exported_model(model, moments).refuse_unfit('x', {name: Kind('F32', list(shape)) for name, shape in shapes.items()})


def tensors(**changes):
    shapes = PARAMETERS | changes
    return {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items() if shape is not None}


@pytest.mark.parametrize(
    'name',
    [
        'module.wte.weight',
        '_orig_mod.module.wte.weight',
        'module._fsdp_wrapped_module.wte.weight',
        'wte._orig_mod.weight',
        'wte.weight',
    ],
)
def test_takes_off_the_names_of_wrappers(name):
    assert plain_name(name) == 'wte.weight'
    assert plain_name('encoder.module_list.0.weight') == 'encoder.module_list.0.weight'


def test_writes_a_file_whole_with_its_place_and_leaves_nothing_else(tmp_path):
    path = tmp_path / 'run' / 'step-00000002.safetensors'
    write(path, tensors(), {'run': 'r', 'steps': '2'})
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert digest_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert shapes_of(path) == PARAMETERS
    with safe_open(path, 'np') as file:
        assert file.metadata() == {'run': 'r', 'steps': '2'}
    refuse_unfit(shapes_of(path))


def test_digests_an_index_as_sha256sum_prints_it(tmp_path):
    names = list(PARAMETERS)
    shards = {'model-00001-of-00002.safetensors': names[:3], 'model-00002-of-00002.safetensors': names[3:]}
    for shard, keys in shards.items():
        save_file({key: np.ones(PARAMETERS[key], dtype=np.float32) for key in keys}, tmp_path / shard)
    index = tmp_path / 'model.safetensors.index.json'
    index.write_text(json.dumps({'weight_map': {key: shard for shard, keys in shards.items() for key in keys}}))
    assert announced_file(tmp_path) == index
    printed = subprocess.run(['sha256sum', index.name, *sorted(shards)], cwd=tmp_path, capture_output=True).stdout
    assert digest_of(index) == hashlib.sha256(printed).hexdigest()
    assert shapes_of(index) == PARAMETERS


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(WinnowError, match='holds neither model.safetensors nor its index, but no .safetensors file'):
        announced_file(tmp_path)
    (tmp_path / 'model.safetensors').write_bytes(b'no such thing')
    with pytest.raises(WinnowError, match='is no safetensors file') as refused:
        shapes_of(announced_file(tmp_path))
    assert refused.value.exit_code == 5


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'model.norm.weight': None}, r'model.norm.weight is missing, expected \[64\]'),
        ({'model.norm.weight': [65]}, r'model.norm.weight is \[65\], expected \[64\]'),
        ({'model.layers.9.mlp.weight': [2]}, 'has no parameter model.layers.9.mlp.weight$'),
        (
            {'model.norm.weight': None, 'norm.weight': [64]},
            'has no parameter norm.weight, and its parameter model.norm.weight is missing',
        ),
    ],
)
def test_what_does_not_fit_the_model_is_refused_by_name(change, words):
    shapes = {name: list(value.shape) for name, value in tensors(**change).items()}
    with pytest.raises(WinnowError, match=words) as refused:
        refuse_unfit(shapes)
    assert refused.value.code == 'BAD_DATA'


@pytest.mark.parametrize('prefix', ['', 'net.', 'app.model.', 'm.'])
def test_a_model_within_something_else_is_told_from_the_rest(prefix):
    model = exported_model(str(SHIPPED), moments=True)
    given = [prefix + name for name in PARAMETERS] + [f'v.{prefix}{name}' for name in PARAMETERS]
    others = ['metric.mean', 'optim.state.x'] if prefix else []
    assert list(model.own([*given, *others]).values()) == [*PARAMETERS, *(f'v.{name}' for name in PARAMETERS)]


def test_moments_of_adam_are_asked_for_where_the_run_needs_them():
    shapes = dict(PARAMETERS)
    refuse_unfit(shapes)
    with pytest.raises(WinnowError, match='v.model.embed_tokens.weight is missing'):
        refuse_unfit(shapes, moments=True)
    refuse_unfit(shapes | {f'v.{name}': shape for name, shape in shapes.items()}, moments=True)
    # What this machine does not see it cannot look at.
    assert exported_model('/nowhere/graphs', moments=True) is None


@pytest.mark.parametrize('dtype', ['float64', 'int64'])
def test_only_types_that_workers_read_are_announced_and_float64_becomes_float32(dtype, tmp_path):
    reports = Reports()
    announcer = Announcer({'updateSteps': 2, 'steps': 4, 'model': str(SHIPPED), 'checkpoints': str(tmp_path)}, reports, 1)
    cursor, given = Cursor('r', 't' * 64, 8, 2, 0, step=2), {name: one.astype(dtype) for name, one in tensors().items()}
    save_file(given, tmp_path / 'given.safetensors')
    kind = {'float64': 'F64', 'int64': 'I64'}[dtype]
    with pytest.raises(WinnowError, match=f'model.embed_tokens.weight is {kind}, expected F32 or F16 or BF16'):
        announcer.announce(cursor, {}, tmp_path / 'given.safetensors', {})
    if dtype == 'int64':
        with pytest.raises(WinnowError, match='model.embed_tokens.weight is int64, expected F32 or F16 or BF16'):
            announcer.announce(cursor, {}, given, {})
        # Nothing is left that a resumed training would take for a checkpoint.
        assert not (tmp_path / 'r').exists() and not reports
    else:
        path = announcer.announce(cursor, {}, given, {})
        assert {kind.dtype for kind in kinds_of(path).values()} == {'F32'} and len(reports) == 1


class Reports(list):
    report = list.append

    def flush(self): ...


@pytest.mark.parametrize('given', ['path', 'uri', 'tensors'])
def test_is_announced_by_path_or_uri_and_reported_as_workers_see_it(given, tmp_path):
    reports = Reports()
    config = {'updateSteps': 2, 'steps': 4, 'model': str(SHIPPED), 'checkpoints': str(tmp_path)}
    announcer = Announcer(config, reports, 1, {'/nowhere': '/', f'{tmp_path}/': 'file:///mnt/checkpoints/'})
    cursor = Cursor('r', 't' * 64, 8, 2, 0, step=2)
    path = tmp_path / 'r' / 'step-00000002.safetensors'
    if given != 'tensors':
        write(path, tensors(), {})
    what = {'path': path, 'uri': path.as_uri(), 'tensors': tensors()}[given]
    assert announcer.announce(cursor, {}, what, {}) == path
    seen = {'path': 'file:///mnt/checkpoints/r/step-00000002.safetensors', 'digest': digest_of(path), 'step': 2}
    assert [report['checkpoint'] for report in reports] == [seen]


def test_only_files_of_this_machine_have_a_path_here(tmp_path):
    spaced = tmp_path / 'a step #1.safetensors'
    assert local_path(str(spaced)) == local_path(spaced.as_uri()) == str(spaced)
    assert local_path(spaced.as_uri().replace('file://', 'file://localhost')) == str(spaced)
    for place, reason in [('s3://bucket/x', 'its scheme is s3'), ('file://elsewhere/x', 'its host is elsewhere')]:
        with pytest.raises(WinnowError, match=f'{place} is no file of this machine: .*{reason}') as refused:
            local_path(place)
        assert refused.value.code == 'BAD_DATA'
