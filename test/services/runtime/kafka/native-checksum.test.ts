import { createRequire } from 'node:module'
import { crc32c } from '@node-rs/crc32'
import { expect, test, vi } from 'vitest'
import '../../../../services/runtime/kafka/kafkajs.ts'

vi.mock('@node-rs/crc32', async (original) => {
  const { crc32c } = await original<typeof import('@node-rs/crc32')>()
  return { crc32c: vi.fn(crc32c) }
})

const require = createRequire(import.meta.url)

test('kafkajs computes the checksums of the batches that it writes by the native function, as its own did', async () => {
  const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js')
  const record = require('kafkajs/src/protocol/recordBatch/record/v0/index.js')
  const value = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * i) % 251))
  const before = vi.mocked(crc32c).mock.calls.length
  const { buffer } = await RecordBatch({ records: [record({ key: 'k', value })] })
  expect(vi.mocked(crc32c).mock.calls.length).toBe(before + 1)
  // Behind offset, length, epoch and format; over all that follows it.
  expect(buffer.readUInt32BE(17)).toBe(bitByBit(buffer.subarray(21)))
})

/** CRC-32C by its definition (RFC 3720, appendix B.4). */
function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}
