// Exit code 0 when the API reaches its database and its cache.
import { get } from 'node:http';

const request = get('http://127.0.0.1:3000/api/health', (response) => process.exit(response.statusCode === 200 ? 0 : 1));
request.on('error', () => process.exit(1));
request.setTimeout(2500, () => process.exit(1));
