/**
 * A small JSON Schema checker (2020-12, the keywords that /openapi.json uses), written apart from the schemas' own
 * library so that a mistake there shows. A keyword that it does not know is an error: nothing passes unread.
 * Objects are closed here, although answers may gain fields: an answer with a field that is not described fails.
 */
type Schema = Readonly<Record<string, unknown>>

const ignored = new Set(['id', 'title', 'description', 'examples', 'format', 'example', 'deprecated'])

export function problems(value: unknown, schema: Schema, root: unknown, path = '$'): string[] {
  const found: string[] = []
  const at = (text: string) => found.push(`${path}: ${text}`)
  for (const [keyword, wanted] of Object.entries(schema)) {
    if (ignored.has(keyword)) continue
    switch (keyword) {
      case '$ref':
        found.push(...problems(value, resolve(root, wanted as string), root, path))
        break
      case 'type':
        if (![wanted].flat().some((type) => isType(value, type as string))) at(`is ${kindOf(value)}, not ${wanted}`)
        break
      case 'enum':
        if (!(wanted as unknown[]).includes(value)) at(`${JSON.stringify(value)} is not one of ${wanted}`)
        break
      case 'const':
        if (value !== wanted) at(`${JSON.stringify(value)} is not ${wanted}`)
        break
      case 'pattern':
        if (typeof value === 'string' && !new RegExp(wanted as string, 'u').test(value))
          at(`${JSON.stringify(value)} does not match ${wanted}`)
        break
      case 'minLength':
        if (typeof value === 'string' && [...value].length < (wanted as number)) at('is too short')
        break
      case 'maxLength':
        if (typeof value === 'string' && [...value].length > (wanted as number)) at('is too long')
        break
      case 'minimum':
        if (typeof value === 'number' && value < (wanted as number)) at(`${value} is below ${wanted}`)
        break
      case 'maximum':
        if (typeof value === 'number' && value > (wanted as number)) at(`${value} is above ${wanted}`)
        break
      case 'anyOf':
        if (!(wanted as Schema[]).some((one) => problems(value, one, root, path).length === 0)) at('fits none of anyOf')
        break
      case 'items':
        if (Array.isArray(value))
          for (const [i, item] of value.entries()) found.push(...problems(item, wanted as Schema, root, `${path}[${i}]`))
        break
      case 'required':
        for (const name of wanted as string[]) if (isObject(value) && !(name in value)) at(`lacks ${name}`)
        break
      case 'properties':
        for (const [name, property] of Object.entries(wanted as Record<string, Schema>)) {
          if (isObject(value) && name in value) found.push(...problems(value[name], property, root, `${path}.${name}`))
        }
        if (isObject(value)) {
          for (const name of Object.keys(value)) if (!(name in (wanted as object))) at(`has ${name}, which is not described`)
        }
        break
      case 'propertyNames':
        if (isObject(value))
          for (const name of Object.keys(value)) found.push(...problems(name, wanted as Schema, root, `${path}.${name}`))
        break
      case 'additionalProperties':
        if (isObject(value) && isObject(wanted)) {
          const known = isObject(schema.properties) ? schema.properties : {}
          for (const [name, one] of Object.entries(value)) {
            if (!(name in known)) found.push(...problems(one, wanted, root, `${path}.${name}`))
          }
        }
        break
      default:
        throw new Error(`the checker does not know the keyword ${keyword} at ${path}`)
    }
  }
  return found
}

export function resolve(root: unknown, ref: string): Schema {
  let at = root as Record<string, unknown>
  for (const name of ref.replace(/^#\//, '').split('/')) at = at[name] as Record<string, unknown>
  if (at === undefined) throw new Error(`${ref} is not in the document`)
  return at
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
}

function isType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value)
  return type === kindOf(value)
}
