import { createHash } from 'node:crypto'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type FloatTensor, readSafetensors, writeSafetensors } from '../../../services/model/safetensors.ts'
import { temporaryFolder } from './support.ts'

const tensors: [string, FloatTensor][] = [
  ['weight', { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, Number.MIN_VALUE, 1e30) }],
  ['gain', { shape: [1], data: Float32Array.of(-0) }],
  ['scalar', { shape: [], data: Float32Array.of(7) }],
]

function file(header: unknown, dataBytes: number): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, Buffer.alloc(dataBytes)])
}

describe('safetensors', () => {
  it('round-trips names, shapes, values and metadata, and returns the file’s digest', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'a.safetensors')
    const { digest, bytes } = await writeSafetensors(path, tensors, { step: '12' })
    const content = await readFile(path)
    expect(content.length).toBe(bytes)
    expect(createHash('sha256').update(content).digest('hex')).toBe(digest)
    const read = await readSafetensors(path)
    expect(read.digest).toBe(digest)
    expect(read.metadata).toEqual({ step: '12' })
    expect([...read.tensors]).toEqual(tensors)
    expect(Object.is(read.tensors.get('gain')!.data[0], -0)).toBe(true)
  })

  it('writes the layout of the format: length, JSON, then data aligned to 8 bytes', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'a.safetensors')
    await writeSafetensors(path, tensors)
    const content = await readFile(path)
    const length = Number(content.readBigUInt64LE(0))
    expect((8 + length) % 8).toBe(0)
    const header = JSON.parse(content.toString('utf8', 8, 8 + length))
    expect(header.weight).toEqual({ dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] })
    expect(header.gain).toEqual({ dtype: 'F32', shape: [1], data_offsets: [24, 28] })
    expect(content.readFloatLE(8 + length + 4)).toBe(-2)
  })

  it('replaces a file atomically and leaves no temporary file behind', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'a.safetensors')
    await writeSafetensors(path, tensors)
    await writeSafetensors(path, [['other', { shape: [1], data: Float32Array.of(1) }]])
    expect([...(await readSafetensors(path)).tensors.keys()]).toEqual(['other'])
    expect(await readdir(folder.path)).toEqual(['a.safetensors'])
  })

  it('reads F16 and BF16 as the values they stand for', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'a.safetensors')
    const header = {
      half: { dtype: 'F16', shape: [4], data_offsets: [0, 8] },
      brain: { dtype: 'BF16', shape: [2, 2], data_offsets: [8, 16] },
    }
    const content = file(header, 16)
    // 1, -2, the smallest subnormal, infinity of IEEE 754 half; 1, -2, 3.140625, 2^-126 as upper halves of float32.
    for (const [i, bits] of [0x3c00, 0xc000, 0x0001, 0x7c00, 0x3f80, 0xc000, 0x4049, 0x0080].entries())
      content.writeUInt16LE(bits, content.length - 16 + 2 * i)
    await writeFile(path, content)
    const { tensors: read } = await readSafetensors(path)
    expect([...read.get('half')!.data]).toEqual([1, -2, 2 ** -24, Number.POSITIVE_INFINITY])
    expect(read.get('brain')).toEqual({ shape: [2, 2], data: Float32Array.of(1, -2, 3.140625, 2 ** -126) })
  })

  it('refuses a file truncated anywhere', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'a.safetensors')
    const { bytes } = await writeSafetensors(path, tensors)
    for (const size of [bytes - 1, bytes - 30, 40, 8, 3, 0]) {
      await writeSafetensors(path, tensors)
      await truncate(path, size)
      await expect(readSafetensors(path), `${size} bytes`).rejects.toMatchObject({
        code: 'BAD_DATA',
        message: expect.stringContaining(path),
      })
    }
  })

  it.each([
    ['its header is not JSON', file('{"a": ', 0)],
    ['only F32, F16, BF16 are supported', file({ a: { dtype: 'I32', shape: [1], data_offsets: [0, 4] } }, 4)],
    ['its shape [3] needs 12', file({ a: { dtype: 'F32', shape: [3], data_offsets: [0, 8] } }, 8)],
    ['no valid shape', file({ a: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } }, 4)],
    ['do not cover its data', file({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, 8)],
    ['its header would have', Buffer.from('ffffffffffffffff', 'hex')],
  ])('refuses a file because %s', async (reason, content) => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'a.safetensors')
    await writeFile(path, content)
    await expect(readSafetensors(path)).rejects.toThrow(reason)
  })

  it('says which file does not exist', async () => {
    await expect(readSafetensors('/nowhere/a.safetensors')).rejects.toThrow('/nowhere/a.safetensors is not a usable')
  })
})
