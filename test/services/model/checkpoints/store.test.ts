import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCheckpoint } from '../../../../services/model/checkpoints/read.ts'
import { CheckpointStore } from '../../../../services/model/checkpoints/store.ts'
import type { ModelDescription } from '../../../../services/model/description.ts'
import { type FloatTensor, writeSafetensors } from '../../../../services/model/safetensors.ts'
import type { CheckpointRef } from '../../../../topologies/stations/influence.ts'
import { temporaryFolder } from '../support.ts'

const parameters = [
  { name: 'embed.weight', shape: [3, 2] },
  { name: 'layers.0.weight', shape: [2, 2] },
  { name: 'norm.weight', shape: [2] },
]
const describing = (config: object): ModelDescription => ({ parameters, config }) as unknown as ModelDescription
const description = describing({ vocab_size: 3, tie_word_embeddings: false })

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder[Symbol.asyncDispose]())

type Tensors = [string, FloatTensor][]
const tensors = (first: number, prefix = ''): Tensors =>
  parameters.map(({ name, shape }, i) => {
    const size = shape.reduce((product, dimension) => product * dimension, 1)
    return [prefix + name, { shape, data: Float32Array.from({ length: size }, (_, k) => first + 10 * i + k) }]
  })
const values = (found: ReadonlyMap<string, FloatTensor>) =>
  new Map([...found].map(([name, { data }]) => [name, [...data]]))
const copied = async (found: ReadonlyMap<string, FloatTensor>) => values(found)
const expected = (first: number) => values(new Map(tensors(first)))

const read = (checkpoint: CheckpointRef, graphs = description) =>
  readCheckpoint(checkpoint, graphs, 'weights', new Map())

let files = 0
async function written(content: Tensors): Promise<CheckpointRef> {
  const path = join(folder.path, `${files++}.safetensors`)
  return { path, digest: (await writeSafetensors(path, content)).digest }
}

/** Two shards and their index, as transformers names them. The digest is made here as `sha256sum` does it. */
async function sharded(first: number): Promise<CheckpointRef & { shards: string[] }> {
  const own = join(folder.path, `sharded-${files++}`)
  await mkdir(own)
  const all = tensors(first)
  const parts = [all.slice(0, 2), all.slice(2)]
  const weightMap: Record<string, string> = {}
  const shards: string[] = []
  for (const [i, part] of parts.entries()) {
    const name = `model-0000${i + 1}-of-00002.safetensors`
    await writeSafetensors(join(own, name), part)
    shards.push(join(own, name))
    for (const [tensor] of part) weightMap[tensor] = name
  }
  const path = join(own, 'model.safetensors.index.json')
  await writeFile(path, JSON.stringify({ metadata: { total_size: 48 }, weight_map: weightMap }))
  const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex')
  let list = ''
  for (const file of [path, ...shards]) list += `${sha256(await readFile(file))}  ${basename(file)}\n`
  return { path, digest: sha256(list), shards }
}

describe('a checkpoint', () => {
  it('may be one file, whose moments are read only on request', async () => {
    const checkpoint = await written([...tensors(1), ...tensors(100, 'm.'), ...tensors(200, 'v.')])
    expect(values(await read(checkpoint))).toEqual(expected(1))
    expect(values(await readCheckpoint(checkpoint, description, 'second moments', new Map()))).toEqual(expected(200))
  })

  it('may be an index with its shards', async () => {
    expect(values(await read(await sharded(5)))).toEqual(expected(5))
  })

  it('may be reported as a file URI, and is refused at an address that is no file here', async () => {
    const { path, digest } = await written(tensors(9))
    const spaced = join(folder.path, 'a step #1.safetensors')
    await writeFile(spaced, await readFile(path))
    for (const uri of [pathToFileURL(spaced).href, pathToFileURL(spaced).href.replace('file://', 'file://localhost')])
      expect(values(await read({ path: uri, digest }))).toEqual(expected(9))
    for (const [uri, reason] of [
      ['ftp://host/step-1.safetensors', 'its scheme is ftp'],
      ['file://elsewhere/step-1.safetensors', 'host'],
    ] as const) {
      const message = new RegExp(`^The checkpoint ${uri} is no file of this machine: .*${reason}`)
      await expect(read({ path: uri, digest })).rejects.toMatchObject({
        code: 'BAD_DATA',
        message: expect.stringMatching(message),
      })
    }
  })

  it('is held in memory shared by threads', async () => {
    for (const { data } of (await read(await written(tensors(1)))).values())
      expect(data.buffer).toBeInstanceOf(SharedArrayBuffer)
  })

  it('is read in pieces, between which the thread handles other work', async () => {
    const shape = [700, 1001]
    const large = { parameters: [{ name: 'a', shape }], config: {} } as unknown as ModelDescription
    const data = Float32Array.from({ length: 700_700 }, (_, i) => Math.sin(i))
    const checkpoint = await written([['a', { shape, data }]])
    let turns = 0
    const counting = setInterval(() => turns++, 0)
    const found = await read(checkpoint, large)
    clearInterval(counting)
    expect(turns).toBeGreaterThan(0)
    expect(
      createHash('sha256')
        .update(Float32Array.from(found.get('a')!.data))
        .digest('hex'),
    ).toBe(createHash('sha256').update(data).digest('hex'))
  })

  it('is refused while the file or a shard is half written, and read once it is complete', async () => {
    const [single, many] = [await written(tensors(3)), await sharded(4)]
    const store = new CheckpointStore(description, 1000)
    for (const [checkpoint, part] of [
      [single, single.path],
      [many, many.shards[1]!],
      [many, many.path],
    ] as const) {
      const whole = await readFile(part)
      for (const size of [whole.length - 1, whole.length >> 1, 20, 0]) {
        await truncate(part, size)
        await expect(store.use(checkpoint, 'weights', copied), `${part}: ${size} bytes`).rejects.toMatchObject({
          code: 'CHECKPOINT_INCOMPLETE',
          retriable: true,
        })
        await writeFile(part, whole)
      }
    }
    expect(await store.use(single, 'weights', copied)).toEqual(expected(3))
    expect(await store.use(many, 'weights', copied)).toEqual(expected(4))
  })

  it('is waited for if a file is missing or belongs to another training state', async () => {
    const missing = { path: join(folder.path, 'nowhere.safetensors'), digest: '00' }
    await expect(read(missing)).rejects.toMatchObject({
      code: 'CHECKPOINT_INCOMPLETE',
    })
    const [older, newer] = [await sharded(6), await sharded(7)]
    await writeFile(older.shards[0]!, await readFile(newer.shards[0]!))
    await expect(read(older)).rejects.toMatchObject({ code: 'CHECKPOINT_INCOMPLETE' })
  })

  it('cannot refer to files outside its folder', async () => {
    const { path } = await sharded(8)
    await writeFile(path, JSON.stringify({ weight_map: { 'embed.weight': '../elsewhere.safetensors' } }))
    await expect(read({ path, digest: '00' })).rejects.toThrow('not an index of shards')
  })

  const another: Tensors = [['layers.1.weight', { shape: [2, 2], data: new Float32Array(4) }]]
  it.each<[string, Tensors, string]>([
    ['lacks a parameter', tensors(1).slice(0, 2), 'norm.weight is missing'],
    [
      'has a parameter in another shape',
      [...tensors(1).slice(1), ['embed.weight', { shape: [2, 3], data: new Float32Array(6) }]],
      'embed.weight is [2,3], expected [3,2]',
    ],
    ['is of a deeper model', [...tensors(1), ...another], 'no parameter layers.1.weight'],
    [
      'has a head that the graphs do not have',
      [...tensors(1), ['lm_head.weight', tensors(1)[0]![1]]],
      'lm_head.weight',
    ],
  ])('that %s is refused for good', async (_, content, reason) => {
    const failure = read(await written(content))
    await expect(failure).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining(reason) })
  })

  it('may repeat a tied head and tables that the graphs compute themselves', async () => {
    const content: Tensors = [
      ...tensors(9),
      ['lm_head.weight', tensors(9)[0]![1]],
      ['layers.0.self_attn.rotary_emb.inv_freq', { shape: [2], data: new Float32Array(2) }],
      ['h.0.attn.bias', { shape: [1], data: new Float32Array(1) }],
    ]
    const found = await read(await written(content), describing({ vocab_size: 3 }))
    expect(values(found)).toEqual(expected(9))
  })
})

describe('the store of checkpoints', () => {
  const bytesEach = 4 * 12

  it('keeps the most recently used within its memory, and always the very last', async () => {
    const checkpoints = [await written(tensors(1)), await written(tensors(2)), await written(tensors(3))]
    // What is kept is there without its file.
    const isKept = async (store: CheckpointStore, k: number) => {
      const { path } = checkpoints[k]!
      await rename(path, `${path}.away`)
      try {
        return (await store.use(checkpoints[k]!, 'weights', copied)).size > 0
      } catch (error) {
        expect(error).toMatchObject({ code: 'CHECKPOINT_INCOMPLETE' })
        return false
      } finally {
        await rename(`${path}.away`, path)
      }
    }
    const store = new CheckpointStore(description, 2 * bytesEach)
    for (const k of [0, 1, 0, 2]) expect(await store.use(checkpoints[k]!, 'weights', copied)).toEqual(expected(k + 1))
    expect([await isKept(store, 2), await isKept(store, 0), await isKept(store, 1)]).toEqual([true, true, false])

    const tight = new CheckpointStore(description, 1)
    await tight.use(checkpoints[0]!, 'weights', copied)
    expect(await isKept(tight, 0)).toBe(true)
    await tight.use(checkpoints[1]!, 'weights', copied)
    expect([await isKept(tight, 1), await isKept(tight, 0)]).toEqual([true, false])
  })

  it('reads a checkpoint once for all concurrent requests', async () => {
    const checkpoint = await written(tensors(1))
    const store = new CheckpointStore(description, bytesEach)
    const same = async (found: ReadonlyMap<string, FloatTensor>) => found
    const [a, b] = await Promise.all([store.use(checkpoint, 'weights', same), store.use(checkpoint, 'weights', same)])
    expect(a).toBe(b)
  })

  it('reuses the memory of evicted checkpoints, but never while they are in use', async () => {
    const store = new CheckpointStore(description, bytesEach)
    const memory = new Set<unknown>()
    const noted = async (found: ReadonlyMap<string, FloatTensor>) => {
      for (const { data } of found.values()) memory.add(data.buffer)
      return values(found)
    }
    const held = Promise.withResolvers<void>()
    const long = store.use(await written(tensors(50)), 'weights', async (found) => {
      await held.promise
      return noted(found)
    })
    for (let n = 0; n < 20; n++) {
      expect(await store.use(await written(tensors(100 + n)), 'weights', noted)).toEqual(expected(100 + n))
      const broken = { path: join(folder.path, 'nowhere.safetensors'), digest: `${n}` }
      await expect(store.use(broken, 'weights', noted)).rejects.toThrow('not whole')
    }
    held.resolve()
    expect(await long).toEqual(expected(50))
    // Three tensors of the one in use, and of the one that is kept.
    expect(memory.size).toBe(6)
  })
})
