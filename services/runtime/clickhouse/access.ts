import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '../make-folder.ts'

/**
 * What statements may do in an embedded engine, as ClickHouse grants: use tables of these engines, and nothing outside the data folder.
 * Whatever is not granted, the engine itself refuses: files, URLs, other servers, object stores, other kinds of databases, dictionaries,
 * backups, functions, named collections and SYSTEM, whether as table function, as engine or as a table named by its path.
 */
const grants = [
  'GRANT SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP, TRUNCATE, OPTIMIZE ON *.*',
  'GRANT TABLE ENGINE ON Memory',
  'GRANT TABLE ENGINE ON MergeTree',
  'GRANT TABLE ENGINE ON ReplacingMergeTree',
  'GRANT TABLE ENGINE ON AggregatingMergeTree',
  // The engine of `CREATE DATABASE`.
  'GRANT TABLE ENGINE ON Atomic',
]

// Settings that name a file or a URL, or switch to another SQL dialect, which the check of statements (guard.ts) cannot parse.
const constantSettings = [
  'allow_experimental_eval_table_function',
  'allow_python_table_function',
  'dialect',
  'format_avro_schema_registry_url',
  'format_schema',
  'format_schema_source',
  'input_format_record_errors_file_path',
  'output_format_schema',
  'url_base',
]

const users = `<clickhouse>
  <profiles><default><constraints>
    ${constantSettings.map((name) => `<${name}><const/></${name}>`).join('\n    ')}
  </constraints></default></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    <grants>
      ${grants.map((grant) => `<query>${grant}</query>`).join('\n      ')}
    </grants>
  </default></users>
</clickhouse>
`

/** Writes the engine's users file into its folder; returns the arguments that make the engine read it. */
export function accessArguments(folder: string): string[] {
  makeFolder(folder)
  const file = join(folder, 'users.xml')
  writeFileSync(file, users, { mode: 0o600 })
  // The engine reads users_config only if there is a configuration file too.
  return [`--config-file=${file}`, `--users_config=${file}`]
}
