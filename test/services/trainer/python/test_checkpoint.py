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
from winnow_trainer.checkpoint import announced_file, digest_of, plain_name, refuse_unfit, shapes_of, write
from winnow_trainer.cursor import Cursor
from winnow_wire.errors import WinnowError
from winnow_wire.places import local_path

SHIPPED = Path(__file__).parents[4] / 'services/model/shipped/llama-64x2'
PARAMETERS = {one['name']: one['shape'] for one in json.loads((SHIPPED / 'model.json').read_text())['parameters']}


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
    refuse_unfit(path, shapes_of(path), str(SHIPPED), moments=False)


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
    with pytest.raises(WinnowError, match='holds neither model.safetensors'):
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
        ({'model.layers.9.mlp.weight': [2]}, 'has no parameter model.layers.9.mlp.weight'),
    ],
)
def test_what_does_not_fit_the_model_is_refused_by_name(change, words, tmp_path):
    shapes = {name: list(value.shape) for name, value in tensors(**change).items()}
    with pytest.raises(WinnowError, match=words) as refused:
        refuse_unfit(tmp_path / 'x', shapes, str(SHIPPED), moments=False)
    assert refused.value.code == 'BAD_DATA'


def test_moments_of_adam_are_asked_for_where_the_run_needs_them(tmp_path):
    shapes = dict(PARAMETERS)
    refuse_unfit(tmp_path / 'x', shapes, str(SHIPPED), moments=False)
    with pytest.raises(WinnowError, match='v.model.embed_tokens.weight is missing'):
        refuse_unfit(tmp_path / 'x', shapes, str(SHIPPED), moments=True)
    refuse_unfit(tmp_path / 'x', shapes | {f'v.{name}': shape for name, shape in shapes.items()}, str(SHIPPED), moments=True)
    # What this machine does not see it cannot look at.
    refuse_unfit(tmp_path / 'x', {}, '/nowhere/graphs', moments=True)


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
