/**
 * From another writer's Avro schema to ours, by field id (Iceberg specification, "Avro"): names and order of fields differ between
 * writers, ids do not. What we do not know is left out; what the writer lacks is null where it may be.
 */
import { SluiceError } from '../../kernel/errors.ts'

type Project = (value: unknown) => unknown

/** `to`: what to read; `from`: what the file was written with. Both as Avro JSON. */
export function projection(to: unknown, from: unknown): Project {
  const names = new Map<string, Node>()
  const found = resolved(from, names)
  if (!isSized(found, { names, records: new Map(), depth: 0 })) throw unreadable(noBytes)
  return project(to, found, { names, depth: 0 })
}

/** Whether `to` has a place for whatever a file written with `from` says: for each field of it, by id, one that takes its values. */
export function covers(to: unknown, from: unknown): boolean {
  const names = new Map<string, Node>()
  return isCovered(to, resolved(from, names), { names, depth: 0 })
}

type Node = { readonly [key: string]: unknown }

interface Context {
  readonly names: ReadonlyMap<string, Node>
  readonly depth: number
}

const depthMax = 16

function project(to: unknown, from: unknown, context: Context): Project {
  if (context.depth > depthMax) throw unreadable('it is nested too deep')
  const deeper = { ...context, depth: context.depth + 1 }
  const wanted = kindOf(to)
  const given = kindOf(from, context.names)
  if (Array.isArray(to)) return orNull(project(withoutNull(to), Array.isArray(from) ? withoutNull(from) : from, deeper))
  if (Array.isArray(from)) {
    const inner = project(to, withoutNull(from), deeper)
    return (value) => (value === null ? refuseNull() : inner(value))
  }
  if (wanted === 'record' && given === 'record') return projectRecord(nodeOf(to), nodeOf(from, context.names), deeper)
  if (wanted === 'array' && given === 'array') {
    const item = project(nodeOf(to)['items'], nodeOf(from, context.names)['items'], deeper)
    return (value) => (value as unknown[]).map(item)
  }
  if (wanted === given || (wanted === 'bytes' && given === 'fixed')) return same
  if (wanted === 'int' && given === 'long') return (value) => intOf(value as bigint)
  if (wanted === 'long' && given === 'int') return (value) => BigInt(value as number)
  throw unreadable(`it has ${given} for ${wanted}`)
}

function projectRecord(to: Node, from: Node, context: Context): Project {
  const given = new Map(fieldsOf(from).map((field) => [field['field-id'], field]))
  const parts = fieldsOf(to).map((field) => {
    const source = given.get(field['field-id'])
    const name = String(field['name'])
    if (source !== undefined) {
      const read = project(field['type'], source['type'], context)
      const key = String(source['name'])
      return { name, read: (record: Node) => read(record[key]) }
    }
    const { default: otherwise, type } = field
    if (otherwise === undefined) throw unreadable(`it lacks field ${String(field['field-id'])} (${name})`)
    const value = otherwise === 0 && kindOf(type) === 'long' ? 0n : otherwise
    return { name, read: () => value }
  })
  return (value) => {
    const record: Record<string, unknown> = {}
    for (const { name, read } of parts) record[name] = read(value as Node)
    return record
  }
}

function isCovered(to: unknown, from: unknown, context: Context): boolean {
  if (context.depth > depthMax) return false
  const deeper = { ...context, depth: context.depth + 1 }
  const inner = Array.isArray(to) ? withoutNull(to) : to
  if (Array.isArray(from)) return isCovered(inner, withoutNull(from), deeper)
  const wanted = kindOf(inner)
  const given = kindOf(from, context.names)
  if (wanted !== given) return readAs[wanted] === given
  if (wanted === 'fixed') return Number(nodeOf(from, context.names)['size']) <= Number(nodeOf(inner)['size'])
  if (wanted === 'array') return isCovered(nodeOf(inner)['items'], nodeOf(from, context.names)['items'], deeper)
  if (wanted !== 'record') return true
  const places = new Map(fieldsOf(nodeOf(inner)).map((field) => [field['field-id'], field]))
  const fields = fieldsOf(nodeOf(from, context.names))
  // Each place is taken once, so that a hostile schema is not gone through again and again.
  if (fields.length > places.size || new Set(fields.map((field) => field['field-id'])).size < fields.length) return false
  return fields.every((field) => {
    const place = places.get(field['field-id'])
    return place !== undefined && isCovered(place['type'], field['type'], deeper)
  })
}

/** Some write longs where the specification has ints. */
const readAs: Readonly<Record<string, string>> = { bytes: 'fixed', long: 'int', int: 'long' }

/** Collects the types that have a name; a name stands for its type everywhere after. */
function resolved(type: unknown, names: Map<string, Node>): unknown {
  if (Array.isArray(type)) for (const each of type) resolved(each, names)
  if (!isNode(type)) return type
  if (typeof type['name'] === 'string') names.set(type['name'], type)
  for (const field of Array.isArray(type['fields']) ? type['fields'] : []) if (isNode(field)) resolved(field['type'], names)
  for (const key of ['items', 'values'] as const) if (type[key] !== undefined) resolved(type[key], names)
  return type
}

/**
 * Whether a value has bytes. Of one without, an array could have items without end in a file without size, so it is refused there; the
 * record of no fields that the partition is of a table without partitions has its place in one that has others. A type within itself never
 * ends, and each record is looked at once, however often its name comes.
 */
function isSized(type: unknown, context: Sizing): boolean {
  const { names, records, depth } = context
  if (depth > depthMax) throw unreadable('it is nested too deep')
  const deeper = { ...context, depth: depth + 1 }
  if (Array.isArray(type)) return type.map((each) => isSized(each, deeper)).length > 0
  const kind = kindOf(type, names)
  if (kind === 'null') return false
  if (kind === 'fixed') return Number(nodeOf(type, names)['size']) > 0
  if (kind === 'array' || kind === 'map') {
    const node = nodeOf(type, names)
    if (!isSized(kind === 'array' ? node['items'] : node['values'], deeper)) throw unreadable(noBytes)
    return true
  }
  if (kind !== 'record') return true
  const node = nodeOf(type, names)
  const known = records.get(node)
  if (known !== undefined) return known
  const isRecordSized = fieldsOf(node)
    .map((field) => isSized(field['type'], deeper))
    .some(Boolean)
  records.set(node, isRecordSized)
  return isRecordSized
}

interface Sizing extends Context {
  readonly records: Map<Node, boolean>
}

const noBytes = 'it has values without bytes'

function kindOf(type: unknown, names?: ReadonlyMap<string, Node>): string {
  if (typeof type === 'string') return names?.has(type) === true ? kindOf(names.get(type)) : type
  if (Array.isArray(type)) return 'union'
  return isNode(type) ? kindOf(type['type']) : 'nothing'
}

function nodeOf(type: unknown, names?: ReadonlyMap<string, Node>): Node {
  const node = typeof type === 'string' ? names?.get(type) : type
  // Avro lets a type stand inside another object for itself.
  if (isNode(node) && isNode(node['type'])) return nodeOf(node['type'], names)
  if (!isNode(node)) throw unreadable('a type is not one')
  return node
}

const fieldsOf = (record: Node): readonly Node[] =>
  Array.isArray(record['fields']) ? record['fields'].filter((field): field is Node => isNode(field)) : []

function withoutNull(union: readonly unknown[]): unknown {
  const [only, ...others] = union.filter((each) => each !== 'null')
  if (only === undefined || others.length > 0) throw unreadable('it has a union of several types')
  return only
}

const orNull =
  (inner: Project): Project =>
  (value) =>
    value === null ? null : inner(value)

function intOf(value: bigint): number {
  if (BigInt.asIntN(32, value) !== value) throw unreadable('it has a number that is no int where one must be')
  return Number(value)
}

const same: Project = (value) => value
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)
const unreadable = (why: string): SluiceError =>
  new SluiceError('internal', `an avro file has a schema that cannot be read: ${why}`)

function refuseNull(): never {
  throw unreadable('it has null where a value must be')
}
