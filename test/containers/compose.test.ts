import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const file = join(root, 'deploy/compose.yaml')
const { services } = parse(readFileSync(file, 'utf8'), { merge: true }) as {
  services: Record<string, { image: string; ports?: string[]; profiles?: string[] }>
}
/** What a selection needs: neither Prometheus nor Grafana. */
const servers = ['kafka', 'registry', 'clickhouse']
const stations = Object.keys(services).filter(
  (name) => services[name]!.image.startsWith('winnow:') && services[name]!.profiles === undefined,
)
const documents = 300
const selectedMsMax = 600_000

/** Images of servers that are neither here nor can be pulled. */
async function missingImages(): Promise<string[]> {
  const missing = []
  for (const name of servers) {
    const { image } = services[name]!
    const had = await run('docker', ['image', 'inspect', image]).catch(() =>
      run('docker', ['pull', '-q', image]).catch(() => undefined),
    )
    if (had === undefined) missing.push(image)
  }
  return missing
}

test('compose comes up from nothing, labels a corpus, and a run trains on its first selection and makes the next by its rewards', async ({
  skip,
}) => {
  const plugin = await run('docker', ['compose', 'version']).catch(() => undefined)
  skip(plugin === undefined, 'the compose plugin of docker is not installed')
  const missing = await missingImages()
  skip(missing.length > 0, `images that cannot be had: ${missing.join(', ')}`)

  const folder = mkdtempSync(join(tmpdir(), 'winnow-compose-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  // Containers run as another user than the test.
  chmodSync(folder, 0o777)
  const sources = ['RedPajamaBook', 'RedPajamaGithub', 'RedPajamaC4']
  const rows = Array.from({ length: documents }, (_, n) => {
    const text = Array.from({ length: 60 }, (_, i) => `word${(n * 7 + i * i) % 211}`).join(' ')
    return `${JSON.stringify({ text: `${n}: ${text}`, meta: { redpajama_set_name: sources[n % sources.length] } })}\n`
  })
  writeFileSync(join(folder, 'part.jsonl'), rows.join(''))
  // Nothing is published: the ports may be taken here.
  const published = Object.keys(services).filter((name) => services[name]!.ports !== undefined)
  const override = join(folder, 'override.yaml')
  writeFileSync(override, `services:\n${published.map((name) => `  ${name}: { ports: !reset [] }\n`).join('')}`)

  const project = ['-p', `winnow-test-${process.pid}`, '--project-directory', join(root, 'deploy')]
  const env = { ...process.env, CORPUS: folder, RUN: 'first' }
  const compose = async (...args: string[]) => {
    const all = ['compose', ...project, '-f', file, '-f', override, '--profile', 'run', ...args]
    const { stdout } = await run('docker', all, { env, maxBuffer: 1 << 27 })
    return stdout
  }
  onTestFinished(async () => {
    await compose('--profile', 'tools', 'down', '--volumes', '--remove-orphans', '--timeout', '10')
  }, 120_000)

  await compose('build', '--quiet', 'label-sink')
  await compose('up', '--detach', '--wait', ...servers, ...stations)
  await compose('run', '--rm', 'ingest', '/corpus/part.jsonl')
  const winnow = (...args: string[]) => compose('run', '--rm', 'winnow', ...args)
  await winnow(...'init --run --name first --out /corpus/run.yaml --checkpoints /data/checkpoints'.split(' '))
  expect(await winnow('run', 'create', '/corpus/run.yaml')).toContain('first')
  await compose('up', '--detach', '--wait', 'stations', 'trainer')

  const late = AbortSignal.timeout(selectedMsMax)
  const said = async (service: string, line: RegExp) => {
    for (;;) {
      const log = await compose('logs', '--no-log-prefix', service)
      if (line.test(log)) return log
      if (late.aborted) throw new Error(`${service} has not said ${line}:\n${log}`)
      await sleep(2000)
    }
  }
  await said('trainer', /first\s+step\s+50\/200/)
  const log = await said('stations', /first\s+round 1 selected/)
  expect(log).toMatch(/first\s+round 0 selected 75 documents/)
}, 1_800_000)
