"""Checkpoints in object stores, by their addresses (docs/stores.md): as services/runtime/stores/, with the library of each store in Python."""

import importlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from .errors import WinnowError

SCHEMES = {'s3': 's3', 's3a': 's3', 's3n': 's3', 'gs': 'gs', 'gcs': 'gs', 'http': 'http', 'https': 'http', 'hf': 'hf'}

# Modules of the library of each store, and the package that has them.
LIBRARIES = {
    's3': [('boto3', 'boto3'), ('botocore.config', 'boto3')],
    'gs': [('google.cloud.storage', 'google-cloud-storage')],
    'http': [('urllib3', 'urllib3')],
    'hf': [('huggingface_hub', 'huggingface_hub'), ('urllib3', 'urllib3')],
}

# Failures in a row, without a byte between them, before it is given up; the wait after the first one doubles up to half a minute.
FAILURES_MAX = 8
DELAY_FIRST = 0.25
DELAY_MAX = 30.0
CHUNK = 1 << 20
SECONDS_MAX = 60.0

Answer = TypeVar('Answer')


@dataclass(frozen=True)
class Stored:
    """An object in the version that it had when it was opened. `read(start)` gives its bytes from there on, by one request."""

    place: str
    size: int
    version: str
    read: Callable[[int], Iterator[bytes]]


def is_stored(place: str) -> bool:
    return scheme_of(place) in SCHEMES


def scheme_of(place: str) -> str:
    found = re.match(r'([a-zA-Z][a-zA-Z0-9+.-]*)://', place)
    return found[1].lower() if found else ''


def shown(place: str) -> str:
    """Without a login, and without the parameters of a signed address."""
    if SCHEMES.get(scheme_of(place)) != 'http':
        return place
    bare = re.sub(r'[?#].*$', '', place, flags=re.DOTALL)
    bare = re.sub(r'^([a-zA-Z]+://)[^/]*@', r'\1', bare)
    return f'{bare}?…' if '?' in place else bare


def beside(place: str, name: str) -> str:
    """The address of a file in the same folder, as a shard beside its index."""
    if SCHEMES.get(scheme_of(place)) != 'http':
        return f'{place.rsplit("/", 1)[0]}/{name}'
    path, *query = re.split(r'(?=[?#])', place, maxsplit=1)
    return f'{path.rsplit("/", 1)[0]}/{name}{"".join(query)}'


def name_of(place: str) -> str:
    """What a file of an object is called."""
    path = urlsplit(place).path if SCHEMES.get(scheme_of(place)) == 'http' else place
    return unquote(path.rsplit('/', 1)[-1])


def download(place: str, file: IO[bytes]) -> str:
    """Writes all bytes of an object to a file and returns the version that they are of. Goes on where a connection breaks, at the byte
    after the last one. Raises WinnowError CONFIGURATION where there is none or it is refused, BAD_DATA where it has changed meanwhile,
    UNREACHABLE (retriable)."""
    stored = _retried(place, lambda: OPENERS[SCHEMES[scheme_of(place)]](place))
    at, failures = 0, 0
    while at < stored.size:
        try:
            for chunk in stored.read(at):
                file.write(chunk)
                at += len(chunk)
                failures = 0
            if at != stored.size:
                raise OSError(f'the connection ended at byte {at} of {stored.size}')
        except Exception as error:
            failure = _failure(place, error)
            failures += 1
            if not failure.retriable or failures >= FAILURES_MAX:
                raise failure from None
            time.sleep(min(DELAY_MAX, DELAY_FIRST * 2 ** (failures - 1)))
    file.flush()
    return stored.version


def prepare(place: str) -> None:
    """Loads what reads and writes an address; a path needs nothing. Raises WinnowError CONFIGURATION, naming the package to install."""
    for module, package in LIBRARIES.get(SCHEMES.get(scheme_of(place), ''), ()):
        _library(module, package)


def upload(path: str, place: str) -> None:
    """Stores a file of this machine, whole or not at all; a store that is away is asked again for half a minute. Raises as `download`;
    CONFIGURATION where nothing can be written."""
    bucket, key = _bucket_and_key(place)
    kind = SCHEMES[scheme_of(place)]

    def put() -> None:
        if kind == 's3':
            _s3_client().upload_file(path, bucket, key)
        elif kind == 'gs':
            _library('google.cloud.storage', 'google-cloud-storage').Client().bucket(bucket).blob(key).upload_from_filename(path)
        else:
            hint = 'Name a folder, or an address of s3:// or gs://.'
            raise WinnowError('CONFIGURATION', f'nothing can be stored at {shown(place)}', hint)

    _retried(place, put)


def _retried(place: str, work: Callable[[], Answer]) -> Answer:
    for failures in range(1, FAILURES_MAX + 1):
        try:
            return work()
        except Exception as error:
            failure = _failure(place, error)
            if not failure.retriable or failures == FAILURES_MAX:
                raise failure from None
            time.sleep(min(DELAY_MAX, DELAY_FIRST * 2 ** (failures - 1)))
    raise AssertionError


def _failure(place: str, error: Exception) -> WinnowError:
    """What an error of a library means. The error itself may hold the signed request, so it is not passed on."""
    if isinstance(error, WinnowError):
        return error
    # boto3 tells of what it could not upload by an error without the answer, which that error came of.
    if type(error).__name__ == 'S3UploadFailedError' and isinstance(error.__context__, Exception):
        error = error.__context__
    response = getattr(error, 'response', None)
    status = response.get('ResponseMetadata', {}).get('HTTPStatusCode') if isinstance(response, dict) else None
    status = status or getattr(response, 'status_code', None) or getattr(error, 'code', None)
    if type(error).__name__ in ('NoCredentialsError', 'DefaultCredentialsError', 'NoRegionError'):
        status = 401
    reason = type(error).__name__ if status is None else f'status {status}'
    return _by_status(place, status if isinstance(status, int) else None, reason)


def _by_status(place: str, status: int | None, reason: str) -> WinnowError:
    if status in (404, 410):
        return WinnowError('CONFIGURATION', f'there is no {shown(place)}', 'Check the address.')
    if status in (401, 403):
        hint = 'Check its rights and the credentials (docs/stores.md).'
        return WinnowError('CONFIGURATION', f'{shown(place)} is refused ({reason})', hint)
    if status in (412, 416):
        return changed(place)
    if status is not None and 400 <= status < 500 and status not in (408, 425, 429):
        return WinnowError('CONFIGURATION', f'{shown(place)} cannot be read ({reason})', 'Check the address.')
    hint = 'Check that the store is up and can be reached from here.'
    return WinnowError('UNREACHABLE', f'{shown(place)} cannot be read ({reason})', hint, retriable=True)


def changed(place: str) -> WinnowError:
    return WinnowError('BAD_DATA', f'{shown(place)} has changed since it was opened', 'Checkpoints are not written twice.')


def _library(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        hint = f'pip install {package}'
        raise WinnowError('CONFIGURATION', f'{package} is not installed, which reads this kind of address', hint) from error


def _bucket_and_key(place: str) -> tuple[str, str]:
    parts = place.split('://', 1)[1].split('/', 1)
    return parts[0], parts[1] if len(parts) > 1 else ''


def _s3_client() -> Any:
    config = _library('botocore.config', 'boto3')
    # Names of buckets are names of hosts at AWS alone.
    style = {'addressing_style': 'path'} if os.environ.get('AWS_ENDPOINT_URL_S3') or os.environ.get('AWS_ENDPOINT_URL') else {}
    options = config.Config(s3=style, read_timeout=SECONDS_MAX, connect_timeout=10)
    return _library('boto3', 'boto3').client('s3', config=options)


def _s3(place: str) -> Stored:
    client = _s3_client()
    bucket, key = _bucket_and_key(place)
    head = client.head_object(Bucket=bucket, Key=key)

    def read(start: int) -> Iterator[bytes]:
        part = client.get_object(Bucket=bucket, Key=key, Range=f'bytes={start}-', IfMatch=head['ETag'])
        yield from part['Body'].iter_chunks(CHUNK)

    return Stored(place, head['ContentLength'], head['ETag'], read)


def _gs(place: str) -> Stored:
    client = _library('google.cloud.storage', 'google-cloud-storage').Client()
    bucket, key = _bucket_and_key(place)
    blob = client.bucket(bucket).blob(key)
    blob.reload()
    size, generation = int(blob.size), int(blob.generation)

    def read(start: int) -> Iterator[bytes]:
        # Its library reads parts whole; these are small enough to be asked for again.
        for at in range(start, size, 8 * CHUNK):
            end = min(at + 8 * CHUNK, size) - 1
            yield blob.download_as_bytes(start=at, end=end, if_generation_match=generation, raw_download=True)

    return Stored(place, size, str(generation), read)


def _http(place: str, url: str | None = None, headers: dict[str, str] | None = None, fixed: str | None = None) -> Stored:
    urllib3 = _library('urllib3', 'urllib3')
    parts = urlsplit(url or place)
    given = dict(headers or {}) | {'Accept-Encoding': 'identity'}
    if parts.username is not None:
        login = f'{unquote(parts.username)}:{unquote(parts.password or "")}'
        given |= urllib3.make_headers(basic_auth=login)
    address = parts._replace(netloc=parts.netloc.rsplit('@', 1)[-1], fragment='').geturl()
    pool = urllib3.PoolManager(timeout=SECONDS_MAX, retries=urllib3.Retry(0, redirect=5))

    def ask(start: int, end: str, more: dict[str, str]) -> Any:
        return pool.request('GET', address, headers=given | more | {'Range': f'bytes={start}-{end}'}, preload_content=False)

    def size_of(answer: Any) -> int:
        found = re.match(r'bytes (?:\d+-\d+|\*)/(\d+)$', answer.headers.get('Content-Range', ''))
        return int(found[1]) if found else -1

    def version_of(answer: Any) -> str:
        return fixed or answer.headers.get('ETag') or answer.headers.get('Last-Modified') or f'{size_of(answer)} bytes'

    first = ask(0, '0', {})
    first.close()
    if first.status == 200:
        raise WinnowError(
            'CONFIGURATION', f'{shown(place)} cannot be read in parts: its server serves no ranges', 'Take another store.'
        )
    if first.status not in (206, 416) or size_of(first) < 0:
        raise _by_status(place, first.status, f'status {first.status}')
    version, size = version_of(first), size_of(first)
    condition = {'If-Match': version} if fixed is None and version.startswith('"') else {}

    def read(start: int) -> Iterator[bytes]:
        answer = ask(start, '', condition)
        try:
            if answer.status == 200 or (answer.status == 206 and (version_of(answer), size_of(answer)) != (version, size)):
                raise changed(place)
            if answer.status != 206:
                raise _by_status(place, answer.status, f'status {answer.status}')
            # Not `stream`, which would give nothing of a chunk that is not whole when the connection breaks.
            while chunk := answer.read1(CHUNK):
                yield chunk
        finally:
            answer.close()

    return Stored(place, size, version, read)


def _hf(place: str) -> Stored:
    hub = _library('huggingface_hub', 'huggingface_hub')
    found = hub.HfFileSystem().resolve_path(place)
    info = hub.HfApi().repo_info(found.repo_id, repo_type=found.repo_type, revision=found.revision)
    kind = '' if found.repo_type == 'model' else f'{found.repo_type}s/'
    endpoint = hub.constants.ENDPOINT
    url = f'{endpoint}/{kind}{found.repo_id}/resolve/{info.sha}/{quote(found.path_in_repo)}'
    token = hub.get_token()
    return _http(place, url, {'Authorization': f'Bearer {token}'} if token else {}, info.sha)


OPENERS: dict[str, Callable[[str], Stored]] = {'s3': _s3, 'gs': _gs, 'http': _http, 'hf': _hf}
