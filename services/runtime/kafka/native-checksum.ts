import { createRequire } from 'node:module'
import { crc32c } from '@node-rs/crc32'

const require = createRequire(import.meta.url)
const folder = 'kafkajs/src/protocol/recordBatch'

/**
 * kafkajs computes the checksum of a batch that it writes byte by byte in JavaScript: half of the time in which it encodes large records. Its
 * producer is loaded with its first request, and with it, again, the module that uses the checksum.
 */
const path = require.resolve(`${folder}/crc32C/index.js`)
require(path)
require.cache[path]!.exports = (bytes: Uint8Array): number => crc32c(bytes)
delete require.cache[require.resolve(`${folder}/v0/index.js`)]
