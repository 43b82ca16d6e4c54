"""What a stream reads documents from, by what its user says."""

from pathlib import Path

from winnow_wire.connection import Connection
from winnow_wire.errors import WinnowError
from winnow_wire.records import Registry

from .documents import Documents, Texts, Tokenized
from .reading import WINDOWS_AT_ONCE
from .run_log import group_of
from .source_files import SourceFiles
from .source_files.records import Sources
from .texts import ClickHouseTexts
from .token_store import TokenStore
from .token_store.follow import topic_as_it_is
from .tokens import Tokenizer


def documents_from(
    connection: Connection,
    registry: Registry,
    run: str,
    tokenizer: Tokenizer,
    *,
    store: str | Path | None,
    files: str | Path | None,
    piece_bytes: int | None,
    texts: Texts | None,
) -> Documents:
    """As of SelectedStream. Raises WinnowError USAGE where more than one is given, CONFIGURATION."""
    given = [name for name, value in {'store': store, 'files': files, 'texts': texts}.items() if value is not None]
    if len(given) > 1:
        raise WinnowError('USAGE', f'{"= and ".join(given)}= are given', 'Give one of them, or none for ClickHouse.')
    if store is not None:
        opened = TokenStore(store)
        opened.committed.check('tokenizer', tokenizer.digest)
        opened.committed.check('end', tokenizer.end)
        opened.committed.check('topicId', topic_as_it_is(connection.kafka, opened.committed.topic)[0])
        return opened
    if files is not None:
        texts = SourceFiles(files, Sources(connection, registry, group_of(run)), piece_bytes)
    return Tokenized(texts or ClickHouseTexts(connection.clickhouse, WINDOWS_AT_ONCE, connection.master_keys), tokenizer)
