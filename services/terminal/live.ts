import { setTimeout as sleep } from 'node:timers/promises'

interface Keyboard {
  readonly isTTY?: boolean
  setRawMode?(on: boolean): unknown
  on(event: 'data', listener: (keys: Buffer) => void): unknown
  off(event: 'data', listener: (keys: Buffer) => void): unknown
  resume(): unknown
  pause(): unknown
}

interface Screen {
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
  on(event: 'resize', listener: () => void): unknown
  off(event: 'resize', listener: () => void): unknown
}

/** q, Q, Ctrl-C, Ctrl-D. */
const endKeys = [0x71, 0x51, 3, 4]
const redrawMs = 1000
/** Switches to the alternate screen, without a cursor; and back. */
const enter = '\x1b[?1049h\x1b[?25l'
const leave = '\x1b[?25h\x1b[?1049l'

/**
 * Draws `lines` of what `look` returns once a second, and when the terminal is resized, until q, Ctrl-C, or `signal`. However it ends, the
 * terminal is restored.
 */
export async function showLive<T>(
  { stdin, stdout, signal }: { stdin: Keyboard; stdout: Screen; signal: AbortSignal },
  look: () => Promise<T>,
  lines: (seen: T, size: { columns: number; rows: number }) => readonly string[],
): Promise<void> {
  const ended = new AbortController()
  const until = AbortSignal.any([signal, ended.signal])
  let seen: T | undefined
  const draw = () => {
    if (seen === undefined || until.aborted) return
    const size = { columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 }
    // Each line clears the rest of its line, and the last everything below: nothing flickers or remains.
    stdout.write(`\x1b[H${lines(seen, size).join('\x1b[K\r\n')}\x1b[K\x1b[J`)
  }
  // In raw mode Ctrl-C is a key like any other.
  const onKeys = (keys: Buffer) => {
    if (keys.some((key) => endKeys.includes(key))) ended.abort()
  }
  stdout.write(enter)
  stdin.setRawMode?.(true)
  stdin.on('data', onKeys)
  stdin.resume()
  stdout.on('resize', draw)
  try {
    while (!until.aborted) {
      // Polling an unreachable cluster may take long; q does not wait for it.
      const next = await Promise.race([look(), aborted(until)])
      if (next === undefined) break
      seen = next
      draw()
      await sleep(redrawMs, undefined, { signal: until }).catch(() => {})
    }
  } finally {
    stdout.off('resize', draw)
    stdin.off('data', onKeys)
    stdin.setRawMode?.(false)
    stdin.pause()
    stdout.write(leave)
  }
}

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
