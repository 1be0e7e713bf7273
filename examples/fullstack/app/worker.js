import { cache as cacheOptions, database as databaseOptions } from './config.js';
import { Database } from './postgres.js';
import { Cache } from './redis.js';

const database = new Database(databaseOptions);
const cache = new Cache(cacheOptions);
let isStopping = false;

process.on('SIGTERM', () => {
  isStopping = true;
  console.log('worker stops');
  cache.close();
  database.close();
  process.exit(0);
});

console.log('worker waits for jobs');
while (!isStopping) {
  try {
    const job = await cache.command('BRPOP', 'jobs', 5);
    if (job !== null) await count(job[1]);
  } catch (error) {
    console.error(`worker: ${error.message}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function count(id) {
  await database.query("UPDATE notes SET words = array_length(regexp_split_to_array(trim(body), '\\s+'), 1) WHERE id = $1", [id]);
  await cache.command('INCR', 'counted');
  console.log(`note ${id} counted`);
}
