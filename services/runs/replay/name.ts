/** The first of NAME-replay-1, -2, ... that no run has; or NAME-shadow-1, ... */
export function freeReplayName(run: string, taken: readonly string[], what: 'replay' | 'shadow' = 'replay'): string {
  for (let n = 1; ; n++) {
    const name = `${run}-${what}-${n}`
    if (!taken.includes(name)) return name
  }
}
