"""Trains a model of transformers on a run of winnow, in one process or, by torchrun, data-parallel on several.

python plain.py RUN MODEL CHECKPOINT        MODEL: the exported folder of the run, CHECKPOINT: a file to resume from
torchrun --nproc-per-node 4 plain.py RUN MODEL CHECKPOINT
"""

import argparse
import os
from pathlib import Path

import torch
import torch.distributed as dist

from winnow_trainer import SelectedStream
from winnow_trainer.models import untrained


def mean_over_ranks(loss):
    loss = loss.detach().clone()
    if dist.is_initialized():
        dist.all_reduce(loss, dist.ReduceOp.SUM)
        loss /= dist.get_world_size()
    return loss


def train(run, folder, checkpoint, dtype):
    model = untrained(folder, dtype=dtype)
    parallel = torch.nn.parallel.DistributedDataParallel(model) if dist.is_initialized() else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    with SelectedStream(run, tokenizer=folder / 'tokenizer.json', labels='huggingface') as stream:
        if checkpoint.exists():
            state = torch.load(checkpoint, weights_only=True)
            model.load_state_dict(state['model'])
            optimizer.load_state_dict(state['optimizer'])
            stream.load_state_dict(state['stream'])
            if stream.checkpoint_due:
                stream.announce(model)
        for batch in stream:
            loss = parallel(batch['input_ids'], labels=batch['labels']).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            stream.step_done(mean_over_ranks(loss))
            if stream.checkpoint_due:
                if stream.ranks.leads:
                    state = {'model': model.state_dict(), 'optimizer': optimizer.state_dict(), 'stream': stream.state_dict()}
                    torch.save(state, partial := checkpoint.with_suffix('.partial'))
                    os.replace(partial, checkpoint)
                stream.announce(model)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('run')
    parser.add_argument('model', type=Path)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('--dtype', choices=['float32', 'float64', 'bfloat16'], default='float32')
    given = parser.parse_args()
    if 'RANK' in os.environ:
        dist.init_process_group('gloo')
    train(given.run, given.model, given.checkpoint, getattr(torch, given.dtype))
    if dist.is_initialized():
        dist.destroy_process_group()
