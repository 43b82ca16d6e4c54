"""Trains a model of transformers on a run of winnow by Lightning, from its newest checkpoint in OUT if there is one.

python with_lightning.py RUN MODEL OUT        MODEL: the exported folder of the run
On as many ranks as Lightning finds devices.
"""

import sys

import torch
from lightning.pytorch import LightningModule, Trainer

from winnow_trainer.adapters.lightning import SelectedCheckpoint, SelectedData, newest
from winnow_trainer.models import untrained


class Module(LightningModule):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def training_step(self, batch, index):
        return self.model(batch['input_ids'], labels=batch['labels']).loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def train(run, model, out):
    module = Module(untrained(model))
    data = SelectedData(run, labels='huggingface')
    checkpoints = SelectedCheckpoint(out, module.model)
    trainer = Trainer(max_epochs=1, accumulate_grad_batches=2, callbacks=[checkpoints])
    trainer.fit(module, datamodule=data, ckpt_path=newest(out))


if __name__ == '__main__':
    train(*sys.argv[1:])
