import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'

/**
 * Lines of a file, plain or, by its extension, .gz, without their line breaks. For files that are trusted to have lines of bounded
 * length; ingest and simulate, which read anything, have splitters of their own.
 * @throws what the file system or zlib says, where the file cannot be read to its end
 */
export function readLines(file: string): AsyncGenerator<string> {
  const source = createReadStream(file)
  // pipeline hands an error of the source to the reader of its last stream, where it is thrown.
  return splitLines(file.endsWith('.gz') ? pipeline(source, createGunzip(), () => {}) : source)
}

/** Lines as JSONL means them: ended by \n alone. (node:readline also breaks at U+2028, which JSON strings may hold.) */
export async function* splitLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest: Uint8Array[] = []
  for await (const chunk of source) {
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      yield Buffer.concat([...rest, chunk.subarray(from, end)]).toString('utf8')
      rest = []
      from = end + 1
    }
    if (from < chunk.length) rest.push(chunk.subarray(from))
  }
  if (rest.length > 0) yield Buffer.concat(rest).toString('utf8')
}
