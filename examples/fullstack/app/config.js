// What the environment and the secrets say.
import { readFileSync } from 'node:fs';

export const database = {
  host: process.env.DB_HOST,
  port: 5432,
  user: process.env.DB_USER,
  database: process.env.DB_NAME,
  password: readFileSync(process.env.DB_PASSWORD_FILE, 'utf8').trim(),
};
export const cache = { host: process.env.CACHE_HOST, port: 6379 };
