import { createServer } from 'node:http';
import { cache as cacheOptions, database as databaseOptions } from './config.js';
import { Database } from './postgres.js';
import { Cache } from './redis.js';

const database = new Database(databaseOptions);
const cache = new Cache(cacheOptions);

const routes = {
  'GET /api/health': async () => {
    await Promise.all([database.query('SELECT 1'), cache.command('PING')]);
    return { ok: true };
  },
  'GET /api/notes': async () => {
    const notes = await database.query('SELECT id, body, words FROM notes ORDER BY id DESC LIMIT 50');
    return { title: process.env.TITLE, notes: notes.map((note) => ({ ...note, words: note.words === null ? null : Number(note.words) })), counted: Number((await cache.command('GET', 'counted')) ?? 0) };
  },
  'POST /api/notes': async (body) => {
    const text = String(body?.body ?? '').trim();
    if (text === '' || text.length > 2000) return { status: 400, error: 'a note has 1 to 2000 characters' };
    const [note] = await database.query('INSERT INTO notes (body) VALUES ($1) RETURNING id', [text]);
    await cache.command('LPUSH', 'jobs', note.id);
    return { status: 201, id: note.id };
  },
};

const server = createServer(async (request, response) => {
  const route = routes[`${request.method} ${request.url}`];
  let answer = { status: 404, error: 'not found' };
  try {
    if (route !== undefined) answer = await route(await readBody(request));
  } catch (error) {
    console.error(`${request.method} ${request.url}: ${error.message}`);
    answer = { status: 503, error: 'try again' };
  }
  const { status = 200, ...value } = answer;
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
});
server.listen(3000, () => console.log('api listens on 3000'));

process.on('SIGTERM', () => {
  console.log('api stops');
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  database.close();
  cache.close();
});

async function readBody(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 10_000) throw new Error('body too large');
  }
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
