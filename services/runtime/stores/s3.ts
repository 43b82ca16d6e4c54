import { createReadStream } from 'node:fs'
import { failureOf, library } from './failures.ts'
import { bucketAndKey } from './place.ts'
import type { ObjectStore } from './store.ts'

const credentials =
  'credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile of AWS_PROFILE, or the role of the machine or pod; region from AWS_REGION or the profile; another store by AWS_ENDPOINT_URL_S3'

/** Parts of a large object that is stored: S3 takes at most 10,000 of them. */
const partBytes = 64 * 1024 * 1024

type Command<Answer> = { readonly answer?: Answer }
type Make<Input, Answer> = new (input: Input) => Command<Answer>

interface ObjectName {
  readonly Bucket: string
  readonly Key: string
  readonly IfMatch?: string
}

interface Client {
  send<Answer>(command: Command<Answer>, options?: { abortSignal: AbortSignal }): Promise<Answer>
}

/** What is used of AWS's library. */
interface S3Library {
  readonly S3Client: new (options: Record<string, unknown>) => Client
  readonly HeadObjectCommand: Make<ObjectName, { ContentLength?: number; ETag?: string }>
  readonly GetObjectCommand: Make<ObjectName & { Range: string }, { Body: AsyncIterable<Uint8Array> }>
  readonly ListObjectsV2Command: Make<
    { Bucket: string; Prefix: string; ContinuationToken?: string },
    { Contents?: { Key?: string; Size?: number; ETag?: string }[]; NextContinuationToken?: string }
  >
}

interface UploadLibrary {
  readonly Upload: new (options: {
    client: Client
    params: ObjectName & { Body: AsyncIterable<Uint8Array> }
    partSize: number
  }) => { done(): Promise<unknown> }
}

/** S3, and stores that speak its protocol, by AWS's own library, which finds credentials and endpoint in the usual places. */
export async function createS3Store(): Promise<ObjectStore> {
  const aws = await library<S3Library>('@aws-sdk/client-s3')
  const { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, S3Client } = aws
  const endpoint = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL
  const client = new S3Client({
    // Names of buckets are names of hosts at AWS alone.
    forcePathStyle: endpoint !== undefined,
    followRegionRedirects: true,
    // Stores other than AWS's know no checksums of requests.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })

  const asked = async <T>(uri: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw failureOf(uri, reasonOf(error), credentials)
    }
  }

  const uploads = () => library<UploadLibrary>('@aws-sdk/lib-storage')

  return {
    async open(uri, version) {
      const { bucket: Bucket, key: Key } = bucketAndKey(uri)
      if (Key === '' || Key.endsWith('/')) return null
      const head = await asked(uri, async () => {
        const IfMatch = version
        try {
          return await client.send(new HeadObjectCommand({ Bucket, Key, ...(IfMatch !== undefined && { IfMatch }) }))
        } catch (error) {
          if (reasonOf(error).status === 404) return null
          throw error
        }
      })
      if (head === null) return null
      const etag = head.ETag ?? ''
      return {
        uri,
        byteLength: head.ContentLength ?? 0,
        version: etag,
        read: async (start, end, abortSignal) => {
          const Range = `bytes=${start}-${end - 1}`
          const command = new GetObjectCommand({ Bucket, Key, Range, IfMatch: etag })
          const { Body } = await asked(uri, () => client.send(command, { abortSignal }))
          return Body
        },
      }
    },
    async *list(uri) {
      const { bucket: Bucket, key } = bucketAndKey(uri)
      const Prefix = key === '' || key.endsWith('/') ? key : `${key}/`
      let ContinuationToken: string | undefined
      do {
        const command = new ListObjectsV2Command({ Bucket, Prefix, ...(ContinuationToken && { ContinuationToken }) })
        const page = await asked(uri, () => client.send(command))
        for (const { Key, Size, ETag = '' } of page.Contents ?? []) {
          // What consoles make to show an empty folder.
          if (Key === undefined || Key.endsWith('/')) continue
          yield { uri: `s3://${Bucket}/${Key}`, name: Key.slice(Prefix.length), byteLength: Size ?? 0, version: ETag }
        }
        ContinuationToken = page.NextContinuationToken
      } while (ContinuationToken !== undefined)
    },
    async preparePut() {
      await uploads()
    },
    async put(uri, path) {
      const { Upload } = await uploads()
      const { bucket: Bucket, key: Key } = bucketAndKey(uri)
      const params = { Bucket, Key, Body: createReadStream(path) }
      await asked(uri, () => new Upload({ client, params, partSize: partBytes }).done())
    },
  }
}

function reasonOf(error: unknown): { status: number | undefined; reason: string } {
  const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } }
  const unconfigured = name === 'CredentialsProviderError' || /region is missing/i.test(message)
  return {
    status: unconfigured ? 401 : $metadata?.httpStatusCode,
    reason: message === '' || message === 'UnknownError' ? name : message,
  }
}
