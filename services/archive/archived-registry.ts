import { avroType } from '../runtime/avro.ts'
import type { RegistryClient } from '../runtime/registry.ts'

/** The error of a registry, as far as our own client looks at it. */
class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * The registry as an archive has it: ids mean the schemas that they meant when its values were written. Schemas of this winnow that it lacks get ids
 * of their own, for what is written here; one that cannot read what the archive has under its name is refused, as a registry would.
 */
export function archivedRegistry(archived: readonly { id: number; schema: string }[]): RegistryClient {
  const schemas = new Map(archived.map(({ id, schema }) => [id, schema]))
  return {
    getId: async (subject, { schema }) => {
      const [found] = [...schemas].find(([, text]) => text === schema) ?? []
      if (found === undefined) throw new Refused(404, `the archive has no such schema of ${subject}`)
      return found
    },
    updateCompatibility: async (_subject, compatibility) => compatibility,
    register: async (subject, { schema }) => {
      const own = avroType(JSON.parse(schema))
      for (const text of schemas.values()) {
        const written = avroType(JSON.parse(text))
        if (written.name !== subject) continue
        try {
          own.createResolver(written)
        } catch (cause) {
          throw new Refused(409, (cause as Error).message)
        }
      }
      const id = Math.max(0, ...schemas.keys()) + 1
      schemas.set(id, schema)
      return id
    },
    getBySubjectAndId: async (_subject, id) => {
      const schema = schemas.get(id)
      if (schema === undefined) throw new Refused(404, `the archive has no schema ${id}`)
      return { schema, schemaType: 'AVRO' }
    },
  }
}
