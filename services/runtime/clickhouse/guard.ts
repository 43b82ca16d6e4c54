// A literal, a comment or a quoted identifier; or a mark that starts something this parser would read differently from the engine: other
// comments (#), typographic quotes, heredocs ($tag$), backslashes, bytes that end a text.
// biome-ignore format: one alternative a line
const lexeme = new RegExp([
  `(?<blank>'[^'\\\\]*(?:(?:\\\\[^]|'')[^'\\\\]*)*'|--[^\\n]*|/\\*[^]*?\\*/)`,
  '(?<name>`[^`\\\\]*`|"[^"\\\\]*")',
  `(?<strange>['"\`#\\\\\\u2018\\u2019\\u201c\\u201d\\0]|/\\*|\\$\\w*\\$)`,
].join('|'), 'g')

// The engine gives these to everybody regardless of grants: they read and write files with the rights of this process.
const words = /(?<![\w$])(file|infile|outfile|executable|eval|python|catboostEvaluate)(?![\w$])/i

const identifier = '(?:\\w+|`[^`\\\\]+`|"[^"\\\\]+")'
/** An insert followed by its rows. Strict, so that nothing the engine reads as a statement is taken for rows. */
const insertOfRows = new RegExp(
  `^\\s*INSERT\\s+INTO\\s+(?:TABLE\\s+)?${identifier}(?:\\.${identifier})?\\s*(?:\\(\\s*${identifier}(?:\\s*,\\s*${identifier})*\\s*\\)\\s*)?FORMAT\\s+(?!Values)\\w+(?:\\s|$)`,
  'i',
)

/**
 * Refuses a request with more than one statement, or with one that would read or write a file beside the data folder. Grants (access.ts) cover
 * the rest; what they cannot refuse is the function `file`, INTO OUTFILE, FROM INFILE and the like, however quoted, called, or passed by name
 * to another function.
 * @throws Error as the engine's, with ClickHouse's code
 */
export function checkStatement(sql: string): void {
  const insert = insertOfRows.exec(sql)
  if (insert !== null) {
    // The engine takes what follows a blank line as the next statement.
    if (/\n[ \t\r]*\n\s*\S/.test(sql.slice(insert[0].length - 1).trimEnd()))
      throw refusal(62, 'rows after a blank line are not read here', 'SYNTAX_ERROR')
    return
  }
  const code = sql.replace(lexeme, (_text, _blank, _name, _strange, _at, _whole, groups: Record<string, string>) => {
    if (groups.strange !== undefined)
      throw refusal(62, `${JSON.stringify(groups.strange)} is not read here outside of quotes`, 'SYNTAX_ERROR')
    return groups.name ?? " '' "
  })
  const word = words.exec(code)?.[1]
  if (word !== undefined)
    throw refusal(
      497,
      `${word} is not allowed: statements see nothing but the tables of this database`,
      'ACCESS_DENIED',
    )
  if (/;\s*[^\s;]/.test(code.replaceAll(" '' ", ' '))) throw refusal(62, 'one statement a request', 'SYNTAX_ERROR')
  if (/^[\s('"]*(SET|USE)\s/i.test(code.replaceAll(" '' ", ' ')))
    throw refusal(62, 'settings and the database go with each request', 'SYNTAX_ERROR')
}

const refusal = (code: number, what: string, name: string): Error =>
  new Error(`Code: ${code}. DB::Exception: The embedded ClickHouse: ${what}. (${name})`)
