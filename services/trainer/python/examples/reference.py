"""The reference trainer in PyTorch: the initial weights, batches, optimizer, schedule and evaluation of services/trainer/trainer.ts.

python reference.py RUN        in a checkout; either trainer goes on with the other's checkpoints
"""

import argparse
import math
import re
import sys
import time
from pathlib import Path

import torch
from safetensors import safe_open

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / room) for room in ('trainer/python', 'runtime/python', 'influence/torch')]
from winnow_torch.model import read_description  # noqa: E402
from winnow_torch.projection import random_words  # noqa: E402
from winnow_torch.sequences import Tokenizer, read_reference  # noqa: E402
from winnow_trainer import Evaluated, SelectedStream, WinnowError  # noqa: E402
from winnow_trainer.checkpoint import model_folder  # noqa: E402
from winnow_trainer.models import untrained  # noqa: E402
from winnow_wire.stores import is_stored  # noqa: E402

# As services/model/trainer.ts and schedule.ts.
BETAS, EPSILON, CLIP, FLOOR = (0.9, 0.95), 1e-8, 1.0, 0.1
SEQUENCES_AT_ONCE = 16


def initial(seed, name, shape):
    """services/model/weights.ts: matrices normal with standard deviation 0.02 by Box and Muller, vectors 1."""
    count = math.prod(shape)
    if len(shape) == 1:
        return torch.ones(shape)
    words = torch.from_numpy((random_words(seed, f'weights:{name}', count + count % 2) >> 11).astype('float64'))
    radius = 0.02 * torch.sqrt(-2 * torch.log((words[0::2] + 1) / 2**53))
    angle = 2 * math.pi * (words[1::2] / 2**53)
    pairs = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], 1)
    return pairs.float().flatten()[:count].reshape(shape)


def learning_rate(step, config, steps):
    """Of the step after `step` steps: linear warm-up, cosine to a tenth."""
    warmup = min(1.0, (step + 1) / config['warmupSteps']) if config['warmupSteps'] else 1.0
    return config['learningRate'] * warmup * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))))


def padded(sequences):
    """ids and mask [sequences, longest], zeros after the end of each."""
    length = max(len(one.ids) for one in sequences)
    ids, mask = torch.zeros(len(sequences), length, dtype=torch.int64), torch.zeros(len(sequences), length)
    for row, one in enumerate(sequences):
        ids[row, : len(one.ids)], mask[row, : len(one.ids)] = torch.from_numpy(one.ids), torch.from_numpy(one.mask)
    return ids, mask


def held_out_loss(losses, sequences):
    """In nats per target, of all targets of all sequences; `losses` gives those of ids and targets."""
    total = targets = 0.0
    for first in range(0, len(sequences), SEQUENCES_AT_ONCE):
        ids, mask = padded(sequences[first : first + SEQUENCES_AT_ONCE])
        weights = mask[:, 1:]
        total += (losses(ids[:, :-1], ids[:, 1:]) * weights).sum().item()
        targets += weights.sum().item()
    return total / targets


class Training:
    """Model and optimizer. Its tensors are a checkpoint's: parameters, and their first and second moments as m.NAME and v.NAME."""

    def __init__(self, config):
        self._config, trainer = config, config['trainer']
        folder = model_folder(config['model'])
        self.model = untrained(folder)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(initial(str(config['selection']['seed']), name, tuple(parameter.shape)))
        parameters = list(self.model.parameters())
        groups = [[one for one in parameters if (one.ndim > 1) == decays] for decays in (True, False)]
        decay = [{'params': groups[0], 'weight_decay': trainer['weightDecay']}, {'params': groups[1], 'weight_decay': 0.0}]
        self._optimizer = torch.optim.AdamW([group for group in decay if group['params']], betas=BETAS, eps=EPSILON)
        description, reference = read_description(folder), config['reference']
        tokenizer = Tokenizer(folder / 'tokenizer.json', description['config']['vocab_size'], description.get('endOfText', 0))
        read = [
            (path, tokenizer, trainer['context'], reference['samplesMax'])
            for path in map(reference.get, ('evaluation', 'corpus'))
        ]
        self._held_out = [read_reference(*one) for one in read]

    def _losses(self, ids, targets):
        logits = self.model(input_ids=ids, use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction='none').view(targets.shape)

    def step(self, batch, step):
        for group in self._optimizer.param_groups:
            group['lr'] = learning_rate(step, self._config['trainer'], self._config['steps'])
        loss = self._losses(batch['input_ids'], batch['labels']).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss.item()

    @torch.no_grad()
    def evaluated(self):
        """The losses of a report, in nats per target, and what they cost."""
        began = time.monotonic()
        losses = dict(zip(('reference_loss', 'corpus_loss'), map(self._evaluated, self._held_out), strict=True))
        read = [len(one.ids) for sequences in self._held_out for one in sequences]
        return losses | {'evaluated': Evaluated(len(read), sum(read), time.monotonic() - began)}

    def _evaluated(self, sequences):
        return held_out_loss(self._losses, sequences)

    def tensors(self):
        named, state = dict(self.model.named_parameters()), self._optimizer.state
        moments = {
            f'{kind}.{name}': state[one][key]
            for name, one in named.items()
            for kind, key in (('m', 'exp_avg'), ('v', 'exp_avg_sq'))
        }
        return named | moments

    def load(self, path, step):
        with safe_open(path, 'pt') as file, torch.no_grad():
            for name, one in self.model.named_parameters():
                one.copy_(file.get_tensor(name))
                moments = {key: file.get_tensor(f'{kind}.{name}') for kind, key in (('m', 'exp_avg'), ('v', 'exp_avg_sq'))}
                self._optimizer.state[one] = moments | {'step': torch.tensor(float(step))}


def newest(folder):
    """The run's checkpoint of the highest step, or None; files are written whole."""
    files = [path for path in folder.glob('step-*.safetensors') if re.fullmatch(r'step-\d{8}\.safetensors', path.name)]
    return max(files, default=None)


def train(run):
    with SelectedStream(run, labels='shifted') as stream:
        training = Training(stream.config)
        if is_stored(stream.config['checkpoints']):
            raise SystemExit(f'{run} has its checkpoints in a store: this example resumes from a folder alone')
        checkpoint = newest(Path(stream.config['checkpoints']) / run)
        if checkpoint is None:
            stream.report(**training.evaluated())
        else:
            with safe_open(checkpoint, 'pt') as file:
                stream.load_metadata(file.metadata())
            training.load(checkpoint, stream.step)
            # The process may have died between writing it and reporting it.
            stream.announce(checkpoint, **training.evaluated())
        for batch in stream:
            stream.step_done(training.step(batch, stream.step - 1))
            if stream.checkpoint_due:
                stream.announce(training.tensors(), **training.evaluated())


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('run')
    try:
        train(parser.parse_args().run)
    except WinnowError as error:
        print(error.line(), file=sys.stderr)
        sys.exit(error.exit_code)
