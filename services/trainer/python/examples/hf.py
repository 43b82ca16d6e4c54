"""Trains a model on a run of winnow by the Trainer of transformers, from its newest checkpoint in OUT if there is one.

python hf.py RUN MODEL OUT        MODEL: the exported folder of the run
torchrun --nproc-per-node 4 hf.py RUN MODEL OUT
"""

import os
import sys

from transformers import TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from winnow_trainer import SelectedStream
from winnow_trainer.adapters.hf import SelectedTrainer
from winnow_trainer.models import untrained


def train(run, model, out):
    with SelectedStream(run, labels='huggingface') as stream:
        args = TrainingArguments(out, learning_rate=1e-3, gradient_accumulation_steps=2, report_to='none')
        trainer = SelectedTrainer(stream, model=untrained(model), args=args)
        trainer.train(resume_from_checkpoint=get_last_checkpoint(out) if os.path.isdir(out) else None)
        return trainer


if __name__ == '__main__':
    train(*sys.argv[1:])
