/** The addresses that run.sh passes to the tests. */
import { env } from 'node:process'

export const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' } as const

export function required(name: string): string {
  const value = env[name]
  if (value === undefined || value === '') throw new Error(`${name} is not set: start these tests with test/wire/run.sh`)
  return value
}
