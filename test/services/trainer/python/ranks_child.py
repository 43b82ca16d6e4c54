"""One of four processes of test_ranks.py: trains the same steps as one rank, by DDP and FSDP2 on two and on four. Arguments: rank, folder."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[3] / 'services/runtime/python'), str(HERE.parents[3] / 'services/trainer/python')]
from winnow_trainer import Ranks, micro_batches  # noqa: E402
from winnow_trainer.batch import batch_of  # noqa: E402
from winnow_trainer.checkpoint import tensors_of  # noqa: E402
from winnow_trainer.packing import START, Page, Shape, pack  # noqa: E402

WORLD, STEPS, LENGTH, VOCABULARY, END = 4, 12, 9, 23, 0


class Model(torch.nn.Module):
    """Mixes all tokens of a sequence before each."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.embed = torch.nn.Embedding(VOCABULARY, 8, dtype=torch.float64)
        self.mix = torch.nn.GRU(8, 8, batch_first=True, dtype=torch.float64)
        self.head = torch.nn.Linear(8, VOCABULARY, dtype=torch.float64)

    def forward(self, ids, labels):
        logits = self.head(self.mix(self.embed(ids))[0])
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


def documents():
    generator = torch.Generator().manual_seed(11)
    while True:
        length = int(torch.randint(0, 30, (1,), generator=generator))
        ids = torch.randint(1, VOCABULARY, (length,), generator=generator).numpy()
        yield Page(np.append(ids, END), np.array([length + 1]))


def trained(wrap, ranks, sequences, pieces):
    """The parameters after the last step, whole; of a global batch of `sequences`, each part in `pieces` pieces."""
    model = Model()
    parallel = wrap(model)
    optimizer = torch.optim.AdamW(parallel.parameters(), lr=1e-2)
    part = ranks.part(sequences)
    weight = (part[1] - part[0]) * ranks.ranks / sequences
    batches = pack(documents(), Shape(sequences, LENGTH, END), START, part)
    for _ in range(STEPS):
        for one in micro_batches(batch_of(next(batches), LENGTH, 'shifted', 'torch', weight), pieces):
            (one['weight'] * parallel(one['input_ids'], one['labels'])).backward()
        optimizer.step()
        optimizer.zero_grad()
    return tensors_of(parallel)


def apart(tensors, whole):
    # Gathered on the first rank alone.
    if rank > 0:
        return 0.0
    assert sorted(tensors) == sorted(whole) and len(whole) == 7, sorted(tensors)
    return max((tensors[name] - whole[name]).abs().max().item() for name in whole)


rank, folder = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
# Before there is a group: one rank alone, in whole batches.
alone = {sequences: trained(lambda model: model, Ranks(0, 1), sequences, 1) for sequences in (8, 10)}
dist.init_process_group('gloo', init_method=f'file://{folder}/group', rank=rank, world_size=WORLD)
square = init_device_mesh('cpu', (2, 2), mesh_dim_names=('dp_replicate', 'dp_shard'))
beside = init_device_mesh('cpu', (2, 2), mesh_dim_names=('dp', 'tp'))
found, of_square, of_beside = Ranks.found(), Ranks.of_mesh(square, 'dp_replicate', 'dp_shard'), Ranks.of_mesh(beside, 'dp')
# As Megatron says it: data-parallel rank and size of a process that has peers of its coordinate.
explicit = Ranks(rank // 2, 2)
pair = beside['dp'].get_group()


def ddp(model):
    return DistributedDataParallel(model)


def ddp_of_two(model):
    return DistributedDataParallel(model, process_group=pair)


cases = {
    'DDP on 4': (ddp, found, 8, 2),
    'DDP on 4, of 10 sequences, weighted': (ddp, found, 10, 2),
    'DDP on 2, each with a peer': (ddp_of_two, explicit, 8, 3),
    'FSDP2 on 4, replicated and sharded': (lambda model: fully_shard(model, mesh=square), of_square, 8, 2),
    'FSDP2 on 4, of 10 sequences, weighted': (lambda model: fully_shard(model, mesh=square), of_square, 10, 2),
    'FSDP2 on 2, each with a peer': (lambda model: fully_shard(model, mesh=beside['dp']), of_beside, 8, 1),
}
results = {name: apart(trained(*case), alone[case[2]]) for name, case in cases.items()}
moved = apart(alone[8], dict(Model().named_parameters()))
ranks = [[one.rank, one.ranks, one.leads] for one in (found, of_square, of_beside, explicit)]
Path(folder, f'{rank}.json').write_text(json.dumps({'apart': results, 'moved': moved, 'ranks': ranks}))
dist.destroy_process_group()
