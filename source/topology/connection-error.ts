// Turns what a socket or a server says when a connection does not come about into one sentence that names the address
// and what to do. Never passes on the thrown error of an AUTH: the client library keeps the password in it.
import { FerryError, messageOf } from '../engine/errors.ts';
import { formatAddress, type NodeAddress } from './endpoint.ts';

interface Explanation {
  /** The server's or the system's words that this row knows. */
  readonly pattern: RegExp;
  readonly code: 'unreachable' | 'timeout' | 'auth' | 'tls' | 'permission' | 'protected-mode';
  readonly retriable: boolean;
  /** Follows the address. */
  readonly sentence: string;
}

/** First match wins. */
const EXPLANATIONS: readonly Explanation[] = [
  {
    pattern: /ECONNREFUSED/,
    code: 'unreachable',
    retriable: true,
    sentence: 'refused the connection: check that the server runs and that the port is right',
  },
  {
    pattern: /ENOTFOUND/,
    code: 'unreachable',
    retriable: false,
    sentence: 'has a host name that is not known here: check its spelling, or give an IP address',
  },
  {
    pattern: /EAI_AGAIN/,
    code: 'unreachable',
    retriable: true,
    sentence: 'has a host name that the name server could not look up just now: check the network and its DNS',
  },
  {
    // A Redis port without TLS takes the greeting for half a command and waits for the rest.
    pattern: /TLS ETIMEDOUT/,
    code: 'tls',
    retriable: true,
    sentence:
      'did not answer in TLS in time: check that this is its TLS port (without TLS it is redis://), the route and the firewall',
  },
  {
    pattern: /ETIMEDOUT|Command timed out/i,
    code: 'timeout',
    retriable: true,
    sentence:
      'did not answer in time: check the address, the route and the firewall (connectTimeoutMs sets how long to wait)',
  },
  {
    pattern: /EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL/,
    code: 'unreachable',
    retriable: true,
    sentence: 'cannot be reached from here: there is no route to it; check the address, or set addressMap',
  },
  {
    pattern: /WRONGPASS|invalid password|invalid username-password/i,
    code: 'auth',
    retriable: false,
    sentence:
      'does not accept the user name or password: check username and password in the configuration or behind --source-password-env and --target-password-env',
  },
  {
    pattern: /wrong number of arguments for 'auth'/i,
    code: 'auth',
    retriable: false,
    sentence: 'knows passwords but no user names (it is older than Redis 6): leave username out',
  },
  {
    pattern: /NOAUTH/,
    code: 'auth',
    retriable: false,
    sentence:
      'asks for a password and none was given: set password in the configuration, or give --source-password-env or --target-password-env',
  },
  {
    pattern: /NOPERM/,
    code: 'permission',
    retriable: false,
    sentence: 'does not let this user do what is needed',
  },
  {
    pattern: /DENIED|protected mode/i,
    code: 'protected-mode',
    retriable: false,
    sentence:
      'runs in protected mode and takes connections from its own machine only: set a password on it, or protected-mode no in a closed network',
  },
  {
    pattern: /max number of clients/i,
    code: 'unreachable',
    retriable: true,
    sentence: 'has reached its maxclients: close other clients or raise the limit',
  },
  {
    pattern: /wrong version number|packet length too long|EPROTO/i,
    code: 'tls',
    retriable: false,
    sentence: 'does not speak TLS on this port: write redis:// instead of rediss://, or give its TLS port',
  },
  {
    pattern: /ERR_TLS_CERT_ALTNAME_INVALID|altnames/i,
    code: 'tls',
    retriable: false,
    sentence: 'shows a certificate for another name: set tls.serverName to the name in the certificate',
  },
  {
    pattern: /self.signed|unable to (verify|get)|CERT_|certificate has expired|UNABLE_TO/i,
    code: 'tls',
    retriable: false,
    sentence: 'shows a certificate that cannot be verified: set tls.caFile to the authority that issued it',
  },
  {
    pattern: /certificate required|handshake failure|bad certificate/i,
    code: 'tls',
    retriable: false,
    sentence: 'wants a client certificate: set tls.certFile and tls.keyFile',
  },
  {
    // Another service (HTTP, SSH) whose first byte is no type of RESP; the library's words ask to report a bug.
    pattern: /Unknown RESP type|Protocol error/i,
    code: 'unreachable',
    retriable: false,
    sentence: 'answers, but not as a Redis or Valkey does: check the host and the port',
  },
  {
    pattern: /Connection is closed|ECONNRESET|EPIPE|socket hang up|closed/i,
    code: 'unreachable',
    retriable: true,
    sentence:
      'closed the connection without a word: check that it is a Redis or Valkey port and whether it wants TLS (rediss://)',
  },
];

/** The error for a connection to `address` that failed with `thrown`; `doing` is said where a permission is missing. */
export function connectionError(thrown: unknown, address: NodeAddress, doing: string | null = null): FerryError {
  if (thrown instanceof FerryError) return thrown;
  const words = wordsOf(thrown);
  const known = EXPLANATIONS.find(({ pattern }) => pattern.test(words));
  const place = formatAddress(address);
  if (known === undefined) {
    return new FerryError(`${place} could not be asked${doing === null ? '' : ` (${doing})`}: ${messageOf(thrown)}.`, {
      code: 'unreachable',
      retriable: true,
    });
  }
  const what = known.code === 'permission' ? permissionDetail(messageOf(thrown), doing) : '';
  return new FerryError(`${place} ${known.sentence}${what}.`, { code: known.code, retriable: known.retriable });
}

/** Message and system code together; several attempts (IPv4 and IPv6) come as one AggregateError. */
function wordsOf(thrown: unknown): string {
  const parts = [messageOf(thrown)];
  if (thrown instanceof Error && 'code' in thrown) parts.push(String(thrown.code));
  if (thrown instanceof AggregateError) for (const each of thrown.errors) parts.push(wordsOf(each));
  return parts.join(' ');
}

function permissionDetail(message: string, doing: string | null): string {
  const command = /'([^']+)' command/.exec(message)?.[1];
  if (command !== undefined) return ` (${command}): grant it with ACL SETUSER name +${command}`;
  return doing === null ? `: ${message}` : ` (${doing}): ${message}`;
}
