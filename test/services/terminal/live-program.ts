import { setTimeout as sleep } from 'node:timers/promises'
import { showLive } from '../../../services/terminal/live.ts'

// Shows how often it has looked, and how large the terminal is; a look that fails comes with FAIL=1.
let looks = 0
await showLive(
  { stdin: process.stdin, stdout: process.stdout, signal: new AbortController().signal },
  async () => {
    await sleep(10)
    looks++
    if (process.env.FAIL !== undefined && looks === 2) throw new Error('away')
    return looks
  },
  (seen, { columns, rows }) => [`look ${seen}`, `${columns} x ${rows}`],
)
