import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PeerSecurity } from '../../src/wire/peer-transport.ts';

/** Certificates of openssl in a folder, for tests of TLS between members. */
export type Certificates = {
  readonly authority: (name: string) => void;
  /** `days` -1: it has expired. `ip`: the address that it is for. */
  readonly member: (file: string, options: { readonly name: string; readonly authority: string; readonly days?: number; readonly ip?: string }) => void;
  readonly read: (file: string) => Buffer;
  /** What a member with this certificate shows and asks for; `memberOf` reads the certificate's name, and `idOf` whose it is. */
  readonly security: (file: string, authority: string, idOf?: (name: string) => string | null) => PeerSecurity;
};

export function certificatesIn(dir: string): Certificates {
  const openssl = (...args: readonly string[]): void => void execFileSync('openssl', [...args], { cwd: dir, stdio: 'ignore' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const read = (file: string): Buffer => readFileSync(join(dir, file));
  return {
    read,
    authority: (name) => openssl('req', '-x509', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`, '-days', '2'),
    member: (file, { name, authority, days = 1, ip = '127.0.0.1' }) => {
      writeFileSync(join(dir, `${file}.ext`), `subjectAltName=IP:${ip}\n`);
      openssl('req', '-new', ...newKey, '-keyout', `${file}.key`, '-out', `${file}.csr`, '-subj', `/CN=${name}`);
      // NOTE: a negative number of days is refused by OpenSSL 3.5, so the dates of one that is over are given.
      const dates = days < 0 ? ['-startdate', '20200101000000Z', '-enddate', '20200102000000Z'] : ['-days', String(days)];
      writeFileSync(join(dir, 'ca.cnf'), '[ca]\ndefault_ca = one\n[one]\ndatabase = index\nunique_subject = no\nnew_certs_dir = .\nserial = serial\ndefault_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n');
      if (!existsSync(join(dir, 'index'))) writeFileSync(join(dir, 'index'), '');
      openssl('ca', '-batch', '-notext', '-config', 'ca.cnf', '-create_serial', '-cert', `${authority}.pem`, '-keyfile', `${authority}.key`, '-in', `${file}.csr`, '-out', `${file}.pem`, '-extfile', `${file}.ext`, ...dates);
    },
    security: (file, authority, idOf = (name) => name) => {
      const own = { cert: read(`${file}.pem`), key: read(`${file}.key`), ca: read(`${authority}.pem`) };
      return { server: own, client: own, memberOf: (socket) => idOf(String(socket.getPeerCertificate().subject?.CN ?? '')) };
    },
  };
}
