// The data and the writes that are measured: strings of 473 bytes on average under keys of 11 bytes, the same every
// time. The bytes are noise, so that the source's compression finds nothing in them.
import { createHash } from 'node:crypto';
import * as net from 'node:net';

export interface Place {
  readonly host: string;
  readonly port: number;
}

const NOISE_BYTES = 1 << 20;
const SHORTEST_VALUE = 423;
const LENGTHS = 101;
const COMMANDS_A_WRITE = 500;
const LF = 10;

const noise = makeNoise();

function makeNoise(): string {
  let text = '';
  for (let i = 0; text.length < NOISE_BYTES; i++) text += createHash('sha512').update(String(i)).digest('base64');
  return text;
}

/** `SET k:000000042 <473 bytes>` as RESP; `round` changes the value under the same key. */
function setCommand(index: number, round: number): string {
  const length = SHORTEST_VALUE + ((index * 7919 + round) % LENGTHS);
  const from = (index * 104_729 + round * 31) % (NOISE_BYTES - SHORTEST_VALUE - LENGTHS);
  const key = `k:${String(index).padStart(9, '0')}`;
  return `*3\r\n$3\r\nSET\r\n$11\r\n${key}\r\n$${length}\r\n${noise.slice(from, from + length)}\r\n`;
}

export interface WriteOrder {
  /** How many SETs in all. */
  readonly commands: number;
  /** Keys 0 to keyspace - 1, in a fixed mixed order. */
  readonly keyspace: number;
  /** SETs a second; null for as fast as the server takes them. */
  readonly rate: number | null;
  readonly round?: number;
}

/** Writes over one pipelined connection; resolves with the seconds until the last reply. */
export function write({ host, port }: Place, order: WriteOrder): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, host);
    const startedAt = performance.now();
    let sent = 0;
    let answered = 0;
    const send = (): void => {
      while (sent < order.commands) {
        const allowed =
          order.rate === null
            ? order.commands
            : Math.min(order.commands, ((performance.now() - startedAt) / 1000) * order.rate);
        const until = Math.min(allowed, sent + COMMANDS_A_WRITE, answered + 40 * COMMANDS_A_WRITE);
        if (sent >= until) break;
        let text = '';
        for (; sent < until; sent++) text += setCommand((sent * 7) % order.keyspace, order.round ?? 0);
        if (!socket.write(text, 'latin1')) break;
      }
    };
    const pace = setInterval(send, 2);
    socket.on('drain', send);
    socket.on('data', (replies) => {
      for (const byte of replies) if (byte === LF) answered++;
      if (answered < order.commands) {
        if (order.rate === null) send();
        return;
      }
      clearInterval(pace);
      socket.destroy();
      resolve((performance.now() - startedAt) / 1000);
    });
    socket.on('error', (error) => {
      clearInterval(pace);
      reject(error);
    });
    send();
  });
}

/** Puts keys 0 to `keys` - 1 there, each once. */
export function fill(place: Place, keys: number): Promise<number> {
  // 7 shares no factor with the usual sizes, so that the mixed order meets every key.
  return write(place, { commands: keys, keyspace: keys, rate: null });
}
