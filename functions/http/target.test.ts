import { describe, expect, test } from 'vitest'
import { checkLoopback, parseTarget } from './target.ts'

describe('a target', () => {
  test.each([
    ['/v1', '/v1', {}],
    ['/v1?', '/v1', {}],
    ['/v1?a=1&b', '/v1', { a: '1', b: '' }],
    ['/v1?a=x%20y+z%2Bw', '/v1', { a: 'x y z+w' }],
    ['/v1?a=b=c?d', '/v1', { a: 'b=c?d' }],
    ['/v1?__proto__=1', '/v1', JSON.parse('{"__proto__":"1"}')],
    ['http://localhost:1/v1?a=1', '/v1', { a: '1' }],
    ['http://localhost', '/', {}],
  ])('%s', (target, path, query) => {
    const parsed = parseTarget(target)
    expect([parsed.path, { ...parsed.query }]).toEqual([path, query])
  })
  test.each([
    ['/v1?a=1&a=2', 'occurs twice'],
    ['/v1?a=%ff', 'UTF-8'],
    [`/v1?${'a&'.repeat(70)}`, 'more than 64'],
    ['*', 'must be a path'],
  ])('%s is refused', (target, why) => {
    expect(() => parseTarget(target)).toThrow(why)
  })
})

describe('only this machine and its own pages', () => {
  test.each([
    [{ host: 'localhost' }, '/'],
    [{ host: 'LOCALHOST:8080' }, '/'],
    [{ host: '127.0.0.1:1' }, '/'],
    [{ host: '[::1]:8080' }, '/'],
    [{ host: 'localhost:8080', origin: 'http://localhost:8080' }, '/'],
  ])('%o', (headers, target) => {
    checkLoopback(headers, target)
  })
  test.each([
    [{}, '/'],
    [{ host: 'example.com' }, '/'],
    [{ host: 'localhost.example.com' }, '/'],
    [{ host: 'localhost:80@example.com' }, '/'],
    [{ host: '127.0.0.2' }, '/'],
    [{ host: 'localhost:8080', origin: 'http://localhost:3000' }, '/'],
    [{ host: 'localhost:8080', origin: 'null' }, '/'],
    [{ host: 'localhost:8080', origin: 'https://localhost:8080' }, '/'],
    [{ host: 'localhost:8080' }, 'http://example.com/v1'],
  ])('%o %s is refused', (headers, target) => {
    expect(() => checkLoopback(headers, target)).toThrow('is refused')
  })
})
