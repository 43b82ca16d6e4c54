"""DoReMi and DoGE in PyTorch: domain weights that are learned while a small model trains, as services/campaigns/mixing has them.

python mixing.py doremi --model FOLDER fiction=fiction.jsonl law=law.jsonl      files of rows with a text, one domain each

Prints the mixture as JSON; its shares go into a run's file as selection.strategy.mixture: {actor: ACTOR, weights: [..]}.
"""

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path

import torch
from reference import BETAS, CLIP, EPSILON, held_out_loss, initial, learning_rate, padded

from winnow_torch.model import read_description
from winnow_torch.sequences import Tokenizer
from winnow_trainer import WinnowError
from winnow_trainer.mixing import DomainWeights, doge_update, domains_of_step, doremi_update, row_weights
from winnow_trainer.models import untrained


class Proxy:
    """The reference trainer's model and optimizer, with what these methods ask of a trainer."""

    def __init__(self, folder, seed, trainer, steps):
        self._trainer, self._total, self.steps = trainer, steps, 0
        self.model = untrained(folder)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(initial(str(seed), name, tuple(parameter.shape)))
        self._parameters = list(self.model.parameters())
        decay = [one for one in self._parameters if one.ndim > 1]
        rest = [one for one in self._parameters if one.ndim <= 1]
        groups = [
            {'params': decay, 'weight_decay': trainer['weightDecay']},
            {'params': rest, 'weight_decay': 0.0},
        ]
        self._optimizer = torch.optim.AdamW([group for group in groups if group['params']], betas=BETAS, eps=EPSILON)

    @property
    def learning_rate(self):
        return learning_rate(self.steps, self._trainer, self._total)

    def losses(self, ids, targets):
        """Of each target, in nats: as ids, [rows, context]."""
        logits = self.model(input_ids=ids, use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction='none').view(targets.shape)

    def row_losses(self, rows):
        """Means of rows [rows, context + 1]."""
        return self.losses(rows[:, :-1], rows[:, 1:]).mean(1)

    @torch.no_grad()
    def held_out(self, sequences):
        return held_out_loss(self.losses, sequences)

    def step(self, rows, weights):
        """One step on rows whose tokens count by their weights."""
        (self.row_losses(rows) * torch.tensor(weights)).mean().backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, CLIP)
        self._advance()

    def gradient(self, sequences):
        """Of the mean loss of a target, clipped to norm 1: one vector. Sequences with masks, or rows."""
        if torch.is_tensor(sequences):
            loss = self.row_losses(sequences).mean()
        else:
            ids, mask = padded(sequences)
            loss = (self.losses(ids[:, :-1], ids[:, 1:]) * mask[:, 1:]).sum() / mask[:, 1:].sum()
        slopes = torch.autograd.grad(loss, self._parameters)
        vector = torch.cat([slope.flatten() for slope in slopes])
        return vector * min(1.0, CLIP / (vector.norm().item() + 1e-6))

    def step_along(self, vector):
        at = 0
        for parameter in self._parameters:
            parameter.grad = vector[at : at + parameter.numel()].view_as(parameter).clone()
            at += parameter.numel()
        self._advance()

    def state(self):
        return {'model': self.model.state_dict(), 'optimizer': self._optimizer.state_dict(), 'steps': self.steps}

    def load(self, state):
        self.model.load_state_dict(state['model'])
        self._optimizer.load_state_dict(state['optimizer'])
        self.steps = state['steps']

    def _advance(self):
        for group in self._optimizer.param_groups:
            group['lr'] = self.learning_rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.steps += 1


class Rows:
    """Rows of context + 1 tokens of one domain each, from its documents over and over."""

    def __init__(self, documents, context, end):
        self.tokens = [[token for document in domain for token in (*document, end)] for domain in documents]
        self._context, self.at = context, [0] * len(documents)

    def row(self, domain):
        tokens, at = self.tokens[domain], self.at[domain]
        self.at[domain] = (at + self._context) % len(tokens)
        return [tokens[(at + k) % len(tokens)] for k in range(self._context + 1)]


class Course:
    """The stages of a training: ten checkpoints of each where there is a folder, from the last of which it goes on to the same bits.
    `report` hears after each step how much of the stage is done."""

    def __init__(self, steps, folder=None, report=None):
        self.steps, self.means = steps, []
        self._folder, self._report = folder, report or (lambda stage, done: None)

    def begin(self, stage, proxy, rows, state=None):
        """Takes up a stage where its last checkpoint was. Gives the domain weights."""
        path = self._path(stage)
        if path is None or not path.exists():
            self.means = []
            return state
        saved = torch.load(path, weights_only=True)
        proxy.load(saved['proxy'])
        rows.at, self.means = saved['at'], saved['means']
        return state and DomainWeights(*(tuple(one) if isinstance(one, list) else one for one in saved['state']))

    def stepped(self, stage, proxy, rows, state=None):
        tenth = 10 * proxy.steps // self.steps
        if state is not None and tenth > 10 * (proxy.steps - 1) // self.steps:
            self.means.append(list(state.mean))
        path = self._path(stage)
        if path is not None and (proxy.steps % -(-self.steps // 10) == 0 or proxy.steps == self.steps):
            weights = state and [list(one) if isinstance(one, tuple) else one for one in dataclasses.astuple(state)]
            torch.save({'proxy': proxy.state(), 'at': rows.at, 'means': self.means, 'state': weights}, f'{path}.writing')
            os.replace(f'{path}.writing', path)
        self._report(stage, proxy.steps / self.steps)

    def _path(self, stage):
        return None if self._folder is None else Path(self._folder) / f'{stage}.pt'


def doremi(proxy_of, documents, course, trainer, seed, end=0, prior=None, **options):
    """Trains the reference model on rows drawn by the domains' tokens, then a proxy on the same rows; gives the proxy and the weights."""
    context, batch, count = trainer['context'], trainer['batch'], len(documents)
    begun = Rows(documents, context, end)
    prior = [len(tokens) for tokens in begun.tokens] if prior is None else prior

    def drawn(rows, step):
        domains = domains_of_step(seed, step, batch, prior)
        return domains, torch.tensor([rows.row(d) for d in domains])

    reference = proxy_of()
    course.begin('reference', reference, begun)
    while reference.steps < course.steps:
        reference.step(drawn(begun, reference.steps)[1], [1.0] * batch)
        course.stepped('reference', reference, begun)
    proxy, rows, start = proxy_of(), Rows(documents, context, end), DomainWeights.initial(prior)
    state = course.begin('proxy', proxy, rows, start)
    while proxy.steps < course.steps:
        domains, ids = drawn(rows, proxy.steps)
        with torch.no_grad():
            excess = (proxy.losses(ids[:, :-1], ids[:, 1:]) - reference.losses(ids[:, :-1], ids[:, 1:])).clamp(min=0)
        state = doremi_update(state, by_domain(domains, excess.mean(1).tolist(), count), **options)
        proxy.step(ids, row_weights(domains, state.weights, start.weights))
        course.stepped('proxy', proxy, rows, state)
    return proxy, state


def by_domain(domains, values, count):
    """Means by domain; None: no row is of it. Rows have one length, so the mean of their means is that of their tokens."""
    own = [[value for d, value in zip(domains, values, strict=True) if d == domain] for domain in range(count)]
    return [sum(some) / len(some) if some else None for some in own]


def doge(proxy_of, documents, course, trainer, target=None, end=0, **options):
    """`target(step)`: what the mixture is to serve, a batch of it (out-of-domain); None: all domains (universal)."""
    context, count = trainer['context'], len(documents)
    rows, proxy = Rows(documents, context, end), proxy_of()
    variant = 'universal' if target is None else 'out-of-domain'
    share = -(-trainer['batch'] // count)
    state = course.begin('proxy', proxy, rows, DomainWeights.initial([1.0] * count))
    while proxy.steps < course.steps:
        gradients = [proxy.gradient(torch.tensor([rows.row(d) for _ in range(share)])) for d in range(count)]
        towards = torch.stack(gradients).sum(0) if target is None else proxy.gradient(target(proxy.steps))
        products = [torch.dot(one, towards).item() for one in gradients], [torch.dot(one, one).item() for one in gradients]
        state = doge_update(state, *products, proxy.learning_rate, variant=variant, **options)
        proxy.step_along(sum(weight * one for weight, one in zip(state.weights, gradients, strict=True)))
        course.stepped('proxy', proxy, rows, state)
    return proxy, state


def tokenizer_of(model):
    description = read_description(model)
    return Tokenizer(Path(model) / 'tokenizer.json', description['config']['vocab_size'], description.get('endOfText', 0))


def learned(method, model, domains, steps, trainer, seed='0', target=None, **options):
    """The mixture that a method comes to over texts by domain, with the model of an exported folder. Raises WinnowError BAD_DATA."""
    if len(domains) < 2 or not all(domains.values()):
        raise WinnowError('BAD_DATA', 'a mixture needs two domains or more, each with a document', 'Name their files.')
    if method == 'doge' and target is None and len(domains) == 2:
        raise WinnowError('BAD_DATA', 'of two domains universal DoGE makes halves, whatever they hold', 'Name a --target.')
    tokenizer = tokenizer_of(model)
    encoded = [[tokenizer.ids(text) for text in texts] for texts in domains.values()]

    def proxy_of():
        return Proxy(model, seed, trainer, steps)

    course, end = Course(steps), tokenizer.end_of_text
    if method == 'doremi':
        _, state = doremi(proxy_of, encoded, course, trainer, seed, end, **options)
    else:
        wanted = None if target is None else Rows([[tokenizer.ids(text) for text in target]], trainer['context'], end)

        def batch(_):
            return torch.tensor([wanted.row(0) for _ in range(trainer['batch'])])

        _, state = doge(proxy_of, encoded, course, trainer, wanted and batch, end, **options)
    return {
        'method': method,
        'domains': list(domains),
        'shares': list(state.mean),
        'last': list(state.weights),
        'updates': state.updates,
    }


def texts_of(path):
    return [json.loads(line)['text'] for line in Path(path).read_text().splitlines() if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('method', choices=['doremi', 'doge'])
    parser.add_argument('domains', nargs='+', metavar='NAME=FILE')
    parser.add_argument('--model', required=True, help="an exported folder: a run's model")
    parser.add_argument('--target', help='of doge: rows that the mixture is to serve (out of domain)')
    parser.add_argument('--seed', default='0')
    numbers = {'steps': 200, 'batch': 8, 'context': 128, 'warmup-steps': 20}
    for name, default in numbers.items():
        parser.add_argument(f'--{name}', type=int, default=default)
    for name in ('rate', 'smoothing', 'mu'):
        parser.add_argument(f'--{name}', type=float)
    parser.add_argument('--learning-rate', type=float, default=1e-3)
    given = parser.parse_args()
    names = ('rate', 'smoothing') if given.method == 'doremi' else ('smoothing', 'mu')
    options = {name: getattr(given, name) for name in ('rate', 'smoothing', 'mu') if getattr(given, name) is not None}
    if strange := [name for name in options if name not in names]:
        parser.error(f'--{strange[0]} is no option of the method {given.method}')
    if given.method == 'doremi' and given.target is not None:
        parser.error('--target is no option of the method doremi')
    if strange := [one for one in given.domains if '=' not in one]:
        parser.error(f'a domain is NAME=FILE, not {strange[0]}')
    trainer = {'batch': given.batch, 'context': given.context, 'learningRate': given.learning_rate}
    trainer |= {'warmupSteps': given.warmup_steps, 'weightDecay': 0.1}
    domains = {name: texts_of(path) for name, path in (one.split('=', 1) for one in given.domains)}
    target = None if given.target is None else texts_of(given.target)
    result = learned(given.method, given.model, domains, given.steps, trainer, given.seed, target, **options)
    print(json.dumps(result, indent=2))


if __name__ == '__main__':
    try:
        main()
    except WinnowError as error:
        print(error.line(), file=sys.stderr)
        sys.exit(error.exit_code)
