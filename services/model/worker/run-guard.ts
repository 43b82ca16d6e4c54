/**
 * Keeps a process from exiting in the middle of a native call. onnxruntime-node aborts the whole process (exit code 134) if its thread is
 * stopped during a run, so the exiting thread waits for the current call, and no other begins.
 */

const running = 0
const stopping = 1

/** Longer than any single run takes; after it the process exits regardless. */
const waitMsMax = 5_000

export const guardMemory = (): SharedArrayBuffer => new SharedArrayBuffer(8)

/** The worker's side: runs `call`, unless the process is exiting; then nothing happens any more. */
export async function guarded<T>(memory: SharedArrayBuffer, call: () => Promise<T>): Promise<T> {
  const flags = new Int32Array(memory)
  // Announce first, then check: either this side sees the exit, or the other side sees the run.
  Atomics.store(flags, running, 1)
  try {
    if (Atomics.load(flags, stopping) === 1) {
      release(flags)
      return await new Promise<never>(() => undefined)
    }
    return await call()
  } finally {
    release(flags)
  }
}

function release(flags: Int32Array): void {
  Atomics.store(flags, running, 0)
  Atomics.notify(flags, running)
}

const guards = new Set<SharedArrayBuffer>()

/** The main thread's side: waits for the worker's current call when the process exits. */
export function guardExit(memory: SharedArrayBuffer): void {
  if (guards.size === 0) process.once('exit', stopAll)
  guards.add(memory)
}

export function unguardExit(memory: SharedArrayBuffer): void {
  guards.delete(memory)
  if (guards.size === 0) process.removeListener('exit', stopAll)
}

function stopAll(): void {
  for (const memory of guards) Atomics.store(new Int32Array(memory), stopping, 1)
  for (const memory of guards) Atomics.wait(new Int32Array(memory), running, 1, waitMsMax)
}
