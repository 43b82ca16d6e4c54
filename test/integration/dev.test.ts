import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startWinnow, winnow } from '../services/cli/winnow.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-dev-'))
const dataFolder = join(folder, 'data')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Some seconds of ingest: the signal, sent at its first line of progress, must come well before its last batch. */
const rows = 60_000

/** Programs of this test's cluster that run: all of them name the data folder. */
const running = (): string[] =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')]
      } catch {
        return []
      }
    })
    .filter((line) => line.includes(dataFolder))

const status = async (): Promise<{ corpus: { documents: number; complete: number } }> => {
  const { code, stdout, stderr } = await winnow(['status', '--json', '--data', dataFolder], {}, folder)
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}

test.skipIf(process.platform !== 'linux')(
  'dev serves until Ctrl-C and leaves nothing running; an ingest stopped by Ctrl-C resumes where it was (needs /proc)',
  { timeout: 300_000 },
  async () => {
    const file = join(folder, 'rows.jsonl')
    const row = (n: number) =>
      JSON.stringify({ text: `row ${n} of a long file`, meta: { redpajama_set_name: 'RedPajamaC4' } })
    writeFileSync(file, `${Array.from({ length: rows }, (_, n) => row(n)).join('\n')}\n`)

    const dev = startWinnow(['dev', '--data', dataFolder], {}, folder)
    await dev.said('Ctrl-C drains and stops')
    expect(running().length).toBeGreaterThan(2)

    const stopped = startWinnow(['ingest', file, '--data', dataFolder], {}, folder)
    await stopped.said(' rows/s')
    stopped.child.kill('SIGINT')
    const { code, stderr } = await stopped.ended
    expect(code, stderr).toBe(130)
    expect(stderr).toContain('stopping after the current batch')
    expect((await status()).corpus.documents).toBeLessThan(rows)

    const again = await winnow(['ingest', file, '--data', dataFolder], {}, folder)
    expect(again.code, again.stderr).toBe(0)
    expect((await status()).corpus).toMatchObject({ documents: rows, complete: rows })

    // The terminal signals the group, and npm hands its copy on.
    dev.child.kill('SIGINT')
    dev.child.kill('SIGINT')
    expect((await dev.ended).code).toBe(0)
    expect(running()).toEqual([])
    expect((await winnow(['status', '--data', dataFolder], {}, folder)).code).toBe(4)
  },
)
