import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findJava } from '../../deploy/dev/java.ts'
import { u64 } from '../../schemas/field.ts'
import { type RecordType, record } from '../../schemas/record.ts'
import { createCodec } from '../../services/runtime/codec.ts'
import { twoVersions, uniqueName } from '../support/registry-contract.ts'
import { registryOf } from './registries.ts'

const jars = process.env.WINNOW_TEST_CONFLUENT
const program = 'schema-registry-start'
const java = await findJava(process.env)
const missing =
  jars === undefined && spawnSync(program, ['-help'], { stdio: 'ignore' }).error !== undefined
    ? `no ${program} on the PATH, and WINNOW_TEST_CONFLUENT names no folder of its jars`
    : 'missing' in java
      ? `no ${java.missing}`
      : undefined

registryOf(
  {
    name: 'Confluent’s Schema Registry',
    product: 'Confluent',
    missing,
    start: ({ folder, port, broker, username, password }) => {
      const users = join(folder, 'users.properties')
      writeFileSync(users, `${username}: ${password},winnow\n`)
      const jaas = join(folder, 'jaas.conf')
      const module = 'org.eclipse.jetty.security.jaas.spi.PropertyFileLoginModule'
      writeFileSync(jaas, `SchemaRegistry { ${module} required file="${users}"; };\n`)
      const properties = join(folder, 'registry.properties')
      const settings = {
        listeners: `http://127.0.0.1:${port}`,
        'host.name': '127.0.0.1',
        'kafkastore.bootstrap.servers': `PLAINTEXT://${broker}`,
        'kafkastore.topic.replication.factor': '1',
        'authentication.method': 'BASIC',
        'authentication.realm': 'SchemaRegistry',
        'authentication.roles': 'winnow',
      }
      writeFileSync(
        properties,
        Object.entries(settings)
          .map(([name, value]) => `${name}=${value}\n`)
          .join(''),
      )
      const login = `-Djava.security.auth.login.config=${jaas}`
      if (jars === undefined)
        return { command: [program, properties], env: { SCHEMA_REGISTRY_OPTS: login, LOG_DIR: folder } }
      const main = 'io.confluent.kafka.schemaregistry.rest.SchemaRegistryMain'
      const command = 'missing' in java ? 'java' : java.command
      return { command: [command, '-Xmx512m', login, '-cp', join(jars, '*'), main, properties], env: {} }
    },
  },
  (registry) => {
    const open = (one: RecordType) => createCodec({ registry: registry().url, records: [one] })

    test('a subject that is read-only gives the schemas that it has, and what it refuses is told as that', async () => {
      const { name, before, after } = twoVersions()
      const bytes = (await open(before)).encode(before, { id: 1n })
      const set = (mode: string) => registry().ask(`/mode/winnow.${name}`, 'PUT', { mode })
      expect((await set('READONLY')).status).toBe(200)
      expect(await (await open(before)).decode(bytes)).toEqual({ record: name, value: { id: 1n } })
      await expect(open(after)).rejects.toMatchObject({
        code: 'CONFIGURATION',
        message: expect.stringContaining(`winnow.${name}`),
        hint: expect.stringContaining('READWRITE'),
      })
      expect((await set('READWRITE')).status).toBe(200)
      await open(after)
    })

    test('a subject that was deleted is registered again under its id, whose records were readable all the while', async () => {
      const { name, before, after } = twoVersions()
      const bytes = (await open(before)).encode(before, { id: 1n })
      expect((await registry().ask(`/subjects/winnow.${name}`, 'DELETE')).status).toBe(200)
      expect(await (await open(after)).decode(bytes)).toEqual({ record: name, value: { id: 1n, note: 'none' } })
      expect((await open(before)).encode(before, { id: 1n })).toEqual(bytes)
    })

    test('in a context of its own winnow has ids of its own', async () => {
      const url = `${registry().url}/contexts/.${uniqueName()}`
      const note = record(uniqueName(), '', { id: u64 })
      const codec = await createCodec({ registry: url, records: [note] })
      const bytes = codec.encode(note, { id: 1n })
      expect(bytes.readUInt32BE(1)).toBe(1)
      expect(await (await createCodec({ registry: url, records: [note] })).decode(bytes)).toEqual({
        record: note.name,
        value: { id: 1n },
      })
    })
  },
)
