// Writes the reference of winnow.yaml and run.yaml, their JSON Schemas and what the chart has of them: node deploy/tools/publish-config-reference.ts
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configReference } from './config-reference.ts'
import './publish-helm.ts'

for (const [file, text] of Object.entries(configReference())) {
  const path = fileURLToPath(new URL(`../../docs/${file}`, import.meta.url))
  writeFileSync(path, text)
  console.log(path)
}
