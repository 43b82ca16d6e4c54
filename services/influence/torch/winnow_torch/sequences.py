"""Documents and reference samples as sequences of token ids with weights, as services/model/sequences.ts makes them."""

import gzip
import json
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer as Tokens

from winnow_wire.errors import WinnowError

# Of a text no more than this many UTF-16 units for each token of its windows is tokenized.
UNITS_PER_TOKEN = 16


@dataclass(frozen=True)
class Sequence:
    """n ids, of which n - 1 are targets; mask[i] is the weight of token i as a target, and mask[0] is unused."""

    ids: np.ndarray
    mask: np.ndarray

    @property
    def targets(self):
        return float(self.mask[1:].sum())


class Tokenizer:
    def __init__(self, path, vocabulary, end_of_text):
        try:
            self._tokens = Tokens.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            hint = 'Write the model again with services/influence/export/export.py.'
            raise WinnowError('MODEL_UNUSABLE', f'The tokenizer {path} cannot be read: {error}', hint) from error
        self._tokens.no_truncation()
        self._tokens.no_padding()
        found = self._tokens.get_vocab_size()
        if found > vocabulary:
            raise WinnowError(
                'MODEL_UNUSABLE', f'{path} has {found} tokens, the model {vocabulary}', 'Use the tokenizer of this model.'
            )
        self.end_of_text = end_of_text

    def ids(self, text, units_max=None):
        if units_max is not None and len(text) * 2 > units_max:
            # A cut through a surrogate pair leaves half of it, which becomes U+FFFD, as with JavaScript's toWellFormed.
            text = text.encode('utf-16-le', 'surrogatepass')[: 2 * units_max].decode('utf-16-le', 'replace')
        return self._tokens.encode(text, add_special_tokens=False).ids


def document_windows(ids, end, context, windows, overlap=0):
    """End-of-text, the ids and end-of-text, cut into windows of at most `context` targets. Every later window begins with the last
    `overlap` targets of the one before as context, with weight 0."""
    stride = context - overlap
    length = min(len(ids) + 2, (windows - 1) * stride + context + 1)
    stream = np.full(length, end, dtype=np.int64)
    body = ids[: length - 1]
    stream[1 : 1 + len(body)] = body
    result = []
    at = 0
    while at == 0 or at + overlap + 1 < length:
        part = stream[at : at + context + 1]
        mask = np.ones(len(part), dtype=np.float32)
        if at > 0:
            mask[: overlap + 1] = 0
        result.append(Sequence(part, mask))
        at += stride
    return result


def read_reference(path, tokenizer, context, samples_max):
    """The first rows of a reference task: JSON lines, plain or .gz, with `text`, or with `context` and `continuation`."""
    sequences = []
    try:
        with (gzip.open if str(path).endswith('.gz') else open)(path, 'rb') as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    sequences.append(_sample(path, number, line, tokenizer, context))
                if len(sequences) == samples_max:
                    break
    except OSError as error:
        hint = 'Name the file as this machine sees it: --map-path FROM=TO.'
        raise WinnowError('CONFIGURATION', f'the reference {path} cannot be read: {error}', hint) from error
    if not sequences:
        raise WinnowError('CONFIGURATION', f'the reference {path} has no samples')
    return sequences


def _sample(path, number, line, tokenizer, context):
    try:
        row = json.loads(line)
        if isinstance(row.get('text'), str) and row['text']:
            return document_windows(tokenizer.ids(row['text']), tokenizer.end_of_text, context, 1)[0]
        ids = [tokenizer.end_of_text, *tokenizer.ids(row['context']), *tokenizer.ids(row['continuation'])][-(context + 1) :]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        hint = 'A row has "text", or "context" and "continuation", all of them strings.'
        raise WinnowError('BAD_DATA', f'{path}:{number}: not a reference sample', hint) from error
    return Sequence(np.array(ids, dtype=np.int64), np.ones(len(ids), dtype=np.float32))
