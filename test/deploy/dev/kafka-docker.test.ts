import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ClusterContext } from '../../../deploy/dev/context.ts'
import { brokerVariables, startDockerKafka } from '../../../deploy/dev/kafka-docker.ts'

let folder: string
let context: ClusterContext
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-docker-'))
  context = {
    stateFolder: join(folder, 'cluster'),
    fresh: false,
    env: { PATH: `${folder}:/usr/bin:/bin` },
    log: pino({ level: 'silent' }),
    progress: () => undefined,
    remember: () => undefined,
    signal: undefined,
    onFailure: () => undefined,
  }
  mkdirSync(context.stateFolder)
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A command of that name which writes down how it is called and then does what `script` says. */
function docker(script: string): () => string[] {
  const calls = join(folder, 'calls')
  writeFileSync(join(folder, 'docker'), `#!/bin/sh\necho "$@" >> ${calls}\n${script}\n`)
  chmodSync(join(folder, 'docker'), 0o755)
  return () => readFileSync(calls, 'utf8').trim().split('\n')
}

test('the broker of a container reaches itself where it listens, and clients where the port is published', () => {
  const { KAFKA_INTER_BROKER_LISTENER_NAME: own, ...variables } = brokerVariables('127.0.0.1:40001', 'id')
  const addresses = (list: string) => new Map(list.split(',').map((one) => one.split('://') as [string, string]))
  const advertised = addresses(variables.KAFKA_ADVERTISED_LISTENERS!)
  const listening = addresses(variables.KAFKA_LISTENERS!)
  expect(advertised.get('PLAINTEXT')).toBe('127.0.0.1:40001')
  expect(advertised.get(own!)).toBe(listening.get(own!))
  expect(variables.KAFKA_CONTROLLER_QUORUM_VOTERS).toBe(`1@${listening.get('CONTROLLER')}`)
  const secured = variables.KAFKA_LISTENER_SECURITY_PROTOCOL_MAP!.split(',').map((one) => one.split(':')[0])
  expect(secured.sort()).toEqual([...listening.keys()].sort())
})

test('no container is tried if no engine answers', async () => {
  const calls = docker('exit 1')
  expect(await startDockerKafka(context)).toBeUndefined()
  expect(calls()).toEqual(['version'])
})

test('an engine that cannot fetch an image is passed over', async () => {
  const calls = docker('case "$1" in version) exit 0;; *) exit 1;; esac')
  expect(await startDockerKafka(context)).toBeUndefined()
  expect(calls().at(-1)).toMatch(/^pull -q apache\/kafka-native:/)
})

test('containers publish ports on loopback only, are removed when they stop, and keep their state in volumes', async () => {
  const calls = docker('case "$1" in run) echo no space left; exit 125;; esac')
  await expect(startDockerKafka(context)).rejects.toThrow(/ended while starting:\nno space left/)
  const runs = calls().filter((call) => call.startsWith('run'))
  expect(runs).toHaveLength(2)
  for (const run of runs) {
    expect(run).toMatch(/^run --rm --init --name (winnow-\w+-\w+) --user 0 -p 127\.0\.0\.1:\d+:\d+ -v \1:\//)
    expect(run.match(/ -p /g)).toHaveLength(1)
  }
  expect(calls().some((call) => call.startsWith('volume'))).toBe(false)
})

test('a start that is aborted ends both, and removes their containers', async () => {
  const stopped = new AbortController()
  const calls = docker('[ "$1" != run ] || exec sleep 60')
  const remembered: number[] = []
  const starting = startDockerKafka({
    ...context,
    signal: stopped.signal,
    remember: ({ pid }) => {
      remembered.push(pid)
      if (remembered.length === 2) setTimeout(() => stopped.abort(), 300)
    },
  })
  await expect(starting).rejects.toThrow(/abort/)
  expect(remembered.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([])
  const removed = calls().findLast((call) => call.startsWith('rm'))
  expect(calls().at(-1)).toBe(removed)
  expect(removed).toMatch(/^rm --force --volumes winnow-\w+-kafka winnow-\w+-registry$/)
})

test('a fresh start removes the volumes before it runs anything', async () => {
  const calls = docker('[ "$1" != run ]')
  await expect(startDockerKafka({ ...context, fresh: true })).rejects.toMatchObject({ code: 'UNREACHABLE' })
  const kinds = calls().map((call) => call.split(' ')[0])
  expect(kinds.indexOf('volume')).toBeGreaterThan(0)
  expect(kinds.indexOf('volume')).toBeLessThan(kinds.indexOf('run'))
})
