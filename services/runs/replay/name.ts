/** The first of NAME-replay-1, -2, ... that no run has. */
export function freeReplayName(run: string, taken: readonly string[]): string {
  for (let n = 1; ; n++) {
    const name = `${run}-replay-${n}`
    if (!taken.includes(name)) return name
  }
}
