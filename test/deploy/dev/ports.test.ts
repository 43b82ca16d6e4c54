import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { choosePorts } from '../../../deploy/dev/ports.ts'

const names = ['a', 'b', 'c'] as const
let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-ports-'))
  file = join(folder, 'ports.json')
})
afterEach(() => rmSync(folder, { recursive: true }))

const taken = (port: number): Promise<Server> =>
  new Promise((resolve) => {
    const server: Server = createServer().listen(port, '127.0.0.1', () => resolve(server))
  })

test('ports are distinct, and the same at the next start', async () => {
  const ports = await choosePorts(file, names)
  expect(new Set(Object.values(ports)).size).toBe(3)
  expect(await choosePorts(file, names)).toEqual(ports)
})

test('a port that is taken is replaced by another, which is recorded', async () => {
  const ports = await choosePorts(file, names)
  const server = await taken(ports.b)
  const others = await choosePorts(file, names)
  server.close()
  expect(others.b).not.toBe(ports.b)
  expect(await choosePorts(file, names)).toEqual(others)
})

test('an unreadable record of ports is ignored', async () => {
  writeFileSync(file, '{"a": 1')
  expect(Object.keys(await choosePorts(file, names))).toEqual(['a', 'b', 'c'])
})
