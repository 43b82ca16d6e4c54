export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** What pytest's JUnit XML counts. Errors are failures: of fixtures, and of files that did not load. */
export function countsOf(junit: string): Counts {
  const suite = /<testsuite [^>]*>/.exec(junit)?.[0] ?? ''
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? 0)
  const [failed, skipped] = [count('failures') + count('errors'), count('skipped')]
  return { passed: count('tests') - failed - skipped, failed, skipped }
}
