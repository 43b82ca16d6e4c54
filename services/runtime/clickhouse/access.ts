import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '../make-folder.ts'

/**
 * What statements may do in an embedded engine, in ClickHouse's own words: tables of these engines, and nothing outside of the data
 * folder. A grant that is missing is a refusal by the engine itself: of files, addresses, other servers, object stores, databases of
 * other kinds, dictionaries, backups, functions, named collections and SYSTEM, as table function, as engine and as a table named by
 * its path.
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

// Settings that name a file or an address, or another language, which the check of statements (guard.ts) does not read.
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

/** Writes the engine's users down in its folder; gives the arguments that make it read them. */
export function accessArguments(folder: string): string[] {
  makeFolder(folder)
  const file = join(folder, 'users.xml')
  writeFileSync(file, users, { mode: 0o600 })
  // The engine looks at users_config only where it has a configuration file as well.
  return [`--config-file=${file}`, `--users_config=${file}`]
}
