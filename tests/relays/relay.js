// A relay that takes XOAUTH2 alone, for tests/integration/test_relays.py (npm package smtp-server).
// Usage: node relay.js CERTIFICATE KEY TOKENS IDLE_MS
// TOKENS is a file of the access tokens that are good now, one a line, read at each login. Says one JSON
// document a line on standard output: {"port"}, {"login", "good"}, {"mail"}.
'use strict';

const fs = require('fs');
const { SMTPServer } = require('smtp-server');

const [certificate, key, tokens, idle] = process.argv.slice(2);
const say = (fact) => process.stdout.write(JSON.stringify(fact) + '\n');

const server = new SMTPServer({
  cert: fs.readFileSync(certificate),
  key: fs.readFileSync(key),
  authMethods: ['XOAUTH2'],
  socketTimeout: Number(idle),
  closeTimeout: 100,
  logger: false,
  onAuth(auth, session, callback) {
    const good = auth.username === 'noreply@partnership.test' &&
      fs.readFileSync(tokens, 'utf8').split('\n').includes(auth.accessToken);
    say({ login: auth.accessToken, good });
    if (good) return callback(null, { user: auth.username });
    return callback(null, { data: { status: '401', schemes: 'bearer', scope: 'mail' } });
  },
  onData(stream, session, callback) {
    const parts = [];
    stream.on('data', (part) => parts.push(part));
    stream.on('end', () => {
      say({ mail: Buffer.concat(parts).toString('latin1') });
      callback(null, '2.0.0 queued');
    });
  },
});

server.on('error', (error) => say({ error: error.message }));
server.listen(0, '127.0.0.1', () => say({ port: server.server.address().port }));
process.stdin.on('end', () => process.exit(0)).resume();
