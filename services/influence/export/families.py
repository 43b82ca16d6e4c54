"""Tiny graphs of the model families that the export promises, and golden values for them: a second implementation, in torch
float64, of weights, projections, per-sequence gradients and batch gradients, sharing no code with the graphs.

    python families.py --out ../../../test/services/influence/export/families
    python families.py --out FOLDER --golden-only          new golden values for the graphs that are there

The float64 models run transformers' own forward pass with its own masks, in float64 throughout: see Float64.
"""

import argparse
import json
import logging
import math
import os
import warnings

import numpy as np
import torch
import transformers
from torch.overrides import TorchFunctionMode

from checkpoints import saved_keys
from export import causal_model, export
from golden import mean_loss, random_words, rounded

SEED, K = '7', 4
# The last is shorter than the graphs' minimum length, so that padding is covered too.
LENGTHS = (48, 17, 3)
BATCH_ROWS, BATCH_LENGTH = 8, 40
SAMPLES = 24
# 3,096 tokens of 3 ids, on an embedding 256 wide: a racing scatter then misses a tenth of the gradient on two threads.
SCATTER_ROWS, SCATTER_LENGTH, SCATTER_IDS = 24, 129, 3

COMMON = dict(vocab_size=160, hidden_size=32, num_hidden_layers=1, max_position_embeddings=64)
LLAMA = dict(
    COMMON,
    model_type='llama',
    num_attention_heads=4,
    intermediate_size=48,
    hidden_act='silu',
    rms_norm_eps=1e-5,
    attention_dropout=0.0,
)
FAMILIES = {
    # Llama 3's rotary angles: another base, and long wavelengths stretched, from positions that occur in the test's texts.
    'llama-gqa': dict(
        LLAMA,
        num_key_value_heads=2,
        tie_word_embeddings=False,
        rope_theta=500.0,
        rope_scaling=dict(
            rope_type='llama3', factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32
        ),
    ),
    'llama-tied': dict(LLAMA, num_key_value_heads=4, tie_word_embeddings=True),
    'gpt2': dict(
        model_type='gpt2',
        vocab_size=160,
        n_embd=32,
        n_layer=1,
        n_head=4,
        n_positions=64,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    ),
    'qwen2': dict(
        COMMON,
        model_type='qwen2',
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        tie_word_embeddings=True,
        attention_dropout=0.0,
    ),
    'neox': dict(
        COMMON,
        model_type='gpt_neox',
        num_attention_heads=4,
        intermediate_size=64,
        rotary_pct=0.25,
        tie_word_embeddings=False,
        hidden_dropout=0.0,
        attention_dropout=0.0,
    ),
}
WIDE = dict(
    LLAMA,
    vocab_size=1024,
    hidden_size=256,
    num_key_value_heads=1,
    intermediate_size=32,
    max_position_embeddings=128,
    tie_word_embeddings=False,
)


def weight(key, shape):
    """Uniform, so that a test in any language can reproduce it to the bit: matrices in +-0.2, gains 1 +- 0.2, biases +-0.2."""
    words = (random_words(SEED, f'weights:{key}', math.prod(shape)) >> np.uint64(40)).astype(np.float64)
    values = (words / 2**23 - 1) * 0.2
    if len(shape) == 1 and not key.endswith('bias'):
        values = values + 1
    return values.astype(np.float32).astype(np.float64).reshape(shape)


def signs(purpose, rows, seed, k):
    bits = (random_words(seed, purpose, rows * k) >> np.uint64(63)).astype(np.float64)
    return torch.tensor(((1 - 2 * bits) / math.sqrt(k)).reshape(rows, k))


def tokens(row, length, distinct):
    """Ids below `distinct` that repeat, so that scattering into the embedding's gradient meets duplicates."""
    return [(31 * i * i + 17 * (i % 5) * (row + 1) + 97 * row) % distinct for i in range(length)]


class Float64(TorchFunctionMode):
    """Makes transformers compute in float64 where it asks for float32: norms, attention's softmax, rotary angles."""

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        if function is torch.Tensor.float:
            return arguments[0].double()
        arguments = [torch.float64 if a is torch.float32 else a for a in arguments]
        keywords = {k: torch.float64 if a is torch.float32 else a for k, a in (keywords or {}).items()}
        return function(*arguments, **keywords)


def float64_model(config):
    """To be created and used within Float64."""
    keys = saved_keys(causal_model(config))
    model = causal_model(config).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.tensor(weight(keys[name], tuple(parameter.shape))))
            parameter.requires_grad_(True)
    return model, keys


def linear_layers(model):
    """Name, weight, and whether it is stored as [in, out], by name rather than by type: the head and embeddings are left out."""
    for name, module in model.named_modules():
        kind = type(module).__name__
        if kind in ('Linear', 'Conv1D') and name not in ('lm_head', 'embed_out'):
            yield name, module.weight, kind == 'Conv1D'


def projected(model, row, length, distinct):
    ids = tokens(row, length, distinct)
    loss = mean_loss(model, torch.tensor([ids]))
    layers = list(linear_layers(model))
    gradients = torch.autograd.grad(loss, [w for _, w, _ in layers])
    parts = []
    for (name, _, transposed), gradient in zip(layers, gradients):
        gradient = gradient.T if transposed else gradient
        p_in = signs(f'projection:in:{name}', gradient.shape[1], SEED, K)
        p_out = signs(f'projection:out:{name}', gradient.shape[0], SEED, K)
        parts.append((p_out.T @ gradient @ p_in).flatten())
    return dict(tokens=ids, loss=loss.item(), phi=torch.cat(parts).tolist())


def batch_gradients(model, keys, rows, length, distinct):
    """The gradient of the mean loss of a batch: of each parameter its norm and values at equal distances."""
    ids = torch.tensor([tokens(row, length, distinct) for row in range(rows)])
    loss = mean_loss(model, ids)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    result = {}
    for (name, _), gradient in zip(model.named_parameters(), gradients):
        flat = gradient.flatten()
        stride = max(1, flat.numel() // SAMPLES)
        result[keys[name]] = dict(norm=gradient.norm().item(), stride=stride, values=flat[::stride].tolist())
    return dict(ids=ids.flatten().tolist(), rows=rows, loss=loss.item(), gradients=result)


def golden_values(config):
    with Float64():
        return float64_values(config)


def float64_values(config):
    model, keys = float64_model(config)
    distinct = config['vocab_size'] - 9
    return dict(
        influence=[projected(model, row, length, distinct) for row, length in enumerate(LENGTHS)],
        training=batch_gradients(model, keys, BATCH_ROWS, BATCH_LENGTH, distinct),
    )


def scatter_values():
    with Float64():
        model, keys = float64_model(WIDE)
        return batch_gradients(model, keys, SCATTER_ROWS, SCATTER_LENGTH, SCATTER_IDS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', required=True)
    parser.add_argument('--golden-only', action='store_true')
    arguments = parser.parse_args()
    warnings.filterwarnings('ignore')
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    for name, config in (FAMILIES | {'wide': WIDE}).items():
        if not arguments.golden_only:
            export(config, os.path.join(arguments.out, name), K, K)
    golden = {name: golden_values(config) for name, config in FAMILIES.items()}
    values = dict(seed=SEED, families=golden, scatter=scatter_values())
    with open(os.path.join(arguments.out, 'golden.json'), 'w') as file:
        json.dump(rounded(values), file)
        file.write('\n')


if __name__ == '__main__':
    main()
