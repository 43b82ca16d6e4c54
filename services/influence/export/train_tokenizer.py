"""Trains the byte-level BPE tokenizer of a model: texts in, tokenizer.json out. It holds a vocabulary, no texts.

    python train_tokenizer.py --out ../../model/shipped/llama-64x2/tokenizer.json corpus-0.jsonl.gz corpus-1.jsonl.gz

Each line is an object with `text`; files may be gzipped. The result is a function of the files, their order and the options.
"""

import argparse
import gzip
import json

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT = '<|endoftext|>'


def texts(paths, characters_max):
    """The beginnings of documents, so that one long document does not dominate the vocabulary."""
    for path in paths:
        opener = gzip.open if path.endswith('.gz') else open
        with opener(path, 'rt', encoding='utf-8') as file:
            for number, line in enumerate(file, 1):
                try:
                    yield json.loads(line)['text'][:characters_max]
                except (ValueError, KeyError, TypeError) as error:
                    raise SystemExit(f'{path}:{number}: not an object with a text ({error})')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('files', nargs='+', help='JSONL files of {"text": ...}, plain or .gz')
    parser.add_argument('--out', required=True)
    parser.add_argument('--vocabulary', type=int, default=4096)
    parser.add_argument('--characters', type=int, default=8000, help='of each document, from its start')
    arguments = parser.parse_args()

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=arguments.vocabulary,
        special_tokens=[END_OF_TEXT],
        show_progress=False,
        # All 256 bytes, so that every document can be tokenized.
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts(arguments.files, arguments.characters), trainer)
    assert tokenizer.token_to_id(END_OF_TEXT) == 0
    tokenizer.save(arguments.out)
    print(f'{arguments.out}: {tokenizer.get_vocab_size()} tokens')


if __name__ == '__main__':
    main()
