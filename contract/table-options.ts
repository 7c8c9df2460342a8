/** Table options as JSON schema, for /openapi.json: one property an option, from the one table of them. */
import { type OptionEntry, optionEntry, optionNames, type Takes, wordsOf } from '../core/model/option-table.ts'

interface Shown {
  readonly jsonSchema: object
}

export const shownAsOptions = ({ jsonSchema }: Shown): void => show(jsonSchema, 'string')

/** null takes one back to its default; those that are fixed at create are left out. */
export const shownAsChanges = ({ jsonSchema }: Shown): void => show(jsonSchema, ['string', 'null'])

function show(jsonSchema: object, type: string | readonly string[]): void {
  const isChange = type !== 'string'
  const named = optionNames.filter((name) => !(isChange && optionEntry(name).isFixed))
  const schemas = named.map((name) => [name, { type, ...schemaOf(optionEntry(name), isChange) }] as const)
  const isField = (name: string) => name.startsWith('fields.')
  const plain = schemas.filter(([name]) => !isField(name))
  const fields = schemas.filter(([name]) => isField(name)).map(([name, schema]) => [patternOf(name), schema] as const)
  Reflect.deleteProperty(jsonSchema, 'propertyNames')
  Object.assign(jsonSchema, {
    type: 'object',
    properties: Object.fromEntries(plain),
    ...(fields.length > 0 && { patternProperties: Object.fromEntries(fields) }),
    additionalProperties: false,
  })
}

function schemaOf({ default: byDefault, takes, about }: OptionEntry, isChange: boolean): object {
  return {
    description: `${about} (${wordsOf(takes)})`,
    ...(byDefault !== undefined && { default: byDefault }),
    ...boundsOf(takes, isChange),
  }
}

/** Values are text: a number's bounds are in its description, as those of durations and sizes are. */
function boundsOf(takes: Takes, isChange: boolean): object {
  switch (takes.is) {
    case 'choice':
      return { enum: isChange ? [...takes.values, null] : takes.values }
    case 'duration':
      return { pattern: '^[0-9]{1,12}(ms|s|m|h|d)$', examples: [takes.example] }
    case 'size':
      return { pattern: '^[0-9]{1,12}(KiB|MiB|GiB)$', examples: [takes.example] }
    case 'number':
      return { pattern: '^-?[0-9]{1,9}$' }
    case 'text':
      return {}
  }
}

const patternOf = (name: string): string => `^${name.replaceAll('.', '\\.').replace('<column>', '.+')}$`
