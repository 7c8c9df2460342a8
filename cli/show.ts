/** Answers for people: JSON with --json, else indented JSON without the noise. */
import type { Answer } from './http.ts'

export function show(answer: Answer, { json }: { readonly json?: boolean }): void {
  if (answer.bytes.length === 0) return
  const text = Buffer.from(answer.bytes).toString()
  process.stdout.write(`${json ? text.trimEnd() : JSON.stringify(JSON.parse(text), null, 2)}\n`)
}
