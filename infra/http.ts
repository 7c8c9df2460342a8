/**
 * The functions that answer requests. Produce and fetch differ by path, so the edge can send them apart.
 * ingest can add to the log and cannot take from it, leases snapshots to whoever reads rows, and looks rows up, which may insert them;
 * read writes nothing; admin changes metadata, starts jobs and takes dropped partitions out of lakes; catalog shows lakes to engines and commits their maintenance.
 */
import { commits, environment } from './catalogs.ts'
import { items, keys, objects, sendJobs } from './grants.ts'
import { room } from './room.ts'

export const ingest = room('Ingest', {
  handler: 'functions/ingest.handler',
  memory: '1024 MB',
  timeout: '30 seconds',
  url: true,
  permissions: [
    objects(['t'], ['s3:PutObject', 's3:GetObject']),
    keys(),
    items(['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:ConditionCheckItem']),
    sendJobs(),
  ],
})

export const read = room('Read', {
  handler: 'functions/read.handler',
  memory: '1024 MB',
  timeout: '30 seconds',
  url: true,
  install: { 'parquet-wasm': '0.8.0' },
  permissions: [objects(['t', 'lake'], ['s3:GetObject']), keys(), items(['dynamodb:GetItem', 'dynamodb:Query'])],
})

export const admin = room('Admin', {
  handler: 'functions/admin.handler',
  memory: '512 MB',
  timeout: '30 seconds',
  url: true,
  environment,
  permissions: [
    objects(['lake'], ['s3:GetObject', 's3:PutObject']),
    keys(),
    items([
      'dynamodb:GetItem',
      'dynamodb:Query',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
      'dynamodb:DeleteItem',
      'dynamodb:ConditionCheckItem',
    ]),
    sendJobs(),
    ...commits,
  ],
})

export const catalog = room('Catalog', {
  handler: 'functions/catalog.handler',
  memory: '512 MB',
  timeout: '30 seconds',
  url: true,
  permissions: [
    objects(['lake'], ['s3:GetObject', 's3:PutObject']),
    keys(),
    items(['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem', 'dynamodb:UpdateItem']),
  ],
})
