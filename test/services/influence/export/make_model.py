"""A tiny GPT-2 as it is found on the hub, in shards, and a later checkpoint of it, with the losses that transformers computes.

    python make_model.py FOLDER

FOLDER/model: config.json, shards with an index, tokenizer.json; keys lack the `transformer.` prefix, and constants and the
tied head are stored as well, as older versions of transformers did. FOLDER/later.safetensors: other weights of the same names.
Prints JSON: ids of a text, and the losses at both.
"""

import json
import os
import sys

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers


def tensors_of(model):
    tensors = {n.removeprefix('transformer.'): p.detach().contiguous() for n, p in model.named_parameters()}
    tensors['lm_head.weight'] = tensors['wte.weight'].clone()
    tensors['h.0.attn.bias'] = torch.ones(1, 1, 64, 64)
    return tensors


def write_shards(tensors, folder):
    names = sorted(tensors)
    halves = {f'model-0000{i + 1}-of-00002.safetensors': names[i::2] for i in range(2)}
    for file, keys in halves.items():
        save_file({key: tensors[key] for key in keys}, os.path.join(folder, file))
    with open(os.path.join(folder, 'model.safetensors.index.json'), 'w') as file:
        json.dump(dict(metadata={}, weight_map={key: name for name, keys in halves.items() for key in keys}), file)


def main():
    out = sys.argv[1]
    folder = os.path.join(out, 'model')
    os.makedirs(folder)
    config = transformers.GPT2Config(
        vocab_size=128, n_embd=32, n_layer=1, n_head=4, n_positions=64, bos_token_id=5, eos_token_id=5,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )
    config.save_pretrained(folder)
    words = Tokenizer(models.WordLevel({f'w{i}': i for i in range(128)}, unk_token='w0'))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(os.path.join(folder, 'tokenizer.json'))
    ids = [(7 * i * i + 3) % 120 for i in range(40)]
    losses = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = transformers.GPT2LMHeadModel(config).eval()
        losses.append(model(torch.tensor([ids]), labels=torch.tensor([ids])).loss.item())
        if seed == 1:
            write_shards(tensors_of(model), folder)
        else:
            save_file(tensors_of(model), os.path.join(out, 'later.safetensors'))
    print(json.dumps(dict(ids=ids, losses=losses)))


if __name__ == '__main__':
    main()
