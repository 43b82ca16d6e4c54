"""Texts to token ids by a Hugging Face tokenizer.json: the rule of services/model/tokenizer.ts."""

import hashlib
import json
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as Native

from winnow_wire.errors import WinnowError

from .packing import Page, Tokens

# So much is tokenized at a time: more would keep the first batch waiting, less would leave cores idle at each end.
PAGE_DOCUMENTS = 64
PAGE_CHARACTERS = 2**18


class Tokenizer:
    """`end`: the id that ends every document, by default that of a model.json beside the file. `digest`: SHA-256 of the file."""

    def __init__(self, path: str | Path, end: int | None = None) -> None:
        path = Path(path)
        try:
            data = path.read_bytes()
            self._native = Native.from_str(data.decode())
        except Exception as error:  # the library raises plain Exception
            raise WinnowError('MODEL_UNUSABLE', f'The tokenizer {path} cannot be used: {error}') from error
        self._native.no_truncation()
        self._native.no_padding()
        self.digest = hashlib.sha256(data).hexdigest()
        self.end = _end_beside(path) if end is None else end
        # The largest id that a text can have.
        self.largest = max(self._native.get_vocab(with_added_tokens=True).values(), default=0)
        if self._native.id_to_token(self.end) is None:
            raise WinnowError('MODEL_UNUSABLE', f'The tokenizer {path} has no token {self.end}, which ends a document')

    def encode(self, texts: list[str]) -> list[Tokens]:
        """The ids of each text, without any that mark beginnings or ends. Runs in the library's own threads."""
        encodings = self._native.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]

    def pages(self, texts: list[str]) -> Iterator[Page]:
        """The texts in order, a few at a time."""
        first = characters = 0
        for after, text in enumerate(texts, start=1):
            characters += len(text)
            if after - first == PAGE_DOCUMENTS or characters >= PAGE_CHARACTERS or after == len(texts):
                yield self._page(texts[first:after])
                first, characters = after, 0

    def _page(self, texts: list[str]) -> Page:
        tokens, lengths = array('i'), []
        for encoding in self._native.encode_batch_fast(texts, add_special_tokens=False):
            ids = encoding.ids
            tokens.fromlist(ids)
            tokens.append(self.end)
            lengths.append(len(ids) + 1)
        return Page(np.frombuffer(tokens, dtype=np.intc), np.array(lengths, dtype=np.int64))


def _end_beside(path: Path) -> int:
    try:
        # The default is that of services/model/description.ts.
        end: int = json.loads((path.parent / 'model.json').read_text()).get('endOfText', 0)
        return end
    except (OSError, ValueError) as error:
        hint = 'Give end=, the id that ends a document.'
        raise WinnowError('CONFIGURATION', f'no model.json beside {path} says what ends a document: {error}', hint) from error
