"""Texts that `corpus.encryption` has encrypted: told from others, and read where their keys are (docs/erasure.md)."""

import base64
import importlib
import json
import logging
import re
import zlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .connection import Environment, clickhouse_address
from .errors import WinnowError

if TYPE_CHECKING:
    from .clickhouse import ClickHouse

log = logging.getLogger('winnow.texts')

_HEADER = b'{"alg":"dir","enc":"A256GCM","typ":"winnow-text-1"'
# What every encrypted text begins with (services/texts/envelope.ts): base64url of the header, as far as it does not depend on what follows.
_BEGIN = base64.urlsafe_b64encode(_HEADER[: len(_HEADER) // 3 * 3]).decode()
# Without what ClickHouse reads in another way.
_FORM = '[0-9A-Za-z_-]+[.][.][0-9A-Za-z_-]{16}[.][0-9A-Za-z_-]*[.][0-9A-Za-z_-]{22}'

# Ids in a statement: a third of what ClickHouse parses by default.
ASKED_AT_ONCE = 3000
_ERASURES = "FROM exclusions WHERE list LIKE 'erasure/%'"


def is_sealed(text: str) -> bool:
    """Whether a text is encrypted."""
    return text.startswith(_BEGIN) and re.fullmatch(_FORM, text) is not None


def readable(
    texts: Mapping[int, str], sealed: 'SealedTexts | None', waiting: Callable[[], None] = lambda: None
) -> dict[int, str]:
    """Texts by document, in the same order, as they were ingested; that of an erased document is empty. What is not encrypted stays as it is.

    Calls `waiting` now and then while it waits; that may raise. Raises WinnowError: CONFIGURATION without the keys of one (nobody should train
    on ciphertext), BAD_DATA for one that was changed, GUARANTEE_VIOLATED where a key is gone though nobody has asked for that."""
    read = readable_each(texts, sealed, waiting)
    for text in read.values():
        if isinstance(text, WinnowError):
            raise text
    return {doc: str(text) for doc, text in read.items()}


def readable_each(
    texts: Mapping[int, str], sealed: 'SealedTexts | None', waiting: Callable[[], None] = lambda: None
) -> dict[int, str | WinnowError]:
    """As `readable`, with the error BAD_DATA in place of each text that was changed, for who can do without it."""
    encrypted = {doc: text for doc, text in texts.items() if is_sealed(text)}
    if not encrypted:
        return dict(texts)
    if sealed is None:
        hint = 'WINNOW_CORPUS_ENCRYPTION names the file of master keys, and WINNOW_CLICKHOUSE_URL where keys of documents are.'
        raise WinnowError(
            'CONFIGURATION', f'the text of document {next(iter(encrypted))} is encrypted, and no keys are named', hint
        )
    return {**texts, **sealed.read_each(encrypted, waiting)}


class SealedTexts:
    """Keys are asked for with each batch and not kept, so that nothing is read after its key was destroyed."""

    def __init__(self, master_keys: Path, clickhouse: 'ClickHouse') -> None:
        """`master_keys`: the file of corpus.encryption. Raises WinnowError CONFIGURATION where it is none, or joserfc is not installed."""
        self._path, self._clickhouse = master_keys, clickhouse
        self._jwe, self._jwk = (_joserfc(name) for name in ('jwe', 'jwk'))
        self._registry = self._jwe.JWERegistry(algorithms=['dir', 'A256KW', 'A256GCM'])
        # Texts are as long as records may be, and authenticated before they are unpacked.
        self._registry.max_ciphertext_length = 2**31
        self._epochs = self._load()

    @staticmethod
    def from_environment(environment: Environment) -> 'SealedTexts | None':
        """By WINNOW_CORPUS_ENCRYPTION and WINNOW_CLICKHOUSE_URL; None where the first is not set."""
        path, address = environment.get('WINNOW_CORPUS_ENCRYPTION'), environment.get('WINNOW_CLICKHOUSE_URL')
        if not path:
            return None
        if not address:
            hint = 'It is clickhouse.url of winnow.yaml.'
            raise WinnowError('CONFIGURATION', 'WINNOW_CORPUS_ENCRYPTION is set, and WINNOW_CLICKHOUSE_URL is not', hint)
        from .clickhouse import ClickHouse

        return SealedTexts(Path(path), ClickHouse(clickhouse_address(environment, address)))

    def read_each(self, texts: Mapping[int, str], waiting: Callable[[], None]) -> dict[int, str | WinnowError]:
        """As `readable_each`, of encrypted texts alone."""
        keys, read, erased = self._keys_of(texts, waiting), dict[int, str | WinnowError](), []
        for doc, text in texts.items():
            try:
                wrapped = keys.get(kid_of(doc, text))
                read[doc] = '' if wrapped is None else self._opened(doc, text, wrapped)
                if wrapped is None:
                    erased.append(doc)
            except WinnowError as error:
                if error.code != 'BAD_DATA':
                    raise
                read[doc] = error
        if erased:
            self._assert_asked_for(erased, waiting)
            log.warning('%d erased documents, taken for empty ones', len(erased))
        return read

    def exclusions_sunk(self, waiting: Callable[[], None] = lambda: None) -> dict[int, int]:
        """By partition of the topic of exclusions: records before this offset are in ClickHouse, if the server that answers is the one that
        they were inserted at, or has caught up with it. Costs a few rows."""
        query = "SELECT partition, max(offsetNext) AS next FROM sink_offsets WHERE topic = 'winnow.exclusions' GROUP BY partition"
        return {int(row['partition']): int(row['next']) for row in self._rows(query, waiting)}

    def asked_for(self, since: Mapping[int, int], waiting: Callable[[], None] = lambda: None) -> 'array[int]':
        """The documents whose erasure was asked for, also where that was lifted, in any order and repeatedly, by records from these
        offsets on; a partition that is not among them is read from its beginning. Costs a scan of three narrow columns, and an answer of
        what is new."""
        offsets = [since.get(partition, 0) for partition in range(1 + max(since, default=-1))]
        # Partitions are counted from 0, arrays from 1; beyond its end is 0.
        bound = f" AND at >= CAST({offsets}, 'Array(UInt64)')[part + 1]" if offsets else ''
        docs = array('Q')
        docs.frombytes(self._clickhouse.answer(f'SELECT doc {_ERASURES}{bound} FORMAT RowBinary', waiting))
        return docs

    def fates(self, docs: Sequence[int], waiting: Callable[[], None] = lambda: None) -> tuple[list[int], list[int]]:
        """Of documents whose erasure was asked for, ASKED_AT_ONCE at most: those that nobody can read any more, and those whose text was never
        encrypted. Of the others the text is not in ClickHouse yet, or the key not destroyed. Raises WinnowError BAD_DATA as `kid_of`."""
        head = f"if(startsWith(text, '{_BEGIN}') AND match(text, '^{_FORM}$'), substring(text, 1, position(text, '.')), '')"
        query = f'SELECT toString(doc) AS id, {head} AS head FROM documents WHERE doc IN ({_listed(docs)}) LIMIT 1 BY doc'
        heads = {int(row['id']): row['head'] for row in self._rows(query, waiting)} if docs else {}
        sealed = {doc: head for doc, head in heads.items() if head}
        keys = self._keys_of(sealed, waiting) if sealed else {}
        return [doc for doc, head in sealed.items() if kid_of(doc, head) not in keys], [doc for doc in heads if doc not in sealed]

    def _opened(self, doc: int, text: str, wrapped: tuple[int, str]) -> str:
        kid = kid_of(doc, text)
        key = json.loads(self._decrypted(wrapped[1], self._master_key(wrapped[0]), f'the key {kid}'))
        if key.get('kid') != kid:
            raise WinnowError('BAD_DATA', f'the key {kid} is that of another text')
        packed = self._decrypted(text, self._jwk.OctKey.import_key({'kty': 'oct', 'k': key['k']}), f'the text of document {doc}')
        return zlib.decompress(packed, -zlib.MAX_WBITS).decode()

    def _decrypted(self, token: str, key: Any, what: str) -> bytes:
        try:
            plain: bytes = self._jwe.decrypt_compact(token, key, registry=self._registry).plaintext
            return plain
        except Exception as error:
            hint = f'It was changed, or {self._path} is not the file by which it was ingested.'
            raise WinnowError('BAD_DATA', f'{what} does not authenticate ({type(error).__name__})', hint) from None

    def _keys_of(self, docs: Iterable[int], waiting: Callable[[], None]) -> dict[str, tuple[int, str]]:
        query = f'SELECT toString(doc) AS id, name, epoch, wrapped FROM text_keys WHERE doc IN ({_listed(docs)})'
        rows = self._rows(query, waiting)
        return {f'{row["id"]}.{row["name"]}': (int(row['epoch']), row['wrapped']) for row in rows}

    def _assert_asked_for(self, docs: list[int], waiting: Callable[[], None]) -> None:
        """An older copy of ClickHouse, or another one, must not pass for erasures."""
        query = f'SELECT DISTINCT toString(doc) AS id {_ERASURES} AND doc IN ({_listed(docs)})'
        asked = {int(row['id']) for row in self._rows(query, waiting)}
        for doc in docs:
            if doc not in asked:
                hint = 'Is this the ClickHouse that the corpus was ingested with? Restore its table text_keys.'
                raise WinnowError('GUARANTEE_VIOLATED', f'ClickHouse has no key of document {doc}, and no erasure of it', hint)

    def _rows(self, query: str, waiting: Callable[[], None]) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._clickhouse.answer(f'{query} FORMAT JSONEachRow', waiting).splitlines()]

    def _master_key(self, epoch: int) -> Any:
        if epoch not in self._epochs:
            # Written anew by a rotation.
            self._epochs = self._load()
        try:
            return self._epochs[epoch]
        except KeyError:
            hint = "Give every reader the file as 'winnow keys rotate' has written it."
            raise WinnowError('CONFIGURATION', f'{self._path} has no master key of epoch {epoch}', hint) from None

    def _load(self) -> dict[int, Any]:
        try:
            keys = json.loads(self._path.read_text())['keys']
            return {int(key['kid']): self._jwk.OctKey.import_key({'kty': 'oct', 'k': key['k']}) for key in keys}
        except (OSError, ValueError, KeyError, TypeError) as error:
            # Not the error's own words: they may hold what is in the file.
            message = f'{self._path} is no file of master keys ({type(error).__name__})'
            raise WinnowError('CONFIGURATION', message, "'winnow keys create FILE' makes one.") from None


def kid_of(doc: int, text: str) -> str:
    """The name of the key that an encrypted text wants. Raises WinnowError BAD_DATA where that is none of the document's."""
    try:
        header = text[: text.index('.')]
        kid = json.loads(base64.urlsafe_b64decode(header + '=' * (-len(header) % 4)))['kid']
    except (ValueError, KeyError, TypeError):
        kid = None
    if not isinstance(kid, str) or kid.partition('.')[0] != str(doc):
        raise WinnowError('BAD_DATA', f'the text of document {doc} was encrypted as that of another')
    return kid


def _listed(docs: Iterable[int]) -> str:
    return ','.join(map(str, sorted(docs)))


def _joserfc(name: str) -> Any:
    try:
        return importlib.import_module(f'joserfc.{name}')
    except ImportError as error:
        hint = "pip install 'winnow-trainer[encryption]', or joserfc==1.8.0."
        raise WinnowError('CONFIGURATION', 'joserfc is not installed, which reads encrypted texts', hint) from error
