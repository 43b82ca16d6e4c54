import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { startChild } from '../../../deploy/dev/child.ts'
import { choosePorts } from '../../../deploy/dev/ports.ts'
import { found } from './cluster.ts'
import { until } from './release.ts'

/** Something that is scraped, with the labels that a PodMonitor gives it. */
export interface Target {
  /** Of its /metrics. */
  readonly url: string
  readonly labels: Readonly<Record<string, string>>
}

export interface Prometheus {
  readonly address: string
  readonly user: string
  readonly password: string
  /** Scrapes these from now on, and no others. */
  scrape(targets: readonly Target[]): void
  stop(): Promise<void>
}

/** A Prometheus on loopback that asks for a login. @throws Error if it does not answer */
export async function startPrometheus(env: NodeJS.ProcessEnv, folder: string): Promise<Prometheus> {
  const own = join(folder, 'prometheus')
  mkdirSync(own, { recursive: true })
  const file = (name: string): string => join(own, name)
  const { prometheus: port } = await choosePorts(file('ports.json'), ['prometheus'])
  const [user, password] = ['keda', 'a-password-of-this-test']
  const scrape: Prometheus['scrape'] = (targets) => {
    const groups = targets.map(({ url, labels }) => ({ targets: [new URL(url).host], labels }))
    writeFileSync(file('new.json'), JSON.stringify(groups))
    renameSync(file('new.json'), file('targets.json'))
  }
  scrape([])
  const files = [{ files: [file('targets.json')], refresh_interval: '1s' }]
  writeFileSync(
    file('prometheus.yaml'),
    stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s' },
      scrape_configs: [{ job_name: 'winnow', file_sd_configs: files }],
    }),
  )
  // The hash by bcrypt of the password.
  const hash = '$2b$05$BqZju5i79Z/JI2jaUe6Wju8hl9ADrj8l6p3noQauyAfFdWF14u/V6'
  writeFileSync(file('web.yaml'), stringify({ basic_auth_users: { [user]: hash } }))
  const address = `http://127.0.0.1:${port}`
  const child = startChild(
    'prometheus',
    [
      ...[
        found(env, 'prometheus')!,
        `--config.file=${file('prometheus.yaml')}`,
        `--web.config.file=${file('web.yaml')}`,
      ],
      ...[`--web.listen-address=127.0.0.1:${port}`, `--storage.tsdb.path=${file('data')}`],
    ],
    file('prometheus.log'),
    own,
  )
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  try {
    await until(async () => {
      if (child.hasEnded()) throw new Error(`Prometheus has ended: ${file('prometheus.log')}`)
      const { status } = await fetch(`${address}/-/ready`, { headers: { authorization } })
      if (status !== 200) throw new Error(`Prometheus answers ${status}`)
    })
  } catch (error) {
    await child.stop()
    throw error
  }
  return { address, user, password, scrape, stop: () => child.stop().then(() => undefined) }
}
