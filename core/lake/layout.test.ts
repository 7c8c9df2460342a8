import { expect, test } from 'vitest'
import { MemoryObjects } from '../../stores/objects/memory.ts'
import { keyOfUri } from './layout.ts'

const tableId = '0123456789abcdef'
const objects = new MemoryObjects()
const key = `lake/${tableId}/metadata/snap-1.avro`

test('a lake finds its objects by the locations in its own files', () => {
  expect(keyOfUri(objects, tableId, objects.uri(key))).toBe(key)
  expect(keyOfUri(objects, tableId, `memory:/${key}`), "as Hadoop's paths are spelled").toBe(key)
})

test.each([`file:///elsewhere/${key}`, 'memory:///lake/ffffffffffffffff/metadata/snap-1.avro', 'snap-1.avro'])(
  '%s, where the store is not, is refused with both places',
  (uri) => {
    expect(() => keyOfUri(objects, tableId, uri)).toThrow(uri)
  },
)
