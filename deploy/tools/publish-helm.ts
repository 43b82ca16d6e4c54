// Writes what the chart in deploy/helm has from elsewhere: node deploy/tools/publish-helm.ts
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { helmFiles } from './helm-files.ts'

for (const [file, text] of Object.entries(helmFiles())) {
  const path = fileURLToPath(new URL(`../helm/winnow/${file}`, import.meta.url))
  writeFileSync(path, text)
  console.log(path)
}
