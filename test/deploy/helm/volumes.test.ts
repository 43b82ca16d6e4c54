import { describe, expect, test } from 'vitest'
import { type Manifest, manifestsOf, rendered, workloadsOf } from './rendered.ts'
import { helmTools } from './tools.ts'

const { tools, missing } = await helmTools(process.env)
const workloads = (files: string[], ...set: string[]): Manifest[] =>
  workloadsOf(manifestsOf(rendered(tools!.helm, files, set)))

describe.skipIf(tools === undefined)(`volumes of the chart's pods${missing}`, () => {
  test('what is only mounted read-only is a read-only volume: otherwise Kubernetes gives its files to the pod’s group', () => {
    const claims = workloads(['strimzi-altinity', 'run-on-gpus'], 'tools.enabled=true').flatMap(({ spec }) => {
      const { containers, volumes } = spec.template.spec
      return volumes.flatMap(({ name, persistentVolumeClaim: claim }) =>
        claim === undefined
          ? []
          : [{ claim, mount: containers[0]!.volumeMounts.find((mount) => mount.name === name)! }],
      )
    })
    for (const { claim, mount } of claims) expect(claim.readOnly, mount.name).toBe(mount.readOnly)
    expect(claims.filter(({ claim }) => !claim.readOnly).map(({ mount }) => mount.name)).toEqual([
      ...['checkpoints', 'checkpoints', 'checkpoints'],
    ])
  })

  test('a pod may write as much into its own folders as defaults say, unless it says otherwise', () => {
    const limits = workloads([], 'tools={"enabled":true,"scratch":"40Gi"}', 'defaults.scratch="2Gi"').map(
      ({ metadata, spec }) => [
        metadata.labels['app.kubernetes.io/component'],
        spec.template.spec.volumes.find(({ name }) => name === 'scratch')!.emptyDir!.sizeLimit,
      ],
    )
    const others = ['labeler-domain', 'labeler-quality', 'labeler-topic', 'label-sink', 'decontamination', 'duplicates']
    expect(Object.fromEntries(limits)).toEqual({
      ...Object.fromEntries([...others, 'board'].map((name) => [name, '2Gi'])),
      tools: '40Gi',
    })
  })
})
