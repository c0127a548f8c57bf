import pg from "pg"

/**
 * Creates an empty database, in place of one that an earlier run left behind.
 *
 * @param {string} serverUrl any database of the server; its role may create others
 * @param {string} name
 * @returns {Promise<{ url: string, drop: () => Promise<void> }>} `drop` disconnects its clients
 */
export async function createDatabase(serverUrl, name) {
  const drop = () => run(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  await drop()
  await run(serverUrl, `CREATE DATABASE ${name}`)
  return { url: Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href, drop }
}

/** @param {string} url @param {string} sql */
async function run(url, sql) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
