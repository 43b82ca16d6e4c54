"""A run of winnow as the training set of Megatron, whose sampler and whose checkpoints count samples: what its pretrain_gpt.py gives as
train_valid_test_datasets_provider, and around it as much of Megatron's loop as it takes to try it without Megatron.

python megatron.py RUN MODEL OUT        MODEL: the exported folder of the run; with Megatron: --num-workers 0
"""

import sys
from pathlib import Path

import torch

from winnow_trainer.adapters.sequences import SelectedSequences
from winnow_trainer.models import untrained


def datasets_provider(run, announced):
    """As train_valid_test_datasets_provider(samples). `announced`: writes the model's weights under the names of Hugging Face, by
    Megatron-Bridge for instance, and returns their path."""
    train = SelectedSequences(run, on_due=lambda stream: stream.announce(announced(stream.step)))
    return train, None, None


class PretrainingSampler:
    """Numbers of samples as MegatronPretrainingSampler of megatron/training/datasets/data_samplers.py gives them."""

    def __init__(self, total, consumed, micro_batch, rank, ranks):
        self.total, self.consumed, self.micro_batch, self.rank, self.ranks = total, consumed, micro_batch, rank, ranks

    def __iter__(self):
        for first in range(self.consumed, self.total, self.micro_batch * self.ranks):
            mine = first + self.rank * self.micro_batch
            yield list(range(mine, mine + self.micro_batch))


def train(run, folder, out, rank=0, ranks=1, micro_batch=1):
    """One rank's steps, from OUT on if it is there: a checkpoint has `consumed_train_samples`, and nothing of winnow's."""
    torch.manual_seed(0)
    model, path = untrained(folder), Path(out) / 'checkpoint.pt'
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    state = torch.load(path) if path.exists() else {'consumed_train_samples': 0}
    if path.exists():
        model.load_state_dict(state['model'])
        optimizer.load_state_dict(state['optimizer'])
    sequences, _, _ = datasets_provider(run, lambda step: model.state_dict())
    batch, every = sequences.stream.config['trainer']['batch'], sequences.stream.config['updateSteps']
    # So that the last checkpoint of a run is announced again, after which nothing is read; else the first sample that is read says where.
    sequences.stream.seek(state['consumed_train_samples'] // batch)
    sampler = PretrainingSampler(len(sequences), state['consumed_train_samples'], micro_batch, rank, ranks)
    loader = iter(torch.utils.data.DataLoader(sequences, batch_sampler=sampler, num_workers=0))
    try:
        for step in range(state['consumed_train_samples'] // batch + 1, len(sequences) // batch + 1):
            total = 0.0
            for _ in range(batch // (micro_batch * ranks)):
                piece = next(loader)
                logits = model(piece['tokens'], position_ids=piece['position_ids']).logits
                loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), piece['labels'].flatten())
                (loss * micro_batch * ranks / batch).backward()
                total += loss.item() * micro_batch * ranks / batch
            optimizer.step()
            optimizer.zero_grad()
            sequences.stream.step_done(total)
            if step % every == 0 or step * batch == len(sequences):
                states = {'model': model.state_dict(), 'optimizer': optimizer.state_dict()}
                Path(out).mkdir(parents=True, exist_ok=True)
                torch.save(states | {'consumed_train_samples': step * batch}, path)
        if sequences.stream.checkpoint_due:
            sequences.stream.announce(model)
    finally:
        sequences.close()


if __name__ == '__main__':
    train(*sys.argv[1:])
