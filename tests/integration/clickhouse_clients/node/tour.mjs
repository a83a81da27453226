// What an application does with the official Node client. Prints one JSON object; the test knows what it must say.
import { createClient } from '@clickhouse/client'

const [url, username, password] = process.argv.slice(2)
const client = createClient({ url, username, password, compression: { request: true, response: true } })
const said = {}

said.ping = (await client.ping()).success
await client.command({ query: 'CREATE TABLE node_tour (id UInt64, name String) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100' })
const values = Array.from({ length: 1000 }, (_, id) => ({ id, name: `n${id}` }))
for (const token of ['a', 'a', 'b']) {
  await client.insert({ table: 'node_tour', values, format: 'JSONEachRow', clickhouse_settings: { insert_deduplication_token: token } })
}
const counted = await client.query({
  query: 'SELECT count() AS rows, max(id) AS top FROM node_tour WHERE id >= {least: UInt64}',
  query_params: { least: 10 },
  format: 'JSON',
})
said.counted = (await counted.json()).data

const streamed = await client.query({ query: 'SELECT id, name FROM node_tour ORDER BY id', format: 'JSONEachRow' })
said.streamed = 0
for await (const rows of streamed.stream()) said.streamed += rows.length

const large = await client.query({ query: 'SELECT number FROM numbers(500000)', format: 'JSONCompactEachRowWithNames' })
said.large = 0
for await (const rows of large.stream()) said.large += rows.length

try {
  await client.query({ query: 'SELECT nope FROM node_tour' })
} catch (error) {
  said.error = { code: error.code, type: error.type }
}
await client.close()
console.log(JSON.stringify(said))
