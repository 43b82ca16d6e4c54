"""Rewards a second of the PyTorch influence worker on a GPU, at the sizes of the paper: the projected gradients of documents (Eq. 3), against
the same values from one backward pass a document with its whole gradient, as research code computes them. By hand, where torch sees a GPU:
PYTHONPATH=services/influence/torch:services/runtime/python python3 test/bench/influence_gpu.py [small|373M|1.3B ...]"""

import json
import sys
import time

import numpy as np
import torch
import transformers
from winnow_torch.model import Model
from winnow_torch.sequences import Sequence

# Layers, width, width of the MLP, heads. 373M and 1.3B: as the paper has them (A.7), in Llama's form.
SIZES = {'small': (6, 384, 1024, 6), '373M': (24, 1024, 2816, 16), '1.3B': (24, 2048, 5504, 16)}
VOCABULARY, CONTEXT, K = 32_000, 1024, 8
NAIVE_DOCUMENTS = 24


def describe(layers, width, inner, heads):
    """What export.py writes about a model, without its graphs."""
    config = dict(
        model_type='llama', vocab_size=VOCABULARY, hidden_size=width, intermediate_size=inner, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=heads, max_position_embeddings=CONTEXT + 1, tie_word_embeddings=False,
    )  # fmt: skip
    with torch.device('meta'):
        options = {key: value for key, value in config.items() if key != 'model_type'}
        network = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model('llama', **options))
    head = network.get_output_embeddings()
    linears = [(n, m) for n, m in network.named_modules() if isinstance(m, torch.nn.Linear) and m is not head]
    return dict(
        config=config,
        parameters=[dict(name=name, shape=list(p.shape)) for name, p in network.named_parameters()],
        projection=dict(kIn=K, kOut=K, modules=[dict(name=n, inSize=m.in_features, outSize=m.out_features) for n, m in linears]),
    )


def documents(count):
    drawn = np.random.default_rng(7)
    mask = np.ones(CONTEXT + 1, dtype=np.float32)
    return [Sequence(drawn.integers(0, VOCABULARY, CONTEXT + 1), mask) for _ in range(count)]


def timed(device, work):
    torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    torch.cuda.synchronize(device)
    return time.perf_counter() - began


def naive(model, batch, seed):
    """One document at a time: its whole gradient, which is projected then."""
    network = model._network  # the peer uses the same weights
    for sequence in batch:
        network.requires_grad_(True)
        model._losses(*model._tensors([sequence])).sum().backward()
        phi = []
        for (_, module), (p_in, p_out) in zip(model._linears, model._projections_of(seed), strict=True):
            phi.append((p_out.float().T @ module.weight.grad.float() @ p_in.float()).flatten())
        network.zero_grad(set_to_none=True)
        network.requires_grad_(False)
    return (torch.cat(phi) / K).double().cpu().numpy()


def main():
    device, dtype = torch.device('cuda'), torch.bfloat16
    for name in sys.argv[1:] or SIZES:
        description = describe(*SIZES[name])
        model = Model(description, device, dtype)
        generator = torch.Generator(device).manual_seed(7)
        weights = {
            key: torch.ones(shape, device=device, dtype=dtype)
            if len(shape) == 1
            else torch.randn(shape, generator=generator, device=device, dtype=torch.float32).mul_(0.02).to(dtype)
            for key, shape in model.shapes.items()
        }
        model.use(weights)
        parameters = sum(int(np.prod(shape)) for key, shape in model.shapes.items() if 'embed_tokens' not in key)
        for batch in (4, 16, 32):
            batches = [documents(batch) for _ in range(4)]
            torch.cuda.reset_peak_memory_stats(device)
            try:
                model.projected_gradients(batches[0], 'bench')
                seconds = timed(device, lambda: [model.projected_gradients(one, 'bench') for one in batches])
            except torch.cuda.OutOfMemoryError:
                print(json.dumps(dict(model=name, batch=batch, fails='out of memory')), flush=True)
                break
            rate = batch * len(batches) / seconds
            few = documents(NAIVE_DOCUMENTS)
            naive(model, few[:2], 'bench')
            slow = NAIVE_DOCUMENTS / timed(device, lambda: naive(model, few, 'bench'))
            row = dict(
                model=name, parameters=parameters, batch=batch, documentsPerSecond=round(rate, 1), naivePerSecond=round(slow, 1),
                ratio=round(rate / slow, 2), tokensPerSecond=round(rate * CONTEXT), teraflops=round(4 * parameters * CONTEXT * rate / 1e12),
                gigabytes=round(torch.cuda.max_memory_allocated(device) / 1e9, 1), gpu=torch.cuda.get_device_name(device),
            )  # fmt: skip
            print(json.dumps(row), flush=True)
        del model, weights
        torch.cuda.empty_cache()


main()
