import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { helmFiles } from '../../../deploy/tools/helm-files.ts'
import { environment } from '../../../services/config/environment.ts'
import { loadConfig } from '../../../services/config/load.ts'
import { called } from '../../support/called.ts'
import { blocksFor } from '../../support/documents.ts'
import { cases } from './cases.ts'
import { chart, type Manifest, manifestsOf, ofKind, rendered, selects, valuesFile, workloadsOf } from './rendered.ts'
import { judgeFor } from './schemas.ts'
import { helmTools, kubernetesVersions } from './tools.ts'

const read = (file: string): string => readFileSync(join(chart, file), 'utf8')
const { version } = JSON.parse(read('../../../package.json')) as { version: string }

test('the chart has the version of the program', () => {
  expect(parse(read('Chart.yaml'))).toMatchObject({ version, appVersion: version })
})

test.each(Object.entries(helmFiles()))('%s is as deploy/tools/publish-helm.ts writes it', (file, text) => {
  expect(read(file)).toBe(text)
})

const { tools, missing } = await helmTools(process.env)
const folder = mkdtempSync(join(tmpdir(), 'winnow-chart-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const manifests = new Map<string, Manifest[]>()
if (tools !== undefined)
  for (const { name, files, set } of cases) manifests.set(name, manifestsOf(rendered(tools.helm, files, set)))
const each = cases.map(({ name }) => name)
const of = (name: string): Manifest[] => manifests.get(name)!
const named = (name: string, workload: string): Manifest =>
  workloadsOf(of(name)).find(({ metadata }) => metadata.name.startsWith(`winnow-${workload}`))!
const helm = (...args: string[]): string => execFileSync(tools!.helm, args, { encoding: 'utf8', stdio: 'pipe' })
const render = (...set: string[]): Manifest[] => manifestsOf(rendered(tools!.helm, [], set))

describe.skipIf(tools === undefined)(`the chart${missing}`, () => {
  test.each(cases)('helm lint has nothing to say: $name', ({ files, set }) => {
    const values = [
      ...files.flatMap((name) => ['--values', valuesFile(name)]),
      ...set.flatMap((one) => ['--set-json', one]),
    ]
    expect(helm('lint', '--strict', chart, ...values)).toContain('0 chart(s) failed')
  })

  test.each(['defaults', 'run-on-gpus'])('renders what was agreed on: %s', async (name) => {
    const { files } = cases.find((one) => one.name === name)!
    await expect(rendered(tools!.helm, files)).toMatchFileSnapshot(`golden/${name}.yaml`)
  })

  for (const kubernetes of kubernetesVersions) {
    const judge = tools && judgeFor(tools, kubernetes)
    test.each(each)(`every manifest is one that Kubernetes ${kubernetes} knows to the last field: %s`, async (name) => {
      for (const manifest of of(name))
        expect(await judge!(manifest), `${manifest.kind} ${manifest.metadata.name}`).toEqual([])
    })
    test(`a field that Kubernetes ${kubernetes} does not know would be found, and one of an operator that is of another type`, async () => {
      const broken = structuredClone(named('run-on-gpus', 'label-sink')) as unknown as {
        spec: { template: { spec: { containers: Record<string, unknown>[] } } }
      }
      broken.spec.template.spec.containers[0]!.readinesProbe = {}
      expect((await judge!(broken as unknown as Manifest)).join()).toContain('readinesProbe')
      const [scaled] = structuredClone(ofKind(of('run-on-gpus'), 'ScaledObject'))
      ;(scaled!.spec as Record<string, unknown>).maxReplicaCount = 'many'
      expect((await judge!(scaled!)).join()).toContain('maxReplicaCount')
    })
  }

  test.each(each)('every key that it writes into winnow.yaml is one of the schema of winnow.yaml: %s', (name) => {
    const files = ofKind(of(name), 'ConfigMap')
    expect(files.length).toBe(workloadsOf(of(name)).length)
    for (const { data, metadata } of files) {
      const file = join(folder, `${metadata.name}.yaml`)
      writeFileSync(file, data!['winnow.yaml'])
      const { metrics, kafka } = loadConfig({ file, env: {} })
      expect([metrics.port, metrics.host]).toEqual([9464, '0.0.0.0'])
      expect(kafka.brokers.length).toBeGreaterThan(0)
    }
  })

  test.each(each)('every service runs a command that winnow has, and is given variables that it reads: %s', (name) => {
    const secrets = ['KAFKA_PASSWORD', 'KAFKA_TOKEN', 'REGISTRY_PASSWORD', 'CLICKHOUSE_PASSWORD']
    const variables = [...Object.keys(environment), ...secrets.map((secret) => `WINNOW_${secret}_FILE`)]
    for (const { spec } of workloadsOf(of(name))) {
      const [container] = spec.template.spec.containers
      const { command, options, missing } = called(container!.args)
      expect(command.commands).toEqual([])
      for (const option of options) expect(command.options.map(({ long }) => long)).toContain(option)
      expect(missing).toEqual([])
      for (const { name, value } of container!.env ?? []) {
        expect([...variables, 'WINNOW_BOARD_TOKEN', 'NODE_EXTRA_CA_CERTS', 'HOME']).toContain(name)
        // A secret is a reference, or a file of a mounted one.
        if (/PASSWORD|TOKEN/.test(name)) expect(value ?? '/etc/winnow-secrets/').toContain('/etc/winnow-secrets/')
      }
    }
  })

  test.each(each)('no pod has more rights than it needs: %s', (name) => {
    for (const { spec } of workloadsOf(of(name))) {
      const pod = spec.template.spec
      expect(pod.automountServiceAccountToken).toBe(false)
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      })
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
        const writable = container.volumeMounts
          .filter(({ readOnly }) => readOnly !== true)
          .map(({ mountPath }) => mountPath)
        const trains = container.args.includes('trainer')
        expect(writable).toEqual(['/tmp', '/data', ...(trains ? ['/checkpoints'] : [])])
        expect(pod.volumes.map((volume) => volume.name)).toEqual([
          ...new Set(container.volumeMounts.map((mount) => mount.name)),
        ])
      }
    }
  })

  test.each(each)('every pod is asked whether it lives and whether it is ready, and has time to drain: %s', (name) => {
    for (const { spec } of workloadsOf(of(name))) {
      const [container] = spec.template.spec.containers
      const port = container!.ports[0]!.name
      expect(container!.livenessProbe.httpGet).toEqual({ path: '/livez', port })
      expect(container!.readinessProbe.httpGet).toEqual({ path: '/readyz', port })
      expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(16)
    }
  })

  test.each(each)('selectors select their own pods and no others: %s', (name) => {
    const pods = workloadsOf(of(name)).map(({ metadata, spec }) => ({
      name: metadata.name,
      labels: spec.template.metadata.labels,
    }))
    const selected = (selector: Record<string, string>) =>
      pods.filter(({ labels }) => selects(selector, labels)).map((pod) => pod.name)
    for (const { metadata, spec } of ofKind(of(name), 'Deployment', 'PodDisruptionBudget'))
      expect(selected(spec.selector.matchLabels)).toEqual([metadata.name])
    for (const { spec } of ofKind(of(name), 'Service'))
      expect(selected(spec.selector as never)).toEqual(['winnow-board'])
    for (const { spec } of ofKind(of(name), 'NetworkPolicy'))
      expect(selected((spec.podSelector as { matchLabels: Record<string, string> }).matchLabels)).toEqual(
        pods.map((pod) => pod.name),
      )
    for (const { spec } of ofKind(of(name), 'ScaledObject')) {
      const target = named(name, (spec.scaleTargetRef as { name: string }).name.replace('winnow-', ''))
      // Two that set the number of replicas would fight.
      expect(target.spec.replicas).toBeUndefined()
    }
    const budgets = ofKind(of(name), 'PodDisruptionBudget').map(({ metadata }) => metadata.name)
    expect(budgets.sort()).toEqual(
      ofKind(of(name), 'Deployment')
        .map(({ metadata }) => metadata.name)
        .sort(),
    )
  })

  test('every actor has a labeler: those that none is named for have one of their own', () => {
    const actorsOf = (all: Manifest[]) =>
      ofKind(all, 'Deployment')
        .map(({ spec }) => spec.template.spec.containers[0]!.args)
        .filter((args) => args[1] === 'labeler')
        .map((args) => args.slice(3, args.indexOf('--config')))
    const own = loadConfig({ env: {}, folder }).actors.map(({ name }) => [name])
    expect(actorsOf(of('defaults'))).toEqual(own.sort())
    expect(actorsOf(of('run-on-gpus'))).toEqual([['domain', 'topic'], ['quality']])
  })

  test('a run has one console, whose process leaves rewards to workers of their own where there are some', () => {
    const stations = named('run-on-gpus', 'stations-pretraining-3')
    expect(stations.spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } })
    const configOf = (name: string) => {
      const found = ofKind(of('run-on-gpus'), 'ConfigMap').find(({ metadata }) => metadata.name === name)!
      return parse(found.data!['winnow.yaml']) as { influence?: object }
    }
    expect(configOf('winnow-stations-pretraining-3').influence).toEqual({ workers: 0 })
    expect(configOf('winnow-influence-pretraining-3').influence).toEqual({ device: 'cuda' })
    expect(configOf('winnow-stations-pretraining-3-control').influence).toBeUndefined()
    const worker = named('run-on-gpus', 'influence-pretraining-3').spec
    expect(worker.replicas).toBe(4)
    expect(worker.template.spec).toMatchObject({
      nodeSelector: { 'nvidia.com/gpu.present': 'true' },
      tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
      containers: [{ image: `winnow-cuda:${version}`, resources: { limits: { 'nvidia.com/gpu': 1 } } }],
    })
  })

  test('the lag that labelers are scaled by is that of their own stations', () => {
    const queries = ofKind(of('run-on-gpus'), 'ScaledObject').map(({ metadata, spec }) => {
      const [trigger] = spec.triggers as { metadata: { query: string; threshold: string } }[]
      return [metadata.name, /\{(.*)\}/.exec(trigger!.metadata.query)![1], trigger!.metadata.threshold]
    })
    expect(queries).toEqual([
      ['winnow-labeler-encoder', 'namespace="pretraining",station=~"labeler (quality)",run=""', '20000'],
      ['winnow-label-sink', 'namespace="pretraining",station=~"label sink",run=""', '100000'],
    ])
  })

  test('influence workers scaled by lag are at most as many as requests have partitions where run.yaml says nothing, and ask as KEDA is told to log in', () => {
    const all = render(
      ...['storage.checkpoints.existingClaim="checkpoints"', 'keda.authenticationRef="prometheus"'],
      ...['keda.authModes="basic"', 'runs={"first":{"influence":{"autoscaling":{"enabled":true}}}}'],
    )
    const [{ spec }, ...others] = ofKind(all, 'ScaledObject') as [Manifest, ...Manifest[]]
    expect(others).toEqual([])
    // As createRunTopics makes them.
    expect(spec.maxReplicaCount).toBe(4)
    expect(spec.triggers).toMatchObject([
      { authenticationRef: { name: 'prometheus' }, metadata: { authModes: 'basic', threshold: '20000' } },
    ])
  })

  test('a Job has another name if it would be another one, since Kubernetes lets nobody change it', () => {
    const nameOf = (...set: string[]) => {
      const all = render('ingest.mode="job"', 'storage.corpus.existingClaim="corpus"', ...set)
      return ofKind(all, 'Job')[0]!.metadata.name
    }
    const name = nameOf()
    expect(name).toMatch(/^winnow-ingest-[0-9a-f]{8}$/)
    expect(nameOf('labelSink.replicas=3')).toBe(name)
    expect(nameOf('image.tag="0.2.0"')).not.toBe(name)
    expect(nameOf('ingest.paths=["/corpus/more"]')).not.toBe(name)
    expect(nameOf('defaults.podLabels={"team":"data"}')).not.toBe(name)
    // A chart of the same version whose templates are others, as from one commit to the next.
    for (const [word, other] of [
      ['path: /livez', 'path: /healthz'],
      ['backoffLimit: 100', 'backoffLimit: 99'],
    ] as const) {
      const changed = mkdtempSync(join(folder, 'chart-'))
      cpSync(chart, changed, { recursive: true })
      const template = join(changed, 'templates/_pod.tpl')
      writeFileSync(template, readFileSync(template, 'utf8').replace(word, other))
      const set = ['ingest.mode="job"', 'storage.corpus.existingClaim="corpus"'].flatMap((one) => ['--set-json', one])
      const [job] = ofKind(manifestsOf(helm('template', 'winnow', changed, ...set)), 'Job')
      expect(job!.metadata.name).not.toBe(name)
    }
  })

  test.each([
    ['is told to end, and ends with 0, has not done its work', 'SIGTERM', 0, 143],
    ['is told to end, and fails, fails so', 'SIGTERM', 5, 5],
    ['is done ends with 0', undefined, 0, 0],
    ['fails ends with its code', undefined, 3, 3],
  ] as const)('a Job whose program %s', async (_, signal, code, ends) => {
    const all = manifestsOf(rendered(tools!.helm, [], ['ingest.mode="job"', 'storage.corpus.existingClaim="corpus"']))
    const [container] = ofKind(all, 'Job')[0]!.spec.template.spec.containers as unknown as { command: string[] }[]
    const program = join(mkdtempSync(join(folder, 'program-')), 'program.mjs')
    const runs = signal
      ? `setInterval(() => {}, 1000); process.on('${signal}', () => process.exit(${code}))`
      : `process.exitCode = ${code}`
    writeFileSync(program, `${runs}; console.log(process.argv.slice(2).join())`)
    const [shell, ...rest] = container!.command.map((word) => word.replace('/app/deploy/bin.mjs', program))
    const child = spawn(shell!, [...rest, 'run', 'trainer'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    expect(String(said)).toBe('run,trainer\n')
    if (signal) child.kill(signal)
    expect((await once(child, 'exit'))[0]).toBe(ends)
  })

  test('everything that several can share has as many replicas as defaults say, unless it says otherwise', () => {
    const replicas = Object.fromEntries(
      ofKind(of('strimzi-altinity'), 'Deployment').map(({ metadata, spec }) => [metadata.name, spec.replicas]),
    )
    const two = ['labeler-domain', 'labeler-quality', 'labeler-topic', 'label-sink', 'decontamination', 'duplicates']
    const shared = Object.fromEntries(two.map((name) => [`winnow-${name}`, 2]))
    expect(replicas).toEqual({ ...shared, 'winnow-board': 1 })
    const [sink] = ofKind(render('defaults.replicas=2', 'labelSink.replicas=3'), 'Deployment').filter(
      ({ metadata }) => metadata.name === 'winnow-label-sink',
    )
    expect(sink!.spec.replicas).toBe(3)
  })

  test('releases have names and labels that Kubernetes takes, whatever they are called, and two that differ late have their own', () => {
    const namesOf = (release: string): string[] => {
      const all = manifestsOf(helm('template', release, chart))
      for (const { metadata } of all) expect(metadata.labels['app.kubernetes.io/instance']).toBe(release)
      for (const { spec } of ofKind(all, 'Deployment'))
        expect(spec.selector.matchLabels['app.kubernetes.io/instance']).toBe(release)
      // Stricter than those of other objects.
      for (const { metadata } of ofKind(all, 'Service'))
        expect(metadata.name).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/)
      return all.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    }
    for (const release of ['2026', '1e3', '0x10', 'true', 'null', 'v1.2', '2winnow']) namesOf(release)
    const first = namesOf('pretraining-of-a-large-model-one')
    for (const name of namesOf('pretraining-of-a-large-model-two')) expect(first).not.toContain(name)
  })

  test('a variable that values set is there once, whoever else sets it: Kubernetes refuses it twice', () => {
    const names = ['HOME', 'WINNOW_CLICKHOUSE_PASSWORD_FILE', 'WINNOW_METRICS_TOKEN', 'WINNOW_BOARD_TOKEN']
    const own = [...names, 'WINNOW_CORPUS_ENCRYPTION', 'OTHER'].map((name) => ({ name, value: 'mine' }))
    const keys = 'secrets.masterKeys={"name":"winnow-keys","key":"master-keys.json"}'
    const set = [`defaults.env=${JSON.stringify(own)}`, keys]
    for (const { spec } of workloadsOf(manifestsOf(rendered(tools!.helm, ['managed'], set)))) {
      const env = spec.template.spec.containers[0]!.env!
      expect(new Set(env.map(({ name }) => name)).size).toBe(env.length)
      expect(env).toEqual(expect.arrayContaining(own))
    }
  })

  test('the pod for commands has every folder, checkpoints to write, all secrets, and nothing that asks it whether it lives', () => {
    const storage = ['models', 'corpus', 'checkpoints'].map((name) => `storage.${name}.existingClaim="${name}"`)
    const all = manifestsOf(rendered(tools!.helm, ['managed'], [...storage, 'tools.enabled=true']))
    const [{ spec }] = ofKind(all, 'Deployment').filter(({ metadata }) => metadata.name === 'winnow-tools') as [
      Manifest,
    ]
    const [container] = spec.template.spec.containers
    const mounts = container!.volumeMounts.map(({ mountPath, readOnly }) => [mountPath, readOnly ?? false])
    expect(Object.fromEntries(mounts)).toEqual({
      ...{ '/etc/winnow': true, '/etc/winnow-secrets': true, '/models': true, '/corpus': true },
      ...{ '/checkpoints': false, '/tmp': false, '/data': false },
    })
    expect(container).not.toHaveProperty('livenessProbe')
    expect(container).not.toHaveProperty('ports')
    expect(container!.env!.map(({ name }) => name)).toContain('WINNOW_CLICKHOUSE_PASSWORD_FILE')
  })

  test('a run with a long name, and two that differ late, have objects of their own with names that Kubernetes takes', () => {
    const names = ['a', 'b'].map((last) => `${'very-'.repeat(11)}${last}`)
    const runs = JSON.stringify(Object.fromEntries(names.map((name) => [name, {}])))
    const all = render(`runs=${runs}`, 'storage.checkpoints.size="1Gi"')
    const made = workloadsOf(all).map(({ metadata }) => metadata.name)
    expect(new Set(made).size).toBe(made.length)
    for (const { metadata } of all) {
      expect(metadata.name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
      for (const value of Object.values(metadata.labels)) expect(value.length).toBeLessThan(64)
    }
    const asked = workloadsOf(all).map(({ spec }) => spec.template.spec.containers[0]!.args.join(' '))
    for (const name of names) expect(asked).toContain(`run stations --run ${name} --config /etc/winnow/winnow.yaml`)
  })

  test('every pod that reads texts has the file of master keys, of its own group alone, and sees the Secret change', () => {
    const variable = 'WINNOW_CORPUS_ENCRYPTION'
    for (const { metadata, spec } of workloadsOf(of('encrypted texts'))) {
      const { containers, volumes } = spec.template.spec
      const [{ env, volumeMounts }] = containers as [(typeof containers)[number]]
      const named = env?.find(({ name }) => name === variable)?.value
      const mount = volumeMounts.find(({ name }) => name === 'master-keys')
      const volume = volumes.find(({ name }) => name === 'master-keys')
      if (metadata.name === 'winnow-label-sink') {
        expect([named, mount, volume]).toEqual([undefined, undefined, undefined])
        continue
      }
      expect(named, metadata.name).toBe('/etc/winnow-keys/master-keys.json')
      // Kubernetes never updates what is mounted by a subPath.
      expect(mount).toEqual({ name: 'master-keys', mountPath: '/etc/winnow-keys', readOnly: true })
      expect(volume).toEqual({
        name: 'master-keys',
        secret: {
          // Written 0440, which is octal in YAML 1.1, as Kubernetes reads it, and not in 1.2, as this test does.
          ...{ secretName: 'winnow-keys', defaultMode: 440 },
          items: [{ key: 'master-keys.json', path: 'master-keys.json' }],
        },
      })
    }
    expect(JSON.stringify(of('run-on-gpus'))).not.toContain(variable)
  })

  test.each([
    [
      'config.metrics={"token":"a-secret-in-a-config-map"}',
      "/config/metrics': additional properties 'token' not allowed",
    ],
    ['config.kafka.brokerz=[]', "additional properties 'brokerz' not allowed"],
    ['labelSink.replica=2', "additional properties 'replica' not allowed"],
    ['labelers={"one":{"actors":["topik"]}}', 'labelers.one: config.actors has no topik'],
    ['labelers={"a":{"actors":["topic"]},"b":{"actors":["topic"]}}', 'another labeler has the actor topic too'],
    ['labelers={"a":{"actors":["topic"],"replicas":17}}', '17 replicas share config.corpus.partitions'],
    ['labelSink.autoscaling={"enabled":true,"max":17}', 'label-sink: 17 replicas share config.corpus.partitions'],
    ['labelSink.autoscaling={"enabled":true,"min":9}', 'label-sink: autoscaling.min is above autoscaling.max, 8'],
    ['runs={"first":{}}', 'set storage.checkpoints.existingClaim or size'],
    ['ingest.mode="job"', 'set storage.corpus.existingClaim'],
    ['networkPolicy.enabled=false', 'metrics would be open to everybody'],
  ])('refuses %s, and says what is wrong', (set, message) => {
    expect(() => render(set)).toThrow(message)
  })

  test.each(blocksFor('deploy/helm/winnow'))('the commands that documents give work: $file:$line', ({ text }) => {
    const env = { ...process.env, PATH: `${join(tools!.helm, '..')}:${process.env.PATH}` }
    expect(
      execFileSync('bash', ['-euo', 'pipefail', '-c', text], { cwd: join(chart, '../../..'), env, encoding: 'utf8' }),
    ).not.toBe('')
  })
})
