import { failureOf, library } from './failures.ts'
import { bucketAndKey } from './place.ts'
import type { ObjectStore } from './store.ts'

const credentials =
  'credentials come from GOOGLE_APPLICATION_CREDENTIALS, gcloud auth application-default login, or the service account of the machine or pod'

interface Metadata {
  readonly generation?: string | number
  readonly size?: string | number
}

interface GsFile {
  readonly name: string
  readonly metadata: Metadata
  getMetadata(): Promise<[Metadata, ...unknown[]]>
  createReadStream(options: Record<string, unknown>): AsyncIterable<Uint8Array> & { destroy(): unknown }
}

/** What is used of Google's library. */
interface GsLibrary {
  readonly Storage: new () => {
    bucket(name: string): {
      file(name: string, options?: { generation: string }): GsFile
      getFiles(query: Record<string, unknown>): Promise<[GsFile[], { pageToken?: string } | null, ...unknown[]]>
      upload(path: string, options: { destination: string }): Promise<unknown>
    }
  }
}

/** Google Cloud Storage by Google's own library. A generation names the content of an object. */
export async function createGsStore(): Promise<ObjectStore> {
  const { Storage } = await library<GsLibrary>('@google-cloud/storage')
  const storage = new Storage()

  const asked = async <T>(uri: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw failureOf(uri, reasonOf(error), credentials)
    }
  }

  return {
    async open(uri, version) {
      const { bucket, key } = bucketAndKey(uri)
      if (key === '' || key.endsWith('/')) return null
      const metadata = await asked(uri, async () => {
        try {
          return (await storage.bucket(bucket).file(key).getMetadata())[0]
        } catch (error) {
          if (reasonOf(error).status === 404) return null
          throw error
        }
      })
      if (metadata === null) return null
      const found = String(metadata.generation)
      if (version !== undefined && version !== found) throw failureOf(uri, { status: 412, reason: '' }, credentials)
      // A read of a generation that is gone is a 404.
      const file = storage.bucket(bucket).file(key, { generation: found })
      return {
        uri,
        byteLength: Number(metadata.size),
        version: found,
        read: async (start, end, signal) => {
          // Bytes as they are stored: what is stored compressed is not unpacked on the way.
          const stream = file.createReadStream({ start, end: end - 1, validation: false, decompress: false })
          signal.addEventListener('abort', () => stream.destroy(), { once: true })
          return failing(stream, (error) => {
            const { status, reason } = reasonOf(error)
            return failureOf(uri, { status: status === 404 ? 412 : status, reason }, credentials)
          })
        },
      }
    },
    async *list(uri) {
      const { bucket, key } = bucketAndKey(uri)
      const prefix = key === '' || key.endsWith('/') ? key : `${key}/`
      let pageToken: string | undefined
      do {
        const query = { prefix, autoPaginate: false, ...(pageToken && { pageToken }) }
        const [files, next] = await asked(uri, () => storage.bucket(bucket).getFiles(query))
        for (const { name, metadata } of files) {
          if (name.endsWith('/')) continue
          const { size, generation } = metadata
          const listed = { byteLength: Number(size), version: String(generation) }
          yield { uri: `gs://${bucket}/${name}`, name: name.slice(prefix.length), ...listed }
        }
        pageToken = next?.pageToken
      } while (pageToken !== undefined)
    },
    async preparePut() {},
    async put(uri, path) {
      const { bucket, key } = bucketAndKey(uri)
      await asked(uri, () => storage.bucket(bucket).upload(path, { destination: key }))
    },
  }
}

async function* failing(
  stream: AsyncIterable<Uint8Array>,
  failure: (error: unknown) => Error,
): AsyncGenerator<Uint8Array> {
  try {
    yield* stream
  } catch (error) {
    throw failure(error)
  }
}

function reasonOf(error: unknown): { status: number | undefined; reason: string } {
  const { code, message } = error as Error & { code?: unknown }
  const unconfigured = /default credentials/i.test(message)
  const status = Number.isInteger(Number(code)) ? Number(code) : undefined
  return { status: unconfigured ? 401 : status, reason: message }
}
