"""How brokers and registry are reached: the environment variables of winnow.yaml's keys (docs/winnow-yaml.md)."""

import base64
from pathlib import Path

from .errors import WorkerError

MECHANISMS = dict(plain='PLAIN') | {name: name.upper() for name in ('scram-sha-256', 'scram-sha-512')}


def secret(environment, name, needed_by):
    """The variable, or what the file that NAME_FILE names holds."""
    file = environment.get(f'{name}_FILE')
    if file:
        try:
            return Path(file).read_text().rstrip('\n')
        except OSError as error:
            raise WorkerError('CONFIGURATION', f'{name}_FILE: {file} cannot be read: {error}') from error
    if environment.get(name):
        return environment[name]
    raise WorkerError(
        'CONFIGURATION', f'{needed_by} is set and {name} is not', f'Set {name}, or {name}_FILE to a file that holds it.'
    )


def kafka_settings(environment, brokers):
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
        raise WorkerError(
            'CONFIGURATION', f'this worker cannot log in by {sasl}', f'Set WINNOW_KAFKA_SASL to one of {", ".join(MECHANISMS)}.'
        )
    return settings | {
        'sasl.mechanisms': MECHANISMS[sasl],
        'sasl.username': secret(environment, 'WINNOW_KAFKA_USERNAME', 'WINNOW_KAFKA_SASL'),
        'sasl.password': secret(environment, 'WINNOW_KAFKA_PASSWORD', 'WINNOW_KAFKA_SASL'),
    }


def registry_authorization(environment):
    """The value of the Authorization header, or None."""
    username = environment.get('WINNOW_REGISTRY_USERNAME')
    if not username:
        return None
    password = secret(environment, 'WINNOW_REGISTRY_PASSWORD', 'WINNOW_REGISTRY_USERNAME')
    return 'Basic ' + base64.b64encode(f'{username}:{password}'.encode()).decode()
