import { subjectOf, topics } from '../../schemas/index.ts'
import type { Connection } from '../../services/runtime/kafka/connection.ts'
import { read } from '../../services/runtime/kafka/reader.ts'
import { type Finding, problem } from './finding.ts'
import type { AskRegistry } from './stores.ts'

/** Poison may be among them, but not all of them are. */
const recordsMax = 20

/** Whether the ids that the first records of the log carry are, in this registry, of the records that they are. */
export async function checkRegistryOfLog(connection: Connection, ask: AskRegistry): Promise<Finding[]> {
  const existing = new Set(await (await connection.admin()).listTopics())
  const findings: Finding[] = []
  for (const { name, records } of [topics.sources, topics.runs, topics.documents]) {
    if (!existing.has(name)) continue
    const expected = subjectOf(records[0])
    const ids = await firstIds(connection, name)
    const subjects = new Map<number, string>()
    for (const id of ids) subjects.set(id, await schemaName(ask, id))
    if (ids.size === 0 || [...subjects.values()].includes(expected)) continue
    const found = [...subjects].map(([id, subject]) => `${id} is ${subject}`).join(', ')
    findings.push(
      problem(
        'registry',
        `${name} was written with another registry, or this one has lost its storage: none of the schema ids of its first records is of ${expected} here (${found})`,
        "Restore the registry's storage from a backup, or name the right one (registry.url); until then every record would be refused",
      ),
    )
  }
  return findings
}

async function firstIds(connection: Connection, topic: string): Promise<Set<number>> {
  const ids = new Set<number>()
  let seen = 0
  for await (const records of read(connection, topic)) {
    for (const { value } of records.slice(0, recordsMax - seen))
      if (value !== null && value.length >= 5 && value[0] === 0) ids.add(value.readUInt32BE(1))
    seen += records.length
    if (seen >= recordsMax) break
  }
  return ids
}

/** Name and namespace of an Avro schema, which are what winnow's subjects are named after. */
async function schemaName(ask: AskRegistry, id: number): Promise<string> {
  const answer = await ask(`/schemas/ids/${id}`)
  if (!answer.ok) return 'unknown'
  const { schema } = (await answer.json()) as { schema?: string }
  try {
    const { name, namespace } = JSON.parse(schema ?? '') as { name?: string; namespace?: string }
    return namespace === undefined ? `${name}` : `${namespace}.${name}`
  } catch {
    return 'no Avro schema'
  }
}
