// Only the client: the package's index loads key managers for four clouds, half a second on every start.
import {
  type Client,
  Compatibility,
  SchemaRegistryClient,
} from '@confluentinc/schemaregistry/dist/schemaregistry-client.js'
import { type RecordType, subjectOf } from '../../schemas/index.ts'
import { httpAddress, type Login } from './address.ts'
import { WinnowError } from './errors.ts'

export type RegistryClient = Pick<Client, 'getId' | 'register' | 'updateCompatibility' | 'getBySubjectAndId'>

/** `mock://...` gives an in-memory registry for tests; it does not check compatibility. */
export function registryClient(address: string, given?: Login): RegistryClient {
  const { url, login } = httpAddress(address, given)
  const client = SchemaRegistryClient.newClient({
    baseURLs: [url],
    ...(login !== undefined && {
      basicAuthCredentials: { credentialsSource: 'USER_INFO', userInfo: `${login.username}:${login.password}` },
    }),
    maxRetries: 3,
    retriesWaitMs: 200,
    retriesMaxWaitMs: 1000,
    createAxiosDefaults: { timeout: 10_000 },
  })
  return sureOfAbsence(client)
}

/**
 * Karapace answers "not found" to every id while it reads its topic after a start. So that is believed only of a registry that knows the newest id which it
 * gave to this client: ids are given in the order of the topic. @throws WinnowError UNREACHABLE from `getBySubjectAndId` where it does not
 */
export function sureOfAbsence(client: RegistryClient & Pick<Client, 'clearCaches'>): RegistryClient {
  let newest: number | undefined
  const given = async (asked: Promise<number>): Promise<number> => {
    const id = await asked
    newest = Math.max(newest ?? id, id)
    return id
  }
  const orMissing = async (id: number, subject = '') =>
    await client.getBySubjectAndId(subject, id).catch((error: unknown) => {
      if (statusOf(error) !== 404) throw error
      return { missing: error }
    })
  return {
    getId: (...asked) => given(client.getId(...asked)),
    register: (...asked) => given(client.register(...asked)),
    updateCompatibility: (...asked) => client.updateCompatibility(...asked),
    getBySubjectAndId: async (subject, id) => {
      const first = await orMissing(id, subject)
      if (!('missing' in first)) return first
      if (newest === undefined) throw first.missing
      client.clearCaches()
      if ('missing' in (await orMissing(newest))) {
        const message = `Could not look up schema ${id}: the schema registry does not know schema ${newest} either, which it gave out itself.`
        const hint =
          'It is still reading its storage after a start; if that does not end, it has lost it: restore it from a backup.'
        throw new WinnowError('UNREACHABLE', message, { hint, cause: first.missing })
      }
      // It may have read the first one since it was asked.
      return await client.getBySubjectAndId(subject, id)
    },
  }
}

/**
 * The id of the record's schema, always the same for the same schema. One that the subject lacks is registered, and from then on the subject rejects
 * schemas that cannot be read alongside any earlier version; one that it has is read alone, so that a command writes nothing where nothing is new,
 * and needs no more than to read where somebody else registers schemas.
 * @throws WinnowError SCHEMA_INCOMPATIBLE, UNREACHABLE, CONFIGURATION
 */
export async function register(client: RegistryClient, record: RecordType): Promise<number> {
  const subject = subjectOf(record)
  const schema = { schema: JSON.stringify(record.avro), schemaType: 'AVRO' }
  try {
    const registered = await client.getId(subject, schema, false).catch((error: unknown) => {
      if (statusOf(error) !== 404) throw error
    })
    if (registered !== undefined) return registered
    await requireTransitive(client, subject)
    return await client.register(subject, schema, false)
  } catch (error) {
    const status = statusOf(error)
    if (status === 409) {
      throw new WinnowError(
        'SCHEMA_INCOMPATIBLE',
        `The registry refuses the schema of subject ${subject}: ${reasonOf(error)}`,
        {
          hint: 'This winnow is older than the one that wrote the topics, or its schema was changed incompatibly: run the newer version.',
          cause: error,
        },
      )
    }
    throw registryFailure(error, `register the schema of subject ${subject}`)
  }
}

/** Apicurio answers 409 to one of two services that set a subject's first rule at the same time: then there is one, which can be set. */
async function requireTransitive(client: RegistryClient, subject: string): Promise<void> {
  const set = () => client.updateCompatibility(subject, Compatibility.BACKWARD_TRANSITIVE)
  await set().catch(async (error: unknown) => {
    if (statusOf(error) !== 409) throw error
    await set()
  })
}

/** @returns the schema's text, or undefined if the registry does not have the id. @throws WinnowError UNREACHABLE, CONFIGURATION */
export async function schemaById(client: RegistryClient, id: number): Promise<string | undefined> {
  try {
    return (await client.getBySubjectAndId('', id)).schema
  } catch (error) {
    if (error instanceof WinnowError) throw error
    if (statusOf(error) === 404) return undefined
    throw registryFailure(error, `look up schema ${id}`)
  }
}

const statusOf = (error: unknown): number | undefined => (error as { status?: number }).status
const codeOf = (error: unknown): number | undefined => (error as { errorCode?: number }).errorCode
/** Confluent's "operation not permitted", of a registry or subject whose mode is READONLY. */
const readOnlyCode = 42205
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function registryFailure(error: unknown, doing: string): WinnowError {
  const status = statusOf(error)
  const answered = status !== undefined && status < 500 && status !== 408 && status !== 429
  if (answered) {
    const hint =
      codeOf(error) === readOnlyCode
        ? 'The registry, or this subject, is in mode READONLY: set its mode to READWRITE (PUT /mode), or register the schema in the registry that this one is a copy of.'
        : 'Check the registry address and its permissions.'
    return new WinnowError('CONFIGURATION', `Could not ${doing}: the registry answered ${status}: ${reasonOf(error)}`, {
      hint,
      cause: error,
    })
  }
  if (status !== undefined) {
    return new WinnowError(
      'UNREACHABLE',
      `Could not ${doing}: the schema registry answered ${status}: ${reasonOf(error)}`,
      {
        hint: 'It cannot do it now; just after its start it may still be electing its primary. Its log says more.',
        cause: error,
      },
    )
  }
  return new WinnowError(
    'UNREACHABLE',
    `Could not ${doing}: the schema registry does not answer (${reasonOf(error)}).`,
    {
      hint: 'Is it running? `winnow dev` starts one; WINNOW_REGISTRY_URL names another.',
      cause: error,
    },
  )
}
