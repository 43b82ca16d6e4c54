"""DoReMi and DoGE in PyTorch: domain weights that are learned while a small model trains, as services/campaigns/mixing has them.

python mixing.py doremi --model FOLDER fiction=fiction.jsonl law=law.jsonl      files of rows with a text, one domain each

Prints the mixture as JSON; its shares go into a run's file as selection.strategy.mixture: {actor: ACTOR, weights: [..]}.
"""

import argparse
import json
import random
import sys
from pathlib import Path

import torch
from reference import BETAS, CLIP, EPSILON, initial, learning_rate

from winnow_torch.model import read_description
from winnow_torch.sequences import Tokenizer
from winnow_trainer import WinnowError
from winnow_trainer.mixing import DomainWeights, doge_update, doremi_update, row_weights
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

    def losses(self, rows):
        """Of each target, in nats: [rows, context] of rows [rows, context + 1]."""
        logits = self.model(input_ids=rows[:, :-1], use_cache=False).logits
        targets = rows[:, 1:]
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction='none').view(targets.shape)

    def step(self, rows, weights):
        """One step on rows whose tokens count by their weights."""
        (self.losses(rows).mean(1) * torch.tensor(weights)).mean().backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, CLIP)
        self._advance()

    def gradient(self, rows):
        """Of the rows' mean loss, clipped to norm 1: one vector."""
        slopes = torch.autograd.grad(self.losses(rows).mean(), self._parameters)
        vector = torch.cat([slope.flatten() for slope in slopes])
        return vector * min(1.0, CLIP / (vector.norm().item() + 1e-6))

    def step_along(self, vector):
        at = 0
        for parameter in self._parameters:
            parameter.grad = vector[at : at + parameter.numel()].view_as(parameter).clone()
            at += parameter.numel()
        self._advance()

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
        self._context, self._at = context, [0] * len(documents)

    def row(self, domain):
        tokens, at = self.tokens[domain], self._at[domain]
        self._at[domain] = (at + self._context) % len(tokens)
        return [tokens[(at + k) % len(tokens)] for k in range(self._context + 1)]


def doremi(proxy_of, documents, steps, trainer, seed, end=0, **options):
    """Trains the reference model on rows drawn by the domains' tokens, then a proxy on the same rows; gives the weights."""
    context, batch = trainer['context'], trainer['batch']

    def drawn():
        rows, random_rows = Rows(documents, context, end), random.Random(seed)
        amounts = [len(tokens) for tokens in rows.tokens]
        for _ in range(steps):
            domains = random_rows.choices(range(len(documents)), weights=amounts, k=batch)
            yield domains, torch.tensor([rows.row(d) for d in domains])

    reference, proxy = proxy_of(), proxy_of()
    for _, ids in drawn():
        reference.step(ids, [1.0] * batch)
    prior = DomainWeights.initial([len(tokens) for tokens in Rows(documents, context, end).tokens])
    state = prior
    for domains, ids in drawn():
        with torch.no_grad():
            excess = (proxy.losses(ids) - reference.losses(ids)).clamp(min=0).mean(1).tolist()
        state = doremi_update(state, by_domain(domains, excess, len(documents)), **options)
        proxy.step(ids, row_weights(domains, state.weights, prior.weights))
    return state


def by_domain(domains, values, count):
    """Means by domain; None: no row is of it. Rows have one length, so the mean of their means is that of their tokens."""
    own = [[value for d, value in zip(domains, values, strict=True) if d == domain] for domain in range(count)]
    return [sum(some) / len(some) if some else None for some in own]


def doge(proxy_of, documents, steps, trainer, target=None, end=0, **options):
    """`target`: documents that the mixture is to serve (out-of-domain); None: all domains (universal)."""
    context, batch = trainer['context'], trainer['batch']
    rows, proxy = Rows(documents, context, end), proxy_of()
    wanted = None if target is None else Rows([target], context, end)
    share = -(-batch // len(documents))
    state = DomainWeights.initial([1.0] * len(documents))
    for _ in range(steps):
        gradients = [proxy.gradient(torch.tensor([rows.row(d) for _ in range(share)])) for d in range(len(documents))]
        towards = (
            torch.stack(gradients).sum(0)
            if wanted is None
            else proxy.gradient(torch.tensor([wanted.row(0) for _ in range(batch)]))
        )
        products = [torch.dot(one, towards).item() for one in gradients], [torch.dot(one, one).item() for one in gradients]
        variant = 'universal' if wanted is None else 'out-of-domain'
        state = doge_update(state, *products, proxy.learning_rate, variant=variant, **options)
        proxy.step_along(sum(weight * one for weight, one in zip(state.weights, gradients, strict=True)))
    return state


def learned(method, model, domains, steps, trainer, seed='0', target=None, **options):
    """The mixture that a method comes to over texts by domain, with the model of an exported folder. Raises WinnowError BAD_DATA."""
    if len(domains) < 2 or not all(domains.values()):
        raise WinnowError('BAD_DATA', 'a mixture needs two domains or more, each with a document', 'Name their files.')
    if method == 'doge' and target is None and len(domains) == 2:
        raise WinnowError('BAD_DATA', 'of two domains universal DoGE makes halves, whatever they hold', 'Name a --target.')
    description = read_description(model)
    end = description.get('endOfText', 0)
    tokenizer = Tokenizer(Path(model) / 'tokenizer.json', description['config']['vocab_size'], end)
    encoded = [[tokenizer.ids(text) for text in texts] for texts in domains.values()]

    def proxy_of():
        return Proxy(model, seed, trainer, steps)

    if method == 'doremi':
        state = doremi(proxy_of, encoded, steps, trainer, seed, end, **options)
    else:
        wanted = None if target is None else [tokenizer.ids(text) for text in target]
        state = doge(proxy_of, encoded, steps, trainer, wanted, end, **options)
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
