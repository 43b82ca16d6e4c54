"""Folders that `from_pretrained` of transformers opens: weights with config.json and tokenizer of the run's exported model."""

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from winnow_wire.errors import WinnowError

from .checkpoint import INDEX, announced_file, kinds_of
from .fitting import Kind, exported_model, model_folder

TYPES = {'F32': 'float32', 'F16': 'float16', 'BF16': 'bfloat16'}


def describe(folder: Path, model: str, kinds: Iterable[Kind]) -> None:
    """Writes config.json, tokenizer.json and tokenizer_config.json; `kinds`: of the weights beside them. Raises WinnowError
    MODEL_UNUSABLE where the folder of the model is not seen."""
    source = model_folder(model)
    try:
        described = json.loads((source / 'model.json').read_text())
        tokenizer = json.loads((source / 'tokenizer.json').read_text())
        end = described.get('endOfText', 0)
        types = [one.dtype for one in kinds]
        # The end is what texts are separated by; the model's own marks may be ids of other words in this vocabulary.
        config = {'bos_token_id': end, 'eos_token_id': end} | described['config']
        # float32 where types are mixed: no other holds all of them without loss.
        config |= {'dtype': TYPES[types[0]] if len(set(types)) == 1 else 'float32'}
        text = _token(tokenizer, end)
    except (OSError, ValueError, KeyError) as error:
        hint = 'It is the folder that services/influence/export writes, the model of the run.'
        raise WinnowError('MODEL_UNUSABLE', f'{source} has no usable model.json and tokenizer.json: {error!r}', hint) from error
    length = {'model_max_length': config['max_position_embeddings']} if 'max_position_embeddings' in config else {}
    marks = {'tokenizer_class': 'PreTrainedTokenizerFast', 'eos_token': text, 'pad_token': text} | length
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / 'tokenizer.json', folder / 'tokenizer.json')
    for name, value in (('config.json', config), ('tokenizer_config.json', marks)):
        (folder / name).write_text(json.dumps(value, indent=2) + '\n')


def _token(tokenizer: dict[str, Any], id: int) -> str:
    """What the vocabulary has under an id."""
    added = [one['content'] for one in tokenizer.get('added_tokens') or [] if one['id'] == id]
    vocabulary = tokenizer['model']['vocab']
    # Of unigram tokenizers a list of texts and scores.
    pairs = vocabulary.items() if isinstance(vocabulary, dict) else ((one[0], place) for place, one in enumerate(vocabulary))
    found = added or [text for text, place in pairs if place == id]
    if not found:
        raise ValueError(f'no token has the id {id}, which ends documents')
    return str(found[0])


def open_checkpoint(checkpoint: Path, folder: Path, model: str) -> None:
    """Makes a folder for transformers of a checkpoint that was announced, of any trainer: its file, or its index and shards, by hard
    links where the file system has them. Raises WinnowError BAD_DATA where it is none of the model."""
    path = announced_file(checkpoint)
    kinds = kinds_of(path)
    exported = exported_model(model, moments=False)
    if exported is not None:
        exported.refuse_unfit(str(path), kinds)
    describe(folder, model, [kind for name, kind in kinds.items() if exported is None or name in exported.parameters])
    if path.name.endswith(INDEX):
        shards = sorted(set(json.loads(path.read_text())['weight_map'].values()))
        files = {path: 'model.safetensors.index.json'} | {path.parent / name: name for name in shards}
    else:
        files = {path: 'model.safetensors'}
    for source, name in files.items():
        _linked(source, folder / name)


def _linked(source: Path, target: Path) -> None:
    partial = target.with_name(f'{target.name}.{os.getpid()}.partial')
    try:
        os.link(source, partial)
    except OSError:
        shutil.copyfile(source, partial)
    os.replace(partial, target)
