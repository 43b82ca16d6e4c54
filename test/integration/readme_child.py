"""Runs blocks of Python of documents, as they stand, in this folder: a JSON list of them, and the folder of their model."""

import json
import os
import sys

import torch
from winnow_trainer.models import untrained

model = untrained(sys.argv[2])
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)


def train_step(batch):
    logits = model(batch['input_ids']).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch['labels'].flatten())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss


for block in json.loads(sys.argv[1]):
    names = {'model': model, 'optimizer': optimizer, 'train_step': train_step}
    exec(compile(block, 'README.md', 'exec'), names)
    print(json.dumps({'step': names['stream'].step, 'round': names['stream'].round}), flush=True)
    names['stream'].close()
# Without what torch does at an exit.
os._exit(0)
