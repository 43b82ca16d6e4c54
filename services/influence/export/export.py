"""Writes loss.onnx, influence.onnx, train.onnx and model.json of a causal language model whose weights are inputs.

    python export.py --model MODEL_FOLDER --out GRAPHS_FOLDER            config.json, safetensors, tokenizer.json
    python export.py --config my/config.json --out GRAPHS_FOLDER         before there are weights
    python export.py --out ../../model/shipped/llama-64x2                the demo model

See README.md. Exit code 3: the model is not supported, and the message says what to do.
"""

import argparse
import hashlib
import json
import logging
import os
import shutil
import sys
import warnings
from importlib.metadata import version

import torch
import transformers

from checkpoints import folder_keys, saved_keys
from computations import ADAMW_SCALARS, adamw_step, projected_gradients, projected_linears, sequence_loss
from supported import TESTED, Unsupported, check_forward, refuse_unsupported
from tracing import LENGTH_MIN, OPSET, write_graph

DEMO = dict(
    model_type='llama',
    vocab_size=4096,
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=4,
    intermediate_size=160,
    tie_word_embeddings=False,
    hidden_act='silu',
    max_position_embeddings=512,
    rms_norm_eps=1e-5,
    attention_dropout=0.0,
)


def causal_model(config):
    """The model in float32 with eager attention, the only kind that traces to plain operators; weights are random."""
    config = dict(config)
    for name in ('dtype', 'torch_dtype'):
        config.pop(name, None)
    kind = config.pop('model_type')
    try:
        config = transformers.AutoConfig.for_model(kind, **config)
    except ValueError as error:
        tested = ', '.join(TESTED)
        raise Unsupported(f'model_type {kind} is unknown to transformers {version("transformers")}; tested: {tested}') from error
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation='eager').float().eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model


def example_batch(vocabulary, batch=3, length=34):
    """Values are irrelevant; sizes differ from each other and from 1, so that none is taken for a constant."""
    return [torch.randint(0, vocabulary, (batch, length), dtype=torch.int32), torch.ones(batch, length)]


SIZES = ('vocab_size', 'max_position_embeddings')


def projected_modules(names, linears):
    """`transposed`: the weight is stored as [in, out]; present only if it is."""
    return [
        dict(name=name, inSize=size_in, outSize=size_out) | ({'transposed': True} if type(module).__name__ == 'Conv1D' else {})
        for name, (_, module, size_in, size_out) in zip(names, linears)
    ]


def copied_tokenizer(folder, out, config):
    """Copies tokenizer.json next to the graphs; returns the id of the token that ends a document."""
    path = os.path.join(folder, 'tokenizer.json')
    if not os.path.exists(path):
        raise Unsupported(
            f'{path} is missing: documents are tokenized by it. Save the fast tokenizer of the model there: '
            'AutoTokenizer.from_pretrained(...).save_pretrained(folder)'
        )
    shutil.copyfile(path, os.path.join(out, 'tokenizer.json'))
    end = config.eos_token_id
    end = end[0] if isinstance(end, list) else end
    if end is None or not 0 <= end < config.vocab_size:
        raise Unsupported(
            f'eos_token_id is {end} in config.json, with a vocabulary of {config.vocab_size}; set it to the id of the token '
            'that ends documents in training'
        )
    return dict(endOfText=end)


def sha256(path):
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()


def export(config, out, k_in, k_out, folder=None):
    """Writes the graphs of a model; with `folder`, named after the checkpoint in it, and with its tokenizer."""
    refuse_unsupported(config)
    model = causal_model(config)
    check_forward(model, model.config.vocab_size, length=min(24, getattr(model.config, 'max_position_embeddings', 24)))
    keys = saved_keys(model) if folder is None else folder_keys(model, folder)
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    names, values, stored = list(parameters), list(parameters.values()), list(keys.values())
    linears = projected_linears(model)
    # A module gets its weight's name in the checkpoint, by which its gradient, moments and projection are found.
    modules = [keys[f'{name}.weight'].removesuffix('.weight') for name, *_ in linears]
    batch = example_batch(model.config.vocab_size)
    count = len(values)
    os.makedirs(out, exist_ok=True)

    write_graph(
        sequence_loss(model, names),
        values + batch,
        count,
        stored + ['ids', 'mask'],
        ['loss', 'count', 'likelihood'],
        f'{out}/loss.onnx',
    )

    projections, projection_names = [], []
    for name, (_, _, size_in, size_out) in zip(modules, linears):
        projections += [torch.ones(size_in, k_in), torch.ones(size_out, k_out)]
        projection_names += [f'P_in.{name}', f'P_out.{name}']
    write_graph(
        projected_gradients(model, names, linears),
        values + projections + batch,
        count + len(projections),
        stored + projection_names + ['ids', 'mask'],
        ['loss', 'phi'],
        f'{out}/influence.onnx',
    )

    # A separate tensor for each moment: the tracer distinguishes inputs by identity.
    moments = [torch.zeros_like(p) for p in values + values]
    scalars = [torch.tensor(0.5 + index / 16) for index in range(len(ADAMW_SCALARS))]
    state = [prefix + key for prefix in ('', 'm.', 'v.') for key in stored]
    write_graph(
        adamw_step(model, names),
        values + moments + batch + scalars,
        3 * count,
        state + ['ids', 'mask', *ADAMW_SCALARS],
        ['loss', 'gradient_norm', *('new.' + name for name in state)],
        f'{out}/train.onnx',
    )

    description = dict(
        name=os.path.basename(os.path.normpath(out)),
        # Some families use other names for these (GPT-2: n_positions), or leave them at their defaults.
        config=config | {key: getattr(model.config, key) for key in SIZES if key not in config and hasattr(model.config, key)},
        **({} if folder is None else copied_tokenizer(folder, out, model.config)),
        parameters=[dict(name=keys[name], shape=list(p.shape)) for name, p in parameters.items()],
        projection=dict(kIn=k_in, kOut=k_out, modules=projected_modules(modules, linears)),
        lengthMin=LENGTH_MIN,
        graphs={g: dict(file=f'{g}.onnx', sha256=sha256(f'{out}/{g}.onnx')) for g in ('loss', 'influence', 'train')},
        versions=dict(opset=OPSET, **{p: version(p) for p in ('torch', 'onnx', 'onnxscript', 'onnx-ir', 'transformers')}),
    )
    with open(f'{out}/model.json', 'w') as file:
        json.dump(description, file, indent=2)
        file.write('\n')


def read_config(path):
    if not os.path.exists(path):
        raise Unsupported(f'{path} is missing; give the folder that save_pretrained wrote')
    with open(path) as file:
        return json.load(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', required=True, help='folder for the graphs and model.json')
    given = parser.add_mutually_exclusive_group()
    given.add_argument('--model', help='a folder with config.json, safetensors weights and tokenizer.json')
    given.add_argument('--config', help='a Hugging Face config.json; default: the demo model, 2 layers of 64')
    parser.add_argument('--k-in', type=int, default=16, help='columns of the projection of inputs (default 16)')
    parser.add_argument('--k-out', type=int, default=16, help='columns of the projection of outputs (default 16)')
    arguments = parser.parse_args()
    warnings.filterwarnings('ignore')
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    path = os.path.join(arguments.model, 'config.json') if arguments.model else arguments.config
    try:
        config = DEMO if path is None else read_config(path)
        if config.get('model_type') not in TESTED:
            print(f'note: {config.get("model_type")} is not among the families whose graphs are tested: {", ".join(TESTED)}')
        export(config, arguments.out, arguments.k_in, arguments.k_out, arguments.model)
    except Unsupported as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(3)


if __name__ == '__main__':
    main()
