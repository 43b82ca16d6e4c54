"""Golden values for the tests of services/model: a second implementation, in numpy and torch float64, of the initial weights
(weights.ts), the projections (projection.ts), the projected gradients and the training step, sharing no code with the graphs.
transformers keeps the norms and the rotary angles in float32 even so, which is far below the tests' tolerance.

    python golden.py --out ../../../test/services/model/golden.json
"""

import argparse
import hashlib
import json
import math

import numpy as np
import torch
import torch.nn.functional as F

from export import DEMO, causal_model

SEED, PROJECTION_SEED, K = '7', '11', 16
# Fresh weights of 0.02 leave attention almost uniform; larger ones make every term matter.
WEIGHT_SCALE = 4
LENGTHS = (129, 40, 5, 2)
OPTIMIZER = dict(learning_rate=5e-3, warmup=2, total=6, decay=0.1, betas=(0.9, 0.95), epsilon=1e-8, clip=1.0)


def random_words(seed, purpose, count):
    """splitmix64(i XOR s), s from SHA-256 of `seed:0:purpose`."""
    start = int.from_bytes(hashlib.sha256(f'{seed}:0:{purpose}'.encode()).digest()[:8], 'little')
    with np.errstate(over='ignore'):
        z = (np.arange(count, dtype=np.uint64) ^ np.uint64(start)) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def initial(name, shape):
    if len(shape) == 1:
        return np.ones(shape)
    words = (random_words(SEED, f'weights:{name}', math.prod(shape)) >> np.uint64(11)).astype(np.float64)
    radius = 0.02 * np.sqrt(-2 * np.log((words[0::2] + 1) / 2**53))
    angle = 2 * np.pi * words[1::2] / 2**53
    values = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return values.astype(np.float32).astype(np.float64).reshape(shape)


def signs(purpose, rows):
    bits = (random_words(PROJECTION_SEED, purpose, rows * K) >> np.uint64(63)).astype(np.float64)
    return torch.tensor(((1 - 2 * bits) / math.sqrt(K)).reshape(rows, K))


def tokens(row, length):
    """Ids that repeat, so that scattering into the embedding's gradient meets duplicates."""
    return [(31 * i * i + 17 * (i % 5) * (row + 1) + 97 * row) % 509 for i in range(length)]


def model_at(scale):
    model = causal_model(DEMO).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            value = torch.tensor(initial(name, tuple(parameter.shape)))
            parameter.copy_(value * scale if parameter.ndim > 1 else value)
            parameter.requires_grad_(True)
    return model


def mean_loss(model, ids):
    """transformers' own forward pass, with its own causal mask."""
    logits = model(input_ids=ids, use_cache=False).logits
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


def influence_values():
    model = model_at(WEIGHT_SCALE)
    layers = [(n, m) for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and n != 'lm_head']
    result = []
    for row, length in enumerate(LENGTHS):
        loss = mean_loss(model, torch.tensor([tokens(row, length)]))
        gradients = torch.autograd.grad(loss, [m.weight for _, m in layers])
        parts = []
        for (name, module), gradient in zip(layers, gradients):
            p_in = signs(f'projection:in:{name}', module.in_features)
            p_out = signs(f'projection:out:{name}', module.out_features)
            parts.append((p_out.T @ gradient @ p_in).flatten())
        phi = torch.cat(parts)
        result.append(
            dict(
                tokens=tokens(row, length),
                loss=loss.item(),
                moduleNorms=[p.norm().item() for p in parts],
                everySixteenth=phi[::16].tolist(),
            )
        )
    return result


def training_values():
    o = OPTIMIZER
    model = model_at(1)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [dict(params=matrices, weight_decay=o['decay']), dict(params=vectors, weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=o['betas'], eps=o['epsilon'])
    batch = torch.tensor([tokens(row, 33) for row in range(4)])
    losses, norms = [], []
    for step in range(o['total']):
        cosine = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * step / o['total']))
        for group in optimizer.param_groups:
            group['lr'] = o['learning_rate'] * min(1, (step + 1) / o['warmup']) * cosine
        loss = mean_loss(model, batch)
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), o['clip']).item())
        optimizer.step()
        losses.append(loss.item())
    return dict(batch=batch.flatten().tolist(), losses=losses, gradientNorms=norms)


def rounded(value):
    if isinstance(value, float):
        return float(f'{value:.9g}')
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', required=True)
    arguments = parser.parse_args()
    head = initial('lm_head.weight', (4096, 64)).flatten()
    values = dict(
        seed=SEED,
        projectionSeed=PROJECTION_SEED,
        weightScale=WEIGHT_SCALE,
        initial=dict(name='lm_head.weight', first=head[:8].tolist(), last=head[-8:].tolist(), sum=head.sum()),
        influence=influence_values(),
        training=training_values(),
    )
    with open(arguments.out, 'w') as file:
        json.dump(rounded(values), file)
        file.write('\n')


if __name__ == '__main__':
    main()
