import { expect, test } from 'vitest'
import { allRecords } from '../../../schemas/index.ts'
import { type RegistryClient, register, schemaById, sureOfAbsence } from '../../../services/runtime/registry.ts'

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

const refused = (status: number, errorCode: number) => Object.assign(new Error('no'), { status, errorCode })

test('a refusal says what to do: of a subject that is read-only, of a registry without a primary, of anything else', async () => {
  const answering = (error: Error) =>
    ({
      getId: async () => {
        throw error
      },
    }) as unknown as RegistryClient
  const of = (status: number, code: number) => register(answering(refused(status, code)), record)
  await expect(of(422, 42205)).rejects.toMatchObject({
    code: 'CONFIGURATION',
    hint: expect.stringContaining('READWRITE'),
  })
  await expect(of(401, 40101)).rejects.toMatchObject({
    code: 'CONFIGURATION',
    hint: expect.stringContaining('permissions'),
  })
  await expect(of(503, 50003)).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringContaining('answered 503'),
    hint: expect.stringContaining('primary'),
  })
})

/** A registry that reads its topic again: it knows the ids of `has` alone, and after its first look-up those of `reads`. */
function starting(has: number[], reads: number[] = []) {
  const cached = new Map<number, { schema: string }>()
  const client = {
    getId: async () => 9,
    getBySubjectAndId: async (_subject: string, id: number) => {
      const known = cached.get(id) ?? (has.includes(id) ? { schema: `${id}` } : undefined)
      has.push(...reads.splice(0))
      if (known === undefined) throw refused(404, 40403)
      cached.set(id, known)
      return known
    },
    clearCaches: () => cached.clear(),
  }
  return {
    client: sureOfAbsence(client as unknown as Parameters<typeof sureOfAbsence>[0]),
    lose: () => {
      has.length = 0
    },
  }
}

test('an id that a registry lacks while it reads its storage is not absent: it does not answer yet', async () => {
  const { client, lose } = starting([9])
  expect(await register(client, record)).toBe(9)
  expect(await schemaById(client, 9)).toBe('9')
  expect(await schemaById(client, 4)).toBeUndefined()
  lose()
  await expect(schemaById(client, 4)).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/schema 4.*schema 9 either/),
  })
})

test('an id that the registry has read by the time it is asked for its newest is found', async () => {
  const { client } = starting([], [4, 9])
  await register(client, record)
  expect(await schemaById(client, 4)).toBe('4')
})
