import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openBytes } from '../../../../services/runtime/stores/bytes.ts'
import { storeFor } from '../../../../services/runtime/stores/open-store.ts'
import { resumed } from '../../../../services/runtime/stores/resumed.ts'
import { sha256, startWeb, type WebServer } from '../../../support/stores.ts'

let web: WebServer
beforeAll(async () => {
  web = await startWeb()
})
afterAll(() => web.stop())
beforeEach(() => {
  web.files.clear()
  web.requests.length = 0
  web.cuts.length = 0
  web.plain = false
  web.answer = () => false
})

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251))

async function all(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of chunks) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts)
}

describe('a file of a web server', () => {
  test('is read on at the byte after the last one where a connection breaks, and is the same', async () => {
    web.files.set('/a', { bytes: content, etag: '"1"' })
    const file = await openBytes(`${web.url}/a`)
    web.cuts.push(1000, 0, 70_001, 5)
    expect(sha256(await all(file.stream(0, content.length)))).toBe(sha256(content))
    const ranges = web.requests.slice(1).map(({ headers }) => headers.range)
    expect(ranges.length).toBe(5)
    expect(ranges.at(-1)).not.toBe('bytes=0-299999')
    expect(web.requests.slice(1).every(({ headers }) => headers['if-match'] === '"1"')).toBe(true)
  })

  test('is read in parts', async () => {
    web.files.set('/a', { bytes: content, etag: '"1"' })
    const file = await openBytes(`${web.url}/a`)
    expect(file.byteLength).toBe(content.length)
    for (const [position, length] of [
      [0, 4],
      [299_990, 100],
      [1, 299_999],
      [400_000, 1],
    ] as const)
      expect(await file.at(position, length)).toEqual(content.subarray(position, position + length))
  })

  test.each([
    ['with a strong ETag', '"1"', '"2"', 0],
    ['with a weak ETag, for which no condition can be set', 'W/"1"', 'W/"2"', 0],
    ['without an ETag, of another length', undefined, undefined, 1],
  ])('that has changed is refused: %s', async (_, before, after, longer) => {
    web.files.set('/a', { bytes: content, ...(before !== undefined && { etag: before }) })
    const file = await openBytes(`${web.url}/a`)
    web.files.set('/a', { bytes: Buffer.alloc(content.length + longer), ...(after !== undefined && { etag: after }) })
    await expect(all(file.stream(0, 10))).rejects.toMatchObject({
      code: 'BAD_DATA',
      message: expect.stringMatching(/has changed/),
    })
    await expect(openBytes(`${web.url}/a`, file.version)).rejects.toMatchObject({ code: 'BAD_DATA' })
  })

  test('that changes between two connections is refused, and nothing of the new one is taken', async () => {
    web.files.set('/a', { bytes: content, etag: '"1"' })
    const file = await openBytes(`${web.url}/a`)
    web.cuts.push(50_000)
    const taken: Buffer[] = []
    const reading = (async () => {
      for await (const chunk of file.stream(0, content.length)) {
        taken.push(Buffer.from(chunk))
        web.files.set('/a', { bytes: Buffer.alloc(content.length, 1), etag: '"2"' })
      }
    })()
    await expect(reading).rejects.toMatchObject({ code: 'BAD_DATA' })
    const got = Buffer.concat(taken)
    expect(got).toEqual(content.subarray(0, got.length))
  })

  test('is given up after failures in a row, which may pass', async () => {
    web.files.set('/a', { bytes: content, etag: '"1"' })
    const object = (await (await storeFor(`${web.url}/a`)).open(`${web.url}/a`))!
    web.cuts.push(0, 0, 0)
    const reading = all(resumed(object, 0, 10, { failuresMax: 3, delayMsFirst: 1 }))
    await expect(reading).rejects.toMatchObject({ code: 'UNREACHABLE', retriable: true })
  })

  test('that is away when it is opened is asked for again', async () => {
    web.files.set('/a', { bytes: content, etag: '"1"' })
    let failures = 2
    web.answer = (_, response) => {
      if (failures-- <= 0) return false
      response.writeHead(503).end()
      return true
    }
    const file = await openBytes(`${web.url}/a`)
    expect(failures).toBeLessThan(0)
    expect(await file.at(0, 10)).toEqual(content.subarray(0, 10))
  })

  test('that stalls is asked for again', async () => {
    web.files.set('/a', { bytes: content, etag: '"1"' })
    const object = (await (await storeFor(`${web.url}/a`)).open(`${web.url}/a`))!
    let stalls = 2
    web.answer = (_, response) => {
      if (stalls-- <= 0) return false
      response.writeHead(206, { 'content-range': `bytes 0-9/${content.length}`, etag: '"1"' }).flushHeaders()
      return true
    }
    const bytes = await all(resumed(object, 0, 10, { delayMsFirst: 1, stallMs: 100 }))
    expect(bytes).toEqual(content.subarray(0, 10))
  })

  test('says what to do where it is missing, refused, or served whole alone', async () => {
    await expect(openBytes(`${web.url}/none`)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(/there is no/),
    })
    web.answer = (_, response) => Boolean(response.writeHead(403).end())
    await expect(openBytes(`${web.url}/a`)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      hint: expect.stringMatching(/rights/),
    })
    web.answer = () => false
    web.files.set('/a', { bytes: content })
    web.plain = true
    await expect(openBytes(`${web.url}/a`)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      hint: expect.stringMatching(/download it/),
    })
  })

  test('gets the login of its address as a header, and no error shows it', async () => {
    const address = `http://anna:s3cret@127.0.0.1:${web.port}/none?X-Amz-Signature=abc#f`
    const error = await openBytes(address).catch((thrown: unknown) => thrown)
    expect(web.requests[0]!.headers.authorization).toBe(`Basic ${Buffer.from('anna:s3cret').toString('base64')}`)
    const { message, hint, stack } = error as Error & { hint: string }
    expect(message).toContain(`http://127.0.0.1:${web.port}/none?…`)
    for (const secret of ['s3cret', 'abc', 'anna']) expect(`${message} ${hint} ${stack}`).not.toContain(secret)
  })
})
