"""Writes loss.onnx, influence.onnx, train.onnx and model.json of a causal language model whose weights are inputs.

    python -m venv VENV && VENV/bin/pip install -r requirements.txt
    python export.py --out ../../model/graphs/llama-64x2                 the demo model
    python export.py --config my/config.json --out FOLDER                any config of Hugging Face

Works unchanged for Llama, Qwen2, GPT-2 and GPT-NeoX configurations. Not covered: sliding windows, ALiBi, fused experts.
Run one export at a time: two on two cores take several times as long.
"""

import argparse
import hashlib
import json
import logging
import os
import tempfile
import warnings
from importlib.metadata import version

import torch
import transformers
from safetensors.torch import load_file

from computations import ADAMW_SCALARS, adamw_step, projected_gradients, projected_linears, sequence_loss
from tracing import LENGTH_MIN, OPSET, write_graph

DEMO = dict(
    model_type='llama', vocab_size=4096, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=4, intermediate_size=160, tie_word_embeddings=False, hidden_act='silu',
    max_position_embeddings=512, rms_norm_eps=1e-5, attention_dropout=0.0,
)


def causal_model(config):
    """The model in float32 with eager attention, the only kind that traces to plain operators."""
    config = dict(config)
    config = transformers.AutoConfig.for_model(config.pop('model_type'), **config)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation='eager').float().eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def checkpoint_keys(model):
    """Parameter name -> key in a safetensors checkpoint. Mostly the same; transformers renames some on save (GPT-NeoX's
    lm_head.weight is stored as embed_out.weight), so save once and match what is left by value."""
    parameters = dict(model.named_parameters())
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, max_shard_size='1000GB')
        stored = load_file(os.path.join(folder, 'model.safetensors'))
    keys = {name: name for name, p in parameters.items() if name in stored and torch.equal(stored[name], p)}
    for name in [name for name in parameters if name not in keys]:
        free = stored.keys() - set(keys.values())
        same = [k for k in free if stored[k].shape == parameters[name].shape and torch.equal(stored[k], parameters[name])]
        assert len(same) == 1, f'no single checkpoint key for {name}: {same}'
        keys[name] = same[0]
    return {name: keys[name] for name in parameters}


def example_batch(vocabulary, batch=3, length=34):
    """Values are irrelevant; sizes differ from each other and from 1, so that none is taken for a constant."""
    return [torch.randint(0, vocabulary, (batch, length), dtype=torch.int32), torch.ones(batch, length)]


def sha256(path):
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()


def export(config, out, k_in, k_out):
    model = causal_model(config)
    keys = checkpoint_keys(model)
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    names, values, stored = list(parameters), list(parameters.values()), list(keys.values())
    linears = projected_linears(model)
    batch = example_batch(config['vocab_size'])
    count = len(values)
    os.makedirs(out, exist_ok=True)

    write_graph(
        sequence_loss(model, names), values + batch, count, stored + ['ids', 'mask'], ['loss', 'count'],
        f'{out}/loss.onnx',
    )

    projections, projection_names = [], []
    for name, _, size_in, size_out in linears:
        projections += [torch.ones(size_in, k_in), torch.ones(size_out, k_out)]
        projection_names += [f'P_in.{name}', f'P_out.{name}']
    write_graph(
        projected_gradients(model, names, linears), values + projections + batch, count + len(projections),
        stored + projection_names + ['ids', 'mask'], ['loss', 'phi'], f'{out}/influence.onnx',
    )

    # A tensor of its own for each moment: the tracer tells inputs apart by identity.
    moments = [torch.zeros_like(p) for p in values + values]
    scalars = [torch.tensor(0.5 + index / 16) for index in range(len(ADAMW_SCALARS))]
    state = [prefix + key for prefix in ('', 'm.', 'v.') for key in stored]
    write_graph(
        adamw_step(model, names), values + moments + batch + scalars, 3 * count,
        state + ['ids', 'mask', *ADAMW_SCALARS], ['loss', 'gradient_norm', *('new.' + name for name in state)],
        f'{out}/train.onnx',
    )

    description = dict(
        name=os.path.basename(os.path.normpath(out)),
        config=config,
        parameters=[dict(name=keys[name], shape=list(p.shape)) for name, p in parameters.items()],
        projection=dict(kIn=k_in, kOut=k_out, modules=[dict(name=n, inSize=i, outSize=o) for n, _, i, o in linears]),
        lengthMin=LENGTH_MIN,
        graphs={g: dict(file=f'{g}.onnx', sha256=sha256(f'{out}/{g}.onnx')) for g in ('loss', 'influence', 'train')},
        versions=dict(opset=OPSET, **{p: version(p) for p in ('torch', 'onnx', 'onnxscript', 'onnx-ir', 'transformers')}),
    )
    with open(f'{out}/model.json', 'w') as file:
        json.dump(description, file, indent=2)
        file.write('\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', required=True, help='folder for the graphs and model.json')
    parser.add_argument('--config', help='a Hugging Face config.json; default: the demo model, 2 layers of 64')
    parser.add_argument('--k-in', type=int, default=16)
    parser.add_argument('--k-out', type=int, default=16)
    arguments = parser.parse_args()
    config = DEMO
    if arguments.config:
        with open(arguments.config) as file:
            config = json.load(file)
    warnings.filterwarnings('ignore')
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    export(config, arguments.out, arguments.k_in, arguments.k_out)


if __name__ == '__main__':
    main()
