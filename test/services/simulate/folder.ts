import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { type SimulateSummary, simulate } from '../../../services/simulate/simulate.ts'

export const silent = pino({ level: 'silent' })

export const jsonLines = (records: readonly unknown[]) =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('')

export interface Inputs {
  labels: string | Buffer
  rewards: string | Buffer
  config: unknown
  positions?: string
}

/** A temporary folder with the inputs of a simulation; results under `out`. */
export class SimulationFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'winnow-simulate-'))
  readonly out = join(this.path, 'out')

  file(name: string): string {
    return join(this.path, name)
  }

  async run(inputs: Inputs, names: { labels?: string; rewards?: string } = {}): Promise<SimulateSummary> {
    const labels = this.file(names.labels ?? 'L.jsonl')
    const rewards = this.file(names.rewards ?? 'R.jsonl')
    writeFileSync(labels, inputs.labels)
    writeFileSync(rewards, inputs.rewards)
    writeFileSync(
      this.file('C.json'),
      typeof inputs.config === 'string' ? inputs.config : JSON.stringify(inputs.config),
    )
    if (inputs.positions !== undefined) writeFileSync(this.file('P.jsonl'), inputs.positions)
    const positions = inputs.positions === undefined ? undefined : this.file('P.jsonl')
    return await simulate({ labels, rewards, config: this.file('C.json'), positions, out: this.out }, silent)
  }

  text(name: string): string {
    return readFileSync(join(this.out, name), 'utf8')
  }

  // biome-ignore lint/suspicious/noExplicitAny: results are looked into by their tests.
  records(name: string): any[] {
    return this.text(name)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  }

  ids(round: number): string[] {
    return this.text(`selection-${round}.txt`)
      .split('\n')
      .filter((line) => line !== '')
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
