import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureArtifacts } from '../../deploy/dev/artifacts.ts'
import { portNames, startBroker } from '../../deploy/dev/broker.ts'
import { ensureClassArchives } from '../../deploy/dev/class-archive.ts'
import { findJava } from '../../deploy/dev/java.ts'
import { choosePorts } from '../../deploy/dev/ports.ts'
import { createLog } from '../../services/runtime/log.ts'

/** A broker that asks who one is and what one may do. */
export interface SecureBroker {
  /** Without a login, for who sets it up: the super user. */
  readonly open: string
  /** Any SASL mechanism, in the clear. */
  readonly sasl: string
  /** The same over TLS; undefined without openssl. */
  readonly tls: string | undefined
  /** File with the certificate to trust. */
  readonly ca: string
  stop(): Promise<void>
}

const modules = 'org.apache.kafka.common.security'

/**
 * @param host the address of this machine at which clients log in
 * @param superUsers those who may do everything; the others may what ACLs say
 * @returns the reason, in words, where none can be started here
 */
export async function startSecureBroker(
  users: Readonly<Record<string, string>>,
  { host = '127.0.0.1', superUsers = [] as readonly string[] } = {},
): Promise<SecureBroker | string> {
  const java = await findJava(process.env)
  if ('missing' in java) return java.missing
  const folder = mkdtempSync(join(tmpdir(), 'winnow-secure-'))
  const log = createLog('secure-broker', 'warn')
  const artifacts = await ensureArtifacts(process.env, () => {})
  const options = await ensureClassArchives(java, artifacts, log, () => {})
  const ports = await choosePorts(join(folder, 'ports.json'), [...portNames, 'sasl', 'tls'])
  const ca = join(folder, 'ca.pem')
  const hasTls = makeCertificate(folder, ca, host)
  const listeners = [
    `PLAINTEXT://127.0.0.1:${ports.broker}`,
    `SASL://${host}:${ports.sasl}`,
    ...(hasTls ? [`TLS://${host}:${ports.tls}`] : []),
  ]
  const logins = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`)
  const jaas = (listener: string) => ({
    [`listener.name.${listener}.plain.sasl.jaas.config`]: `${modules}.plain.PlainLoginModule required ${logins.join(' ')};`,
    [`listener.name.${listener}.scram-sha-256.sasl.jaas.config`]: `${modules}.scram.ScramLoginModule required;`,
    [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`]: `${modules}.scram.ScramLoginModule required;`,
    [`listener.name.${listener}.oauthbearer.sasl.jaas.config`]: `${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
  })
  const broker = await startBroker(
    {
      java: java.command,
      options: options.broker,
      folder: join(folder, 'kafka'),
      logFile: join(folder, 'kafka.log'),
      ports,
      started: () => {},
      formatOptions: Object.entries(users).flatMap(([name, password]) =>
        ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
          '--add-scram',
          `${mechanism}=[name=${name},password=${password}]`,
        ]),
      ),
      properties: {
        listeners: [...listeners, `CONTROLLER://127.0.0.1:${ports.controller}`].join(','),
        'advertised.listeners': listeners.join(','),
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SASL_SSL',
        'inter.broker.listener.name': 'PLAINTEXT',
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': ['ANONYMOUS', ...superUsers].map((user) => `User:${user}`).join(';'),
        ...jaas('sasl'),
        ...(hasTls && {
          ...jaas('tls'),
          'ssl.keystore.type': 'PEM',
          'ssl.keystore.location': join(folder, 'broker.pem'),
        }),
      },
    },
    artifacts.broker,
  )
  return {
    open: `127.0.0.1:${ports.broker}`,
    sasl: `${host}:${ports.sasl}`,
    tls: hasTls ? `${host}:${ports.tls}` : undefined,
    ca,
    stop: async () => {
      await broker.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A certificate that signs itself, for an address. @returns false where there is no openssl */
function makeCertificate(folder: string, ca: string, host: string): boolean {
  const key = join(folder, 'key.pem')
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${host}`]
  try {
    execFileSync('openssl', [...request, '-addext', `subjectAltName=IP:${host}`, '-keyout', key, '-out', ca], {
      stdio: 'ignore',
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  writeFileSync(join(folder, 'broker.pem'), readFileSync(key, 'utf8') + readFileSync(ca, 'utf8'))
  return true
}

/** A token as OAUTHBEARER's unsecured kind takes it, for tests of the protocol alone. */
export function unsecuredToken(subject: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: now, exp: now + 3600 })}.`
}
