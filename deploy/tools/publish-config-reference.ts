// Writes the reference of winnow.yaml and run.yaml and their JSON Schemas into docs/: node deploy/tools/publish-config-reference.ts
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configReference } from './config-reference.ts'

for (const [file, text] of Object.entries(configReference())) {
  const path = fileURLToPath(new URL(`../../docs/${file}`, import.meta.url))
  writeFileSync(path, text)
  console.log(path)
}
