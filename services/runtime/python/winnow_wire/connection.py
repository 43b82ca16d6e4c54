"""How brokers, registry and ClickHouse are reached: the environment variables of winnow.yaml's keys (docs/winnow-yaml.md)."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from .errors import WinnowError

MECHANISMS = {'plain': 'PLAIN'} | {name: name.upper() for name in ('scram-sha-256', 'scram-sha-512')}

Environment = Mapping[str, str]


def secret(environment: Environment, name: str, needed_by: str) -> str:
    """The variable, or what the file that NAME_FILE names holds."""
    file = environment.get(f'{name}_FILE')
    if file:
        try:
            return Path(file).read_text().rstrip('\n')
        except OSError as error:
            raise WinnowError('CONFIGURATION', f'{name}_FILE: {file} cannot be read: {error}') from error
    if environment.get(name):
        return environment[name]
    raise WinnowError(
        'CONFIGURATION', f'{needed_by} is set and {name} is not', f'Set {name}, or {name}_FILE to a file that holds it.'
    )


def kafka_settings(environment: Environment, brokers: str) -> dict[str, Any]:
    """Settings of librdkafka that every client has."""
    tls = environment.get('WINNOW_KAFKA_TLS') == 'true'
    sasl = environment.get('WINNOW_KAFKA_SASL')
    protocol = ('SASL_' if sasl else '') + ('SSL' if tls else 'PLAINTEXT')
    settings = {'bootstrap.servers': brokers, 'security.protocol': protocol}
    if tls and environment.get('WINNOW_KAFKA_CA'):
        settings['ssl.ca.location'] = environment['WINNOW_KAFKA_CA']
    if not sasl:
        return settings
    if sasl not in MECHANISMS:
        raise WinnowError(
            'CONFIGURATION',
            f'this program cannot log in by {sasl}',
            f'Set WINNOW_KAFKA_SASL to one of {", ".join(MECHANISMS)}.',
        )
    return settings | {
        'sasl.mechanisms': MECHANISMS[sasl],
        'sasl.username': secret(environment, 'WINNOW_KAFKA_USERNAME', 'WINNOW_KAFKA_SASL'),
        'sasl.password': secret(environment, 'WINNOW_KAFKA_PASSWORD', 'WINNOW_KAFKA_SASL'),
    }


def basic(username: str, password: str) -> str:
    """The value of an Authorization header."""
    return 'Basic ' + base64.b64encode(f'{username}:{password}'.encode()).decode()


def registry_authorization(environment: Environment) -> str | None:
    """The value of the Authorization header, or None."""
    username = environment.get('WINNOW_REGISTRY_USERNAME')
    if not username:
        return None
    return basic(username, secret(environment, 'WINNOW_REGISTRY_PASSWORD', 'WINNOW_REGISTRY_USERNAME'))


@dataclass(frozen=True)
class ClickHouseAddress:
    """`url`: without a login. `authorization`: the value of that header; never shown."""

    url: str
    database: str | None = None
    authorization: str | None = field(default=None, repr=False)


def clickhouse_address(environment: Environment, address: str) -> ClickHouseAddress:
    """An http(s) address, its login from itself or, before that, from WINNOW_CLICKHOUSE_USERNAME and _PASSWORD."""
    parts = urlsplit(address)
    if parts.scheme not in ('http', 'https') or not parts.hostname:
        raise WinnowError(
            'CONFIGURATION',
            f'ClickHouse at {parts.scheme}:... cannot be reached from another process',
            'Set WINNOW_CLICKHOUSE_URL=http://host:port; `winnow dev` prints that of its embedded one.',
        )
    username, password = unquote(parts.username or ''), unquote(parts.password or '')
    if environment.get('WINNOW_CLICKHOUSE_USERNAME'):
        username = environment['WINNOW_CLICKHOUSE_USERNAME']
        password = secret(environment, 'WINNOW_CLICKHOUSE_PASSWORD', 'WINNOW_CLICKHOUSE_USERNAME')
    url = urlunsplit((parts.scheme, parts.netloc.rpartition('@')[2], parts.path or '/', parts.query, ''))
    database = environment.get('WINNOW_CLICKHOUSE_DATABASE') or None
    return ClickHouseAddress(url, database, basic(username, password) if username else None)


@dataclass(frozen=True)
class Connection:
    """`kafka`: settings of librdkafka, which may be more than the environment can say (client certificates, OAUTHBEARER). `master_keys`: the
    file of corpus.encryption, if texts are encrypted."""

    kafka: Mapping[str, Any] = field(repr=False)
    registry_url: str
    clickhouse: ClickHouseAddress
    registry_authorization: str | None = field(default=None, repr=False)
    master_keys: Path | None = None

    @staticmethod
    def from_environment(environment: Environment = os.environ) -> 'Connection':
        """WINNOW_BROKERS, WINNOW_REGISTRY_URL, WINNOW_CLICKHOUSE_URL and the logins beside them; WINNOW_CORPUS_ENCRYPTION."""
        addresses = []
        for name in ('WINNOW_BROKERS', 'WINNOW_REGISTRY_URL', 'WINNOW_CLICKHOUSE_URL'):
            if not environment.get(name):
                hint = 'They are the addresses of winnow.yaml: kafka.brokers, registry.url, clickhouse.url.'
                raise WinnowError('CONFIGURATION', f'{name} is not set', hint)
            addresses.append(environment[name])
        brokers, registry_url, clickhouse = addresses
        return Connection(
            kafka_settings(environment, brokers),
            registry_url,
            clickhouse_address(environment, clickhouse),
            registry_authorization(environment),
            Path(environment['WINNOW_CORPUS_ENCRYPTION']) if environment.get('WINNOW_CORPUS_ENCRYPTION') else None,
        )
