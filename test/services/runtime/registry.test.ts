import { expect, test } from 'vitest'
import { allRecords } from '../../../schemas/index.ts'
import { type RegistryClient, register } from '../../../services/runtime/registry.ts'

const [record] = allRecords as [(typeof allRecords)[number]]

/** A registry that answers the first settings of a subject's rule with these statuses, and the rest as it should. */
function registry(...statuses: number[]) {
  const asked: string[] = []
  const client = {
    getId: async () => {
      throw Object.assign(new Error('Subject not found'), { status: 404 })
    },
    updateCompatibility: async (_subject: string, level: string) => {
      asked.push(level)
      const status = statuses.shift()
      if (status !== undefined)
        throw Object.assign(new Error("A rule named 'COMPATIBILITY' already exists."), { status })
      return level
    },
    register: async () => 7,
  } as unknown as RegistryClient
  return { client, asked }
}

test('a service that loses the race to set the first rule of a subject sets it again and registers its schema', async () => {
  const { client, asked } = registry(409)
  expect(await register(client, record)).toBe(7)
  expect(asked).toEqual(['BACKWARD_TRANSITIVE', 'BACKWARD_TRANSITIVE'])
})

test('a registry that goes on refusing the rule is an error, and so is one that forbids it', async () => {
  await expect(register(registry(409, 409).client, record)).rejects.toMatchObject({ code: 'SCHEMA_INCOMPATIBLE' })
  await expect(register(registry(403).client, record)).rejects.toMatchObject({ code: 'CONFIGURATION' })
})
