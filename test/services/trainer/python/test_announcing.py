"""What trainers in PyTorch announce: sharded models, folders of torch.distributed.checkpoint and of transformers, and what opens it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip('torch', reason='WINNOW_TEST_TORCH=yes npm test installs torch')
transformers = pytest.importorskip('transformers', reason='WINNOW_TEST_TORCH=yes npm test installs transformers')

import torch.distributed.checkpoint as dcp  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from winnow_trainer.__main__ import main
from winnow_trainer.announcing import Announcer  # noqa: E402
from winnow_trainer.checkpoint import digest_of, kinds_of  # noqa: E402
from winnow_trainer.cursor import Cursor  # noqa: E402
from winnow_trainer.hf_folder import open_checkpoint  # noqa: E402
from winnow_trainer.models import untrained  # noqa: E402
from winnow_wire.errors import WinnowError  # noqa: E402

SHIPPED = Path(__file__).parents[4] / 'services/model/shipped/llama-64x2'
PARAMETERS = {one['name']: one['shape'] for one in json.loads((SHIPPED / 'model.json').read_text())['parameters']}
IDS = torch.randint(0, 4096, (3, 20), generator=torch.Generator().manual_seed(2))


class Reports(list):
    report = list.append

    def flush(self): ...


def announced(tmp_path, what, influence=None, **options):
    config = {'updateSteps': 1, 'steps': 9, 'model': str(SHIPPED), 'checkpoints': str(tmp_path), 'influence': influence or {}}
    reports = Reports()
    path = Announcer(config, reports, 1).announce(Cursor('r', 't' * 64, 8, 2, 0, step=3), {'run': 'r'}, what, {}, **options)
    assert reports[0]['checkpoint'] == {'path': str(path), 'digest': digest_of(path), 'step': 3}
    return path


def weights_of(path):
    if not path.name.endswith('.index.json'):
        return load_file(path)
    shards = set(json.loads(path.read_text())['weight_map'].values())
    return {name: one for shard in shards for name, one in load_file(path.parent / shard).items()}


def test_two_ranks_announce_what_ddp_and_fsdp2_have_whole_and_refuse_together(tmp_path):
    child = Path(__file__).with_name('announcing_child.py')
    processes = [
        subprocess.Popen([sys.executable, '-B', child, str(rank), tmp_path, SHIPPED], stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    try:
        ended = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
        assert [code for _, code in ended] == [0, 0], ''.join(stderr for stderr, _ in ended)
    finally:
        for process in processes:
            process.kill()
    said = [json.loads((tmp_path / f'{rank}.json').read_text()) for rank in range(2)]
    # One rank reports; both are told what is wrong, with both values.
    assert said[1]['reports'] == [] and said[0]['refusals'] == said[1]['refusals']
    deeper, wrong = said[0]['refusals']
    assert 'the exported model has no parameter model.layers.2.mlp.up_proj.weight' in deeper
    assert 'model.norm.weight is [160, 64], expected [64]' in wrong
    paths = {report['run']: Path(report['checkpoint']['path']) for report in said[0]['reports']}
    ways = ['ddp', 'module', 'compiled', 'bfloat16', 'mapping', 'optimizer', 'dcp', 'pieces', 'export']
    assert list(paths) == ways and not (tmp_path / 'written/refused').exists()
    assert paths['export'] == tmp_path / 'export/model.safetensors.index.json'
    for report in said[0]['reports']:
        assert report['checkpoint']['digest'] == digest_of(paths[report['run']])
    whole = weights_of(paths['module'])
    assert {name: list(one.shape) for name, one in whole.items()} == PARAMETERS
    assert {one.dtype for one in whole.values()} == {torch.float32}
    # Trained: not what it began with, and on the texts of both ranks, as DDP was (which computes in float32).
    began, beside = untrained(SHIPPED, 3).state_dict(), weights_of(paths['ddp'])
    for name, one in whole.items():
        assert (one - began[name]).abs().max() > 1e-3
        assert (one - beside[name]).abs().mean() < 0.2 * (one - began[name]).abs().mean()
    for way in ('compiled', 'mapping', 'optimizer', 'dcp', 'pieces', 'export'):
        found = weights_of(paths[way])
        moments = {name for name in found if name.startswith('v.')}
        assert set(found) - moments == set(whole)
        assert all(torch.equal(found[name], one) for name, one in whole.items()), way
        assert moments == ({f'v.{name}' for name in whole} if way in ('mapping', 'optimizer', 'dcp') else set())
        assert all(found[name].max() > 0 for name in moments)
    assert all(torch.equal(one, whole[name].bfloat16()) for name, one in weights_of(paths['bfloat16']).items())
    opened = transformers.AutoModelForCausalLM.from_pretrained(paths['bfloat16'].parent)
    assert opened.dtype == torch.bfloat16 and torch.equal(opened.lm_head.weight, whole['lm_head.weight'].bfloat16())


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
@pytest.mark.parametrize('way', ['folder', 'file', 'shards'])
def test_from_pretrained_opens_what_was_announced_and_gives_the_same_logits(way, dtype, tmp_path):
    model = untrained(SHIPPED, 5, getattr(torch, dtype)).eval()
    if way == 'folder':
        opened = announced(tmp_path, model, folder=True).parent
        assert opened == tmp_path / 'r/step-00000003'
    else:
        # As it was trained by anybody: a file with moments of Adam, or shards of `save_pretrained`.
        saved = tmp_path / 'saved'
        model.save_pretrained(saved, max_shard_size='300KB')
        assert len(list(saved.glob('*.safetensors'))) > 1
        moments = {f'v.{name}': torch.ones(one.shape) for name, one in model.named_parameters()}
        what = saved if way == 'shards' else dict(model.named_parameters()) | moments
        opened = tmp_path / 'opened'
        main(['folder', str(announced(tmp_path, what)), str(opened), '--model', str(SHIPPED)])
    again = transformers.AutoModelForCausalLM.from_pretrained(opened).eval()
    assert again.dtype == getattr(torch, dtype)
    with torch.no_grad():
        assert torch.equal(again(IDS).logits, model(IDS).logits)
    tokenizer = transformers.AutoTokenizer.from_pretrained(opened)
    texts = tokenizer(['The river rose.', 'def f(x): return x'], add_special_tokens=False).input_ids
    from tokenizers import Tokenizer

    own = Tokenizer.from_file(str(SHIPPED / 'tokenizer.json'))
    assert texts == [own.encode(text, add_special_tokens=False).ids for text in ('The river rose.', 'def f(x): return x')]
    assert tokenizer.eos_token_id == again.config.eos_token_id == 0


@pytest.mark.parametrize(('kept', 'asked', 'stored'), [
    ('float32', None, 'F32'), ('bfloat16', None, 'BF16'), ('float16', None, 'F16'), ('float64', None, 'F32'),
    ('float32', 'bfloat16', 'BF16'), ('bfloat16', 'float32', 'F32'), ('float64', 'bfloat16', 'BF16'),
])  # fmt: skip
def test_parameters_are_stored_as_they_are_or_as_is_asked_and_moments_never_shorter(kept, asked, stored, tmp_path):
    model = untrained(SHIPPED, 5, getattr(torch, kept))
    moments = {f'v.{name}': torch.full(one.shape, 1e-30) for name, one in model.named_parameters()}
    path = announced(tmp_path, dict(model.named_parameters()) | moments, {'preconditioner': 'adam'}, dtype=asked)
    kinds = kinds_of(path)
    assert {kinds[name].dtype for name in PARAMETERS} == {stored} and {kinds[name].dtype for name in moments} == {'F32'}
    to = {'F32': torch.float32, 'F16': torch.float16, 'BF16': torch.bfloat16}[stored]
    found = load_file(path)
    assert all(torch.equal(found[name], one.detach().to(to)) for name, one in model.named_parameters())
    with safe_open(path, 'pt') as file:
        assert file.metadata() == {'run': 'r'}


def test_types_that_no_worker_reads_are_refused_with_what_is_expected(tmp_path):
    small = {name: one.detach().to(torch.float8_e4m3fn) for name, one in untrained(SHIPPED).named_parameters()}
    save_file(small, tmp_path / 'small.safetensors')
    for what, dtype in ((small, 'float8_e4m3fn'), (tmp_path / 'small.safetensors', 'F8_E4M3')):
        with pytest.raises(WinnowError, match=f'model.embed_tokens.weight is {dtype}, expected F32 or F16 or BF16'):
            announced(tmp_path, what)
    assert not (tmp_path / 'r').exists()


def test_a_model_within_a_trainer_of_its_own_is_announced_without_what_else_it_has(tmp_path):
    outer = torch.nn.Module()
    outer.network, outer.metric = untrained(SHIPPED, 6), torch.nn.Linear(2, 2)
    whole = {f'{name}': one for name, one in outer.network.state_dict().items()}
    found = weights_of(announced(tmp_path, outer))
    assert set(found) == set(PARAMETERS) and all(torch.equal(one, whole[name]) for name, one in found.items())
    # And saved by torch.distributed.checkpoint, at any depth, beside others.
    dcp.save(
        {'app': {'state': outer.state_dict(), 'epoch': 3}, 'rng': torch.ones(3)}, checkpoint_id=tmp_path / 'dcp', no_dist=True
    )
    again = weights_of(announced(tmp_path / 'second', tmp_path / 'dcp', folder=True))
    assert set(again) == set(PARAMETERS) and all(torch.equal(one, whole[name]) for name, one in again.items())


def test_a_folder_of_torch_distributed_that_does_not_fit_is_refused_with_both_values(tmp_path):
    state = untrained(SHIPPED).state_dict()
    # Names that torchtitan trains under; it exports those of Hugging Face.
    own = {name.removeprefix('model.').replace('embed_tokens', 'tok_embeddings'): one for name, one in state.items()}
    cases = {
        'titan': (own, 'has no parameter tok_embeddings.weight, and its parameter model.embed_tokens.weight is missing'),
        'narrow': (state | {'lm_head.weight': torch.zeros(4096, 32)}, r'lm_head.weight is \[4096, 32\], expected \[4096, 64\]'),
        'deep': (state | {'model.layers.7.x': torch.zeros(1)}, 'has no parameter model.layers.7.x'),
        'counts': ({name: one.long() for name, one in state.items()}, 'is int64, expected F32 or F16 or BF16'),
    }
    for name, (saved, words) in cases.items():
        dcp.save({'model': saved}, checkpoint_id=tmp_path / name, no_dist=True)
        with pytest.raises(WinnowError, match=words) as refused:
            announced(tmp_path, tmp_path / name)
        assert refused.value.code == 'BAD_DATA' and str(tmp_path / name) in str(refused.value)
    whole = tmp_path / 'whole'
    dcp.save({'model': state}, checkpoint_id=whole, no_dist=True)
    next(whole.glob('*.distcp')).write_bytes(b'cut off')
    with pytest.raises(WinnowError, match=re.escape(f'{whole} cannot be read as a checkpoint of torch.distributed')):
        announced(tmp_path, whole)
    (whole / '.metadata').write_bytes(b'')
    with pytest.raises(WinnowError, match='cannot be read as a checkpoint of torch.distributed'):
        announced(tmp_path, whole)
    assert not (tmp_path / 'r').exists()


def test_a_folder_is_made_of_no_other_models_checkpoint(tmp_path, capsys):
    save_file({'x.weight': torch.zeros(2)}, tmp_path / 'other.safetensors')
    for model, words in ((SHIPPED, 'has no parameter x.weight'), ('/nowhere/graphs', 'no usable model.json and tokenizer.json')):
        with pytest.raises(SystemExit):
            main(['folder', str(tmp_path / 'other.safetensors'), str(tmp_path / 'opened'), '--model', str(model)])
        assert words in capsys.readouterr().err
    assert not (tmp_path / 'opened').exists()
