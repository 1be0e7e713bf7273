const { createServer } = require('node:http');
const { connect } = require('node:net');

createServer((request, response) => {
  const cache = connect(6379, 'cache', () => cache.write('INCR visits\r\n'));
  cache.on('data', (answer) => {
    response.end(`visit ${answer.toString().slice(1).trim()}\n`);
    cache.end();
  });
  cache.on('error', (error) => {
    response.statusCode = 503;
    response.end(`${error.message}\n`);
  });
}).listen(3000);
process.on('SIGTERM', () => process.exit(0));
