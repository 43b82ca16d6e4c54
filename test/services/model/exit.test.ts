import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

describe('a process that ends while a graph runs', () => {
  it.each([1, 80, 150])('exits with its own exit code, %d ms into training', async (wait) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'ends-midway.ts'), String(wait)], {
      stdio: 'ignore',
    })
    expect(await once(child, 'exit')).toEqual([7, null])
  })
})
