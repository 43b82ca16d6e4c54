"""Names of weights: the model's own in transformers, and those of a safetensors checkpoint, which the graphs' inputs carry."""

import json
import os
import re
import tempfile

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from supported import Unsupported

# What older versions of transformers stored besides the weights: constants that a model computes itself.
CONSTANTS = re.compile(r'(^|\.)(attn\.bias|attn\.masked_bias|attention\.bias|attention\.masked_bias|rotary_emb\.inv_freq)$')


def saved_keys(model):
    """Parameter name -> the key under which transformers saves it. Mostly the same; it renames some on save (GPT-NeoX's
    lm_head.weight is stored as embed_out.weight), so save once and match what is left by value."""
    parameters = dict(model.named_parameters())
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, max_shard_size='1000GB')
        stored = load_file(os.path.join(folder, 'model.safetensors'))
    keys = {name: name for name, p in parameters.items() if name in stored and torch.equal(stored[name], p)}
    for name in [name for name in parameters if name not in keys]:
        free = stored.keys() - set(keys.values())
        same = [k for k in free if stored[k].shape == parameters[name].shape and torch.equal(stored[k], parameters[name])]
        if len(same) != 1:
            raise Unsupported(
                f'{type(model).__name__} stores {name} in another form than it computes with (fused or split); '
                'convert the checkpoint to one of the tested families'
            )
        keys[name] = same[0]
    return {name: keys[name] for name in parameters}


def stored_shapes(folder):
    """Key -> shape of every tensor of a checkpoint: model.safetensors, or the shards that its index names."""
    index = os.path.join(folder, 'model.safetensors.index.json')
    if os.path.exists(index):
        with open(index) as file:
            files = sorted(set(json.load(file)['weight_map'].values()))
    else:
        files = ['model.safetensors']
    shapes = {}
    for name in files:
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            raise Unsupported(
                f'{path} is missing; a checkpoint is model.safetensors, or model.safetensors.index.json with all its shards. '
                'Weights in another format (.bin, .pt) are converted by loading and save_pretrained(folder)'
            )
        with safe_open(path, 'pt') as tensors:
            for key in tensors.keys():
                shapes[key] = tuple(tensors.get_slice(key).get_shape())
    return shapes


def folder_keys(model, folder):
    """Parameter name -> its key in the checkpoint of `folder`; every one is found with the right shape, and none is left over."""
    shapes = stored_shapes(folder)
    aliases = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        aliases.setdefault(id(parameter), []).append(name)
    prefix = f'{model.base_model_prefix}.'
    saved = None
    keys, same = {}, set()
    for name, parameter in model.named_parameters():
        # Checkpoints of the model without its head lack the prefix (GPT-2's on the hub).
        candidates = [c for alias in aliases[id(parameter)] for c in (alias, alias.removeprefix(prefix))]
        found = [c for c in candidates if c in shapes]
        if not found:
            saved = saved or saved_keys(model)
            candidates = [saved[name], saved[name].removeprefix(prefix)]
            found = [c for c in candidates if c in shapes]
        if not found:
            raise Unsupported(f'the checkpoint has no tensor for {name}; does config.json belong to these weights?')
        if shapes[found[0]] != tuple(parameter.shape):
            raise Unsupported(
                f'{found[0]} has shape {list(shapes[found[0]])} in the checkpoint, by config.json it is {list(parameter.shape)}; '
                'use the config.json that was saved with the weights'
            )
        keys[name] = found[0]
        # A tied weight may be stored again under its other name.
        same.update(found)
    extra = [key for key in shapes if key not in same and not CONSTANTS.search(key)]
    if extra:
        raise Unsupported(
            f'the checkpoint has tensors that {type(model).__name__} does not use: {", ".join(sorted(extra)[:5])}; '
            'save the plain causal LM (an adapter must be merged into it first)'
        )
    return keys
