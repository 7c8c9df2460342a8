/**
 * The text form of filters (contract, "Filter"), a subset of SQL:
 *   or   = and {"or" and}     and = not {"and" not}     not = ["not"] (test | "(" or ")")
 *   test = column ( ("="|"<>"|"!="|"<"|"<="|">"|">=") literal | "is" ["not"] "null" | ["not"] "in" "(" literal {"," literal} ")"
 *        | ["not"] "between" literal "and" literal | ["not"] "like" 'text with % and _' )
 *   column = [A-Za-z_][A-Za-z0-9_]* {"." same} | '"' any, "" escapes '"'     literal = number | 'text', '' escapes | true | false
 * Every error is `invalid-filter`: the character at which it is, what is wrong, what would be right. Bounded by text, tests and depth.
 */
import { utf8 } from '../kernel/bytes.ts'
import { SluiceError } from '../kernel/errors.ts'
import { limits } from '../kernel/limits.ts'
import {
  type Bound,
  type ColumnRef,
  compareLiterals,
  type Filter,
  type FilterColumn,
  type Literal,
  type Range,
} from './filter.ts'
import { type LiteralText, likePattern, literalOf } from './filter-literal.ts'
import { quoted, suggestion } from './nearest.ts'
import { printType } from './type-text.ts'

/** Literals take the types of the columns that they stand beside. Names are matched exactly, keywords in any case. */
export function parseFilter(text: string, columns: readonly FilterColumn[]): Filter {
  const source: Source = { text, columns, at: 0, tests: 0 }
  checkText(source)
  const filter = readOr(source, 0)
  if (here(source) < text.length) throw problem(source, `${shown(source)} is one too many; tests are joined by and, or`)
  return filter
}

interface Source {
  readonly text: string
  readonly columns: readonly FilterColumn[]
  at: number
  tests: number
}

/** A column as it was named. */
interface Named {
  readonly ref: ColumnRef
  readonly name: string
}

function checkText(source: Source): void {
  const { text } = source
  if (text.length > limits.filterBytesMax || utf8(text).length > limits.filterBytesMax) {
    source.at = Math.min(text.length, limits.filterBytesMax)
    throw problem(source, `a filter has at most ${limits.filterBytesMax} bytes; shorten it`)
  }
  const lone = text.search(/\p{Surrogate}/u)
  if (lone >= 0) throw problem(source, 'half of a surrogate pair is no character; leave it out', lone)
}

function readOr(source: Source, depth: number): Filter {
  const filters = [readAnd(source, depth)]
  while (acceptWord(source, 'or')) filters.push(readAnd(source, depth))
  return joinedBy('or', filters)
}

function readAnd(source: Source, depth: number): Filter {
  const filters = [readNot(source, depth)]
  while (acceptWord(source, 'and')) filters.push(readNot(source, depth))
  return joinedBy('and', filters)
}

function readNot(source: Source, depth: number): Filter {
  const isNegated = acceptWord(source, 'not')
  const filter = source.text[here(source)] === '(' ? readNested(source, depth + 1) : readTest(source)
  return isNegated ? not(filter) : filter
}

function readNested(source: Source, depth: number): Filter {
  if (depth > limits.filterDepthMax)
    throw problem(source, `parentheses nest at most ${limits.filterDepthMax} deep; take some away`)
  source.at++
  const filter = readOr(source, depth)
  expect(source, ')')
  return filter
}

function readTest(source: Source): Filter {
  if (++source.tests > limits.filterTestsMax)
    throw problem(source, `a filter has at most ${limits.filterTestsMax} tests; for many values write in (…)`)
  const named = readColumn(source)
  const start = here(source)
  if (acceptWord(source, 'is')) return readNull(source, named)
  const operator = take(source, /<=|>=|<>|!=|[=<>]/y)
  const isNegated = operator === undefined && acceptWord(source, 'not')
  const word = operator ?? testWords.find((each) => acceptWord(source, each))
  if (word === undefined) throw problem(source, 'a test is missing: = <> < <= > >=, is null, in (…), between … and … or like')
  checkType(source, named, word, start)
  const test = readComparison(source, named, word)
  return isNegated ? not(test) : test
}

/** `at`: where the test begins behind the column. */
function checkType(source: Source, { ref: { type }, name }: Named, word: string, at: number): void {
  const { kind } = type
  if (kind === 'array' || kind === 'map' || kind === 'row' || kind === 'vector')
    throw problem(source, `${name} is ${kind}, and can only be tested by is null and is not null`, at)
  if (word === 'like' && kind !== 'string')
    throw problem(source, `like tests strings, and ${name} is ${printType(type)}; compare it with values`, at)
}

const testWords = ['in', 'between', 'like'] as const

function readComparison(source: Source, named: Named, word: string): Filter {
  const { ref } = named
  if (word === 'in') return { kind: 'list', ref, literals: readList(source, named) }
  if (word === 'like') return readLike(source, named)
  const first = readLiteral(source, named)
  if (word !== 'between') return compared(ref, word, first)
  if (!acceptWord(source, 'and')) throw problem(source, '"and" and the greater value of between are missing')
  return between(ref, { low: inclusive(first), high: inclusive(readLiteral(source, named)) })
}

function compared(ref: ColumnRef, operator: string, value: Literal): Filter {
  switch (operator) {
    case '<':
      return between(ref, { high: { value, inclusive: false } })
    case '<=':
      return between(ref, { high: inclusive(value) })
    case '>':
      return between(ref, { low: { value, inclusive: false } })
    case '>=':
      return between(ref, { low: inclusive(value) })
    default: {
      const equal = between(ref, { low: inclusive(value), high: inclusive(value) })
      return operator === '=' ? equal : not(equal)
    }
  }
}

function readNull(source: Source, { ref }: Named): Filter {
  const isNegated = acceptWord(source, 'not')
  if (!acceptWord(source, 'null')) throw problem(source, `"null" is missing after "is${isNegated ? ' not' : ''}"`)
  return isNegated ? not({ kind: 'null', ref }) : { kind: 'null', ref }
}

function readList(source: Source, named: Named): readonly Literal[] {
  const literals: Literal[] = []
  expect(source, '(')
  do literals.push(readLiteral(source, named))
  while (take(source, /,/y) !== undefined)
  expect(source, ')')
  literals.sort(compareLiterals)
  return literals.filter((each, i) => i === 0 || compareLiterals(each, literals[i - 1] as Literal) !== 0)
}

/** A pattern without a wildcard is a value. */
function readLike(source: Source, { ref }: Named): Filter {
  const start = here(source)
  const { kind, text } = readLiteralText(source)
  if (kind !== 'text') throw problem(source, 'the pattern of like is a text between single quotes', start)
  const pattern = likePattern(text)
  if (/[%_]/.test(text)) return { kind: 'like', ref, pattern }
  return compared(ref, '=', utf8(text))
}

function readLiteral(source: Source, { ref, name }: Named): Literal {
  const start = here(source)
  const literal = readLiteralText(source)
  return literalOf(ref.type, literal, (why) =>
    problem(source, `${quoted(literal.text)} is no value of ${name}, which is ${printType(ref.type)}: ${why}`, start),
  )
}

function readLiteralText(source: Source): LiteralText {
  const start = here(source)
  if (source.text[start] === "'") return { kind: 'text', text: readQuoted(source, "'") }
  const number = take(source, /[-+.0-9][-+.\w]*/y)
  if (number !== undefined) return { kind: 'number', text: number }
  const word = take(source, wordPattern)?.toLowerCase()
  if (word === 'true' || word === 'false') return { kind: 'boolean', text: word }
  source.at = start
  if (word === 'null') throw problem(source, 'nothing compares with null; write is null or is not null')
  if (word === undefined && source.text[start] !== '"') throw problem(source, `a value is missing${found(source)}`)
  throw problem(
    source,
    `a value is missing${found(source)}; a text stands between single quotes, and columns compare with values only`,
  )
}

function readColumn(source: Source): Named {
  const start = here(source)
  if (source.text[start] === '"') {
    const name = readQuoted(source, '"')
    if (source.text[source.at] === '.')
      throw problem(source, 'a name between quotes is a whole column; a path is written a.b, without quotes')
    return { ref: topLevel(source, name, start), name: quoted(name) }
  }
  const word = take(source, wordPattern)
  if (word === undefined) throw problem(source, `the name of a column is missing${found(source)}`)
  if (/[^\0-\x7f]/.test(source.text.charAt(source.at)))
    throw problem(source, 'a name with other characters than A-Z a-z 0-9 _ stands between double quotes', start)
  const [first = '', ...path] = word.split('.')
  let ref = topLevel(source, first, start, word)
  let at = start + first.length
  for (const name of path) {
    ref = fieldOf(source, ref, name, at)
    at += 1 + name.length
  }
  return { ref, name: quoted(word) }
}

const wordPattern = /[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*/y

function topLevel(source: Source, name: string, start: number, path = name): ColumnRef {
  const column = source.columns.find((each) => each.name === name)
  if (column !== undefined) return { column, path: [], type: column.type }
  const isDotted = path !== name && source.columns.some((each) => each.name === path)
  const hint = isDotted ? `; the column "${path}" is written between double quotes` : suggestion(name, namesOf(source.columns))
  throw problem(source, `there is no column ${quoted(name)}${hint}`, start)
}

function fieldOf(source: Source, { column, path, type }: ColumnRef, name: string, at: number): ColumnRef {
  if (type.kind !== 'row') throw problem(source, `${quoted(name)} is sought in ${type.kind}, which has no fields`, at)
  const index = type.fields.findIndex((each) => each.name === name)
  const field = type.fields[index]
  if (field === undefined)
    throw problem(source, `there is no field ${quoted(name)}${suggestion(name, namesOf(type.fields))}`, at + 1)
  return { column, path: [...path, index], type: field.type }
}

/** Passes a text between `quote`s, in which two of them stand for one. */
function readQuoted(source: Source, quote: string): string {
  const start = source.at++
  let text = ''
  for (;;) {
    const end = source.text.indexOf(quote, source.at)
    if (end < 0) throw problem(source, `the closing ${quote} is missing`, start)
    text += source.text.slice(source.at, end)
    source.at = end + 1
    if (source.text[source.at] !== quote) return text
    text += quote
    source.at++
  }
}

function acceptWord(source: Source, word: string): boolean {
  const start = here(source)
  if (take(source, wordPattern)?.toLowerCase() === word) return true
  source.at = start
  return false
}

function expect(source: Source, token: string): void {
  if (source.text[here(source)] !== token) throw problem(source, `"${token}" is missing${found(source)}`)
  source.at++
}

/** What the pattern, which is sticky, matches here; it is passed. */
function take(source: Source, pattern: RegExp): string | undefined {
  pattern.lastIndex = here(source)
  const token = pattern.exec(source.text)?.[0]
  source.at += token?.length ?? 0
  return token
}

/** Where the next token begins. */
function here(source: Source): number {
  while (/^\s/.test(source.text.charAt(source.at))) source.at++
  return source.at
}

const not = (filter: Filter): Filter => ({ kind: 'not', filter })
const between = (ref: ColumnRef, range: Range): Filter => ({ kind: 'range', ref, ...range })
const inclusive = (value: Literal): Bound => ({ value, inclusive: true })
const namesOf = (named: readonly { readonly name: string }[]): readonly string[] => named.map((each) => each.name)

function joinedBy(kind: 'and' | 'or', filters: readonly Filter[]): Filter {
  const [first] = filters
  return filters.length === 1 && first !== undefined ? first : { kind, filters }
}

/** What stands here, short enough for a message. */
const shown = ({ text, at }: Source): string => quoted(text.slice(at).match(/^(\w+|.)/su)?.[0] ?? '')
const found = (source: Source): string => (source.at < source.text.length ? ` before ${shown(source)}` : ' at the end')

/** `at`: where in the text; by default where reading stands. Positions count characters from 1. */
function problem(source: Source, what: string, at = source.at): SluiceError {
  const position = [...source.text.slice(0, at)].length + 1
  return new SluiceError('invalid-filter', `filter at character ${position}: ${what}`, { facts: { position } })
}
