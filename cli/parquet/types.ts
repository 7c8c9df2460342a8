/**
 * What a Parquet column is, as a type of ours, from its logical or converted type; both are written by most, older files have only the
 * converted one. What has no type here is refused by its name.
 */
import { type FileMetaData, parquetSchema } from 'hyparquet'
import type { DataType } from '../../core/model/types.ts'
import { Failure } from '../failure.ts'

type SchemaTree = ReturnType<typeof parquetSchema>

export interface ParquetColumn {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
}

export function columnsOf(metadata: FileMetaData): readonly ParquetColumn[] {
  return parquetSchema(metadata).children.map((node) => ({
    name: node.element.name,
    type: typeOf(node),
    nullable: node.element.repetition_type !== 'REQUIRED',
  }))
}

export function typeOf(node: SchemaTree): DataType {
  const { element, children } = node
  if (element.repetition_type === 'REPEATED') return array(children.length === 0 ? leafType(node) : rowType(children))
  return nodeType(node)
}

function nodeType(node: SchemaTree): DataType {
  const { element, children } = node
  const [inner] = children
  if (inner === undefined) return leafType(node)
  const kind = element.logical_type?.type ?? element.converted_type
  if (kind === 'LIST') return array(listElement(inner))
  if (kind === 'MAP' || kind === 'MAP_KEY_VALUE') {
    const [key, value] = inner.children
    if (key === undefined || value === undefined) throw refused(node, 'a map without a value')
    return { kind: 'map', key: typeOf(key), keyId: 0, value: typeOf(value), valueId: 0 }
  }
  if (kind !== undefined) throw refused(node, kind)
  return rowType(children)
}

/** Of three levels, the list, its entries and the element; older writers left the middle one out. */
function listElement(inner: SchemaTree): DataType {
  const [element] = inner.children
  return element !== undefined && inner.children.length === 1 ? typeOf(element) : nodeType(inner)
}

const array = (element: DataType): DataType => ({ kind: 'array', element, elementId: 0 })

const rowType = (children: readonly SchemaTree[]): DataType => ({
  kind: 'row',
  fields: children.map((child) => ({ id: 0, name: child.element.name, type: typeOf(child) })),
})

const precisionOf = { MILLIS: 3, MICROS: 6, NANOS: 9 } as const

function leafType(node: SchemaTree): DataType {
  const { logical_type: logical, type } = node.element
  switch (logical?.type) {
    case undefined:
      return convertedType(node)
    case 'STRING':
    case 'ENUM':
    case 'JSON':
    case 'UUID':
      return { kind: 'string' }
    case 'DATE':
      return { kind: 'date' }
    case 'DECIMAL':
      return { kind: 'decimal', precision: logical.precision, scale: logical.scale }
    case 'TIME':
      return { kind: 'time', precision: precisionOf[logical.unit] }
    case 'TIMESTAMP':
      return { kind: logical.isAdjustedToUTC ? 'timestamp_ltz' : 'timestamp', precision: precisionOf[logical.unit] }
    case 'INTEGER':
      return integerType(logical.bitWidth, logical.isSigned)
    case 'FLOAT16':
      return { kind: 'float' }
    default:
      throw refused(node, `${logical?.type} (${type})`)
  }
}

function convertedType(node: SchemaTree): DataType {
  const { converted_type: converted, precision, scale = 0 } = node.element
  const [, sign, bits] = /^(U?)INT_([0-9]+)$/.exec(converted ?? '') ?? []
  if (bits !== undefined) return integerType(Number(bits), sign === '')
  switch (converted) {
    case undefined:
      return physicalType(node)
    case 'UTF8':
    case 'ENUM':
    case 'JSON':
      return { kind: 'string' }
    case 'DATE':
      return { kind: 'date' }
    case 'DECIMAL':
      return { kind: 'decimal', precision: precision ?? 38, scale }
    case 'TIME_MILLIS':
    case 'TIME_MICROS':
      return { kind: 'time', precision: converted === 'TIME_MILLIS' ? 3 : 6 }
    case 'TIMESTAMP_MILLIS':
    case 'TIMESTAMP_MICROS':
      return { kind: 'timestamp_ltz', precision: converted === 'TIMESTAMP_MILLIS' ? 3 : 6 }
    default:
      throw refused(node, converted)
  }
}

function physicalType(node: SchemaTree): DataType {
  switch (node.element.type) {
    case 'BOOLEAN':
      return { kind: 'boolean' }
    case 'INT32':
      return { kind: 'int' }
    case 'INT64':
      return { kind: 'bigint' }
    case 'INT96':
      return { kind: 'timestamp', precision: 9 }
    case 'FLOAT':
      return { kind: 'float' }
    case 'DOUBLE':
      return { kind: 'double' }
    case 'BYTE_ARRAY':
    case 'FIXED_LEN_BYTE_ARRAY':
      return { kind: 'binary' }
    default:
      throw refused(node, 'a group without columns')
  }
}

/** Without a sign it takes the next wider one. */
function integerType(bits: number, isSigned: boolean): DataType {
  const width = isSigned ? bits : bits * 2
  if (width <= 8) return { kind: 'tinyint' }
  if (width <= 16) return { kind: 'smallint' }
  if (width <= 32) return { kind: 'int' }
  return width <= 64 ? { kind: 'bigint' } : { kind: 'decimal', precision: 20, scale: 0 }
}

function refused({ path, element }: SchemaTree, what: string): Failure {
  return new Failure(
    `column ${JSON.stringify(path.join('.') || element.name)} is ${what}, which has no type here: leave it out of the file`,
  )
}
