"""Commands beside the stream: winnow-trainer, or python -m winnow_trainer."""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from winnow_wire.connection import kafka_settings, registry_authorization
from winnow_wire.errors import WinnowError
from winnow_wire.records import Registry

from .hf_folder import open_checkpoint
from .token_store.follow import Follower
from .tokens import Tokenizer


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='winnow-trainer', description=__doc__)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    tokens = commands.add_parser(
        'tokens',
        help='fill a folder with the tokens of all documents, and follow the corpus',
        description='Fills a token store from winnow.documents, goes on where it was, and follows the topic until it is told to stop. '
        'Brokers and registry are those of WINNOW_BROKERS, WINNOW_REGISTRY_URL and so on.',
    )
    tokens.add_argument('folder', type=Path, help="of the store; SelectedStream(store=FOLDER) reads it. Megatron's .bin and .idx")
    tokens.add_argument('--tokenizer', type=Path, required=True, help='the tokenizer.json that the trainer has')
    tokens.add_argument('--end', type=int, help='the id that ends a document; default: what model.json beside the tokenizer says')
    tokens.add_argument('--once', action='store_true', help='stop when all is in that the topic has')
    tokens.add_argument('--json', action='store_true', help='print what the store holds in the end as JSON')
    tokens.set_defaults(work=fill_store)
    folder = commands.add_parser(
        'folder',
        help='make a folder for transformers of a checkpoint that was announced',
        description='Writes config.json and the tokenizer, and links the weights: from_pretrained opens the folder.',
    )
    folder.add_argument('checkpoint', type=Path, help='a safetensors file, an index of shards, or a folder of either')
    folder.add_argument('folder', type=Path, help='where to make it')
    folder.add_argument('--model', required=True, help='the model of the run: its exported folder, or shipped:NAME')
    folder.set_defaults(work=lambda given: open_checkpoint(given.checkpoint, given.folder, given.model))
    return parser.parse_args(arguments)


def fill_store(options: argparse.Namespace) -> None:
    stopping: list[int] = []
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda number, _: stopping.append(number))
    addresses = [os.environ.get(name) for name in ('WINNOW_BROKERS', 'WINNOW_REGISTRY_URL')]
    if not all(addresses):
        hint = 'They are the addresses of winnow.yaml: kafka.brokers, registry.url.'
        raise WinnowError('CONFIGURATION', 'WINNOW_BROKERS and WINNOW_REGISTRY_URL are not both set', hint)
    kafka = kafka_settings(os.environ, str(addresses[0]))
    registry = Registry(str(addresses[1]), registry_authorization(os.environ))
    follower = Follower(kafka, registry, options.folder, Tokenizer(options.tokenizer, options.end))
    try:
        follower.run(lambda: bool(stopping), options.once)
        committed = follower.filler.committed
    finally:
        follower.close()
    holds = {'documents': committed.documents, 'files': len(committed.files), 'offsets': committed.offsets}
    print(json.dumps(holds) if options.json else f'{committed.documents} documents are in {options.folder}')


def main(arguments: Sequence[str] | None = None) -> None:
    options = parsed(arguments)
    logging.basicConfig(level=os.environ.get('WINNOW_LOG_LEVEL', 'info').upper(), format='%(asctime)s %(message)s')
    try:
        options.work(options)
    except WinnowError as error:
        print(error.line(), file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == '__main__':
    main()
