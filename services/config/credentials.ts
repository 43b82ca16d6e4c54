import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import type { SASLOptions } from 'kafkajs'
import { WinnowError } from '../runtime/errors.ts'
import type { Config } from './config.ts'

/** Secrets. Each is read from the variable, or from the file that the variable with _FILE names; never from winnow.yaml. */
const secretVariables = {
  WINNOW_KAFKA_PASSWORD: 'the password of kafka.username (PLAIN, SCRAM)',
  WINNOW_KAFKA_TOKEN: 'the bearer token of OAUTHBEARER; a file is read again for every connection',
  WINNOW_REGISTRY_PASSWORD: 'the password of registry.username',
  WINNOW_CLICKHOUSE_PASSWORD: 'the password of clickhouse.username',
} as const
export type SecretVariable = keyof typeof secretVariables

/** How to authenticate. Goes only to the clients: never logged. */
export interface Credentials {
  readonly kafka?: { readonly ssl?: ConnectionOptions; readonly sasl?: SASLOptions }
  readonly registry?: { readonly username: string; readonly password: string }
  readonly clickHouse?: { readonly username: string; readonly password: string }
}

type Settings = Pick<Config, 'kafka' | 'registry' | 'clickhouse' | 'baseFolder'>

/** @throws WinnowError CONFIGURATION if a required secret is missing, or a file cannot be read */
export function credentialsOf(config: Settings, env: NodeJS.ProcessEnv): Credentials {
  const { username: registryUser } = config.registry
  const { username: clickHouseUser } = config.clickhouse
  const kafka = { ...tlsOf(config), ...saslOf(config, env) }
  return {
    ...(Object.keys(kafka).length > 0 && { kafka }),
    ...(registryUser !== undefined && {
      registry: { username: registryUser, password: needed(env, 'WINNOW_REGISTRY_PASSWORD', 'registry.username') },
    }),
    ...(clickHouseUser !== undefined && {
      clickHouse: {
        username: clickHouseUser,
        password: needed(env, 'WINNOW_CLICKHOUSE_PASSWORD', 'clickhouse.username'),
      },
    }),
  }
}

function tlsOf({ kafka, baseFolder }: Settings): { ssl?: ConnectionOptions } {
  const { tls, ca, certificate, key } = kafka
  if (!tls) return {}
  const file = (path: string) => readText(resolve(baseFolder, path))
  return {
    ssl: {
      ...(ca !== undefined && { ca: file(ca) }),
      ...(certificate !== undefined && { cert: file(certificate) }),
      ...(key !== undefined && { key: file(key) }),
    },
  }
}

function saslOf({ kafka }: Settings, env: NodeJS.ProcessEnv): { sasl?: SASLOptions } {
  const { sasl, username } = kafka
  if (sasl === undefined) return {}
  if (sasl === 'oauthbearer') {
    needed(env, 'WINNOW_KAFKA_TOKEN', 'kafka.sasl')
    const token = async () => ({ value: needed(env, 'WINNOW_KAFKA_TOKEN', 'kafka.sasl') })
    return { sasl: { mechanism: sasl, oauthBearerProvider: token } }
  }
  if (username === undefined) {
    throw new WinnowError('CONFIGURATION', `configuration: kafka.sasl is ${sasl}, but kafka.username is missing`, {
      hint: 'Set kafka.username in winnow.yaml, or WINNOW_KAFKA_USERNAME.',
    })
  }
  return { sasl: { mechanism: sasl, username, password: needed(env, 'WINNOW_KAFKA_PASSWORD', 'kafka.username') } }
}

function needed(env: NodeJS.ProcessEnv, name: SecretVariable, because: string): string {
  const secret = secretOf(env, name)
  if (secret !== undefined) return secret
  throw new WinnowError('CONFIGURATION', `configuration: ${because} is set, and neither ${name} nor ${name}_FILE is`, {
    hint: `Set ${name}, or ${name}_FILE to the path of a file that holds it. Secrets do not belong in winnow.yaml.`,
  })
}

/** The value of NAME, or the text of the file that NAME_FILE names, without a trailing line break. */
export function secretOf(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const [value, file] = [env[name] || undefined, env[`${name}_FILE`] || undefined]
  if (value !== undefined && file !== undefined) {
    throw new WinnowError('CONFIGURATION', `both ${name} and ${name}_FILE are set`, { hint: 'Set one of them.' })
  }
  return file === undefined ? value : readText(file).replace(/\r?\n$/, '')
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new WinnowError('CONFIGURATION', `${file} cannot be read: ${(cause as Error).message}`, { cause })
  }
}
