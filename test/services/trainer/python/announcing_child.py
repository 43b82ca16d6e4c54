"""One of two processes of test_announcing.py: announces what FSDP2 has sharded, in every way. Arguments: rank, folder, model."""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import get_model_state_dict, get_optimizer_state_dict
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[3] / 'services/runtime/python'), str(HERE.parents[3] / 'services/trainer/python')]
from winnow_trainer import WinnowError  # noqa: E402
from winnow_trainer.announcing import Announcer  # noqa: E402
from winnow_trainer.checkpoint import moments_of, plain_name  # noqa: E402
from winnow_trainer.cursor import Cursor  # noqa: E402
from winnow_trainer.models import untrained  # noqa: E402

rank, folder, exported = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
dist.init_process_group('gloo', init_method=f'file://{folder}/group', rank=rank, world_size=2)


class Reports(list):
    report = list.append

    def flush(self): ...


reports = Reports()


def announcer(**influence):
    config = {'updateSteps': 1, 'steps': 9, 'model': exported, 'checkpoints': str(folder / 'written'), 'influence': influence}
    return Announcer(config, reports if rank == 0 else None, 1)


def announced(run, what, by=None, **options):
    (by or announcer()).announce(Cursor(run, 't' * 64, 8, 2, 0, step=1), {'run': run}, what, {}, **options)


def trained(model, optimizer):
    """One step, on other texts on each rank; `model` stays whole in its optimizer's hands."""
    ids = torch.randint(0, 4096, (2, 16), generator=torch.Generator().manual_seed(rank))
    model(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def sharded():
    model = untrained(exported, 3)
    # As it is done with large models: computed with in bfloat16, kept and stepped in float32.
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16)
    for layer in model.model.layers:
        fully_shard(layer, mp_policy=policy)
    return fully_shard(model, mp_policy=policy)


beside = DistributedDataParallel(untrained(exported, 3))
trained(beside, torch.optim.AdamW(beside.parameters(), lr=1e-2))
announced('ddp', beside)

model = sharded()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
trained(model, optimizer)
assert all(type(one).__name__ == 'DTensor' for one in model.parameters())
announced('module', model)
announced('compiled', torch.compile(model))
announced('bfloat16', model, dtype='bfloat16', folder=True)
# What torchtitan's `to_hf` gives: a mapping whose tensors are sharded, here with Adam's moments.
parameters = {plain_name(name): one for name, one in model.named_parameters()}
moments = {f'v.{name}': optimizer.state[one]['exp_avg_sq'] for name, one in parameters.items()}
announced('mapping', parameters | moments, announcer(preconditioner='adam'))
announced('optimizer', moments_of(model, optimizer), announcer(preconditioner='adam'))

state = {'model': get_model_state_dict(model), 'optim': get_optimizer_state_dict(model, optimizer), 'step': 1}
dcp.save(state, checkpoint_id=folder / 'dcp')
announced('dcp', folder / 'dcp', announcer(preconditioner='adam'))
# Pieces of each rank, and the same put together with an index, as torchtitan's exports.
for name, together in (('pieces', False), ('export', True)):
    options = {'save_distributed': True, 'enable_consolidation': together}
    files = {key: 1 + number % 2 for number, key in enumerate(state['model'])}
    writer = dcp.HuggingFaceStorageWriter(str(folder / name), fqn_to_index_mapping=files, **options)
    dcp.save(state['model'], storage_writer=writer)
    dist.barrier()
    announced(name, folder / name)

# Refused on both ranks: nobody waits for the other one.
refusals = []
deeper = dict(parameters)
deeper['model.layers.2.mlp.up_proj.weight'] = deeper['model.layers.1.mlp.up_proj.weight']
wrong = dict(parameters) | {'model.norm.weight': parameters['model.layers.0.mlp.up_proj.weight']}
for what in (deeper, wrong):
    try:
        announced('refused', what)
    except WinnowError as error:
        refusals.append(str(error))
(folder / f'{rank}.json').write_text(json.dumps({'reports': reports, 'refusals': refusals}))
dist.barrier()
dist.destroy_process_group()
