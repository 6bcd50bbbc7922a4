// What goes over the local socket of a run: one JSON object a line, each with the version of this protocol. The server
// says hello first; then the client asks, and each question is answered under its number. Pictures that a subscriber gets
// without asking have the number null. Offsets are JSON numbers, exact up to 2^53.
//
//   server  {"v":1,"type":"hello","release":"0.1.0","run":"20261121-031500-ab12","pid":4711}
//   client  {"v":1,"id":1,"type":"snapshot"}
//   client  {"v":1,"id":2,"type":"subscribe"}
//   client  {"v":1,"id":3,"type":"dispatch","client":"ctl","confirmed":"no","command":{"type":"pause","shards":[2]}}
//   server  {"v":1,"id":1,"type":"snapshot","snapshot":{...}}
//   server  {"v":1,"id":3,"type":"outcome","outcome":{"accepted":true,"message":"..."}}
//   server  {"v":1,"id":9,"type":"error","message":"..."}
import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import type { CommandOutcome, EngineCommand } from '../engine/contract/command.ts';
import type { EngineSnapshot } from '../engine/contract/engine-snapshot.ts';
import type { Confirmation } from '../engine/contract/order.ts';

/** Grows when a program of one version could misread a line of the other. */
export const PROTOCOL_VERSION = 1;

/** The release of this program; what a picture holds may differ between releases. */
export const RELEASE: string = packageJson.version;

/** A question is short; whoever sends more in one line does not speak this protocol. */
export const LONGEST_REQUEST_CHARACTERS = 64 * 1024;

/** Many shards with five minutes of history each and 500 notices are a few megabytes. */
export const LONGEST_ANSWER_CHARACTERS = 256 * 1024 * 1024;

const number = z.int().min(0);
/** What the person has answered, see engine/run/confirmation.ts. */
const confirmed = z.union([z.enum(['no', 'yes']), z.strictObject({ target: z.string().max(1000) })]).default('no');
export type RemoteConfirmation = Exclude<Confirmation, 'self'>;

export const requestSchema = z.discriminatedUnion('type', [
  z.object({ v: z.literal(PROTOCOL_VERSION), id: number, type: z.literal('snapshot') }),
  z.object({ v: z.literal(PROTOCOL_VERSION), id: number, type: z.literal('subscribe') }),
  z.object({
    v: z.literal(PROTOCOL_VERSION),
    id: number,
    type: z.literal('dispatch'),
    /** Who asks, for the audit log; the socket's rights are what is checked, not this. */
    client: z.string().max(100).default(''),
    confirmed,
    command: z.unknown(),
  }),
]);
export type Request = z.infer<typeof requestSchema>;

/** A question as a client writes it. */
export type RequestBody =
  | { readonly type: 'snapshot' }
  | { readonly type: 'subscribe' }
  | {
      readonly type: 'dispatch';
      readonly client: string;
      readonly confirmed: RemoteConfirmation;
      readonly command: EngineCommand;
    };

const snapshot = z.custom<EngineSnapshot>(
  (value) => typeof value === 'object' && value !== null && 'shards' in value && Array.isArray(value.shards),
);
const recopied = z.object({ rewritten: number, removed: number, failed: number });
const outcome = z.object({
  accepted: z.boolean(),
  message: z.string(),
  needs: z.enum(['none', 'yes', 'target']).exactOptional(),
  change: z.object({ from: z.string(), to: z.string() }).exactOptional(),
  recopied: recopied.exactOptional(),
}) satisfies z.ZodType<CommandOutcome>;

/** The server is a process of the same person: what is in a picture is taken as it is, since the release is compared. */
export const answerSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), release: z.string(), run: z.string(), pid: z.int() }),
  z.object({ type: z.literal('snapshot'), id: number.nullable(), snapshot }),
  z.object({ type: z.literal('outcome'), id: number, outcome }),
  z.object({ type: z.literal('error'), id: number.nullable(), message: z.string() }),
]);
export type Answer = z.infer<typeof answerSchema>;
export type Hello = Extract<Answer, { readonly type: 'hello' }>;

/** One line, its end included. */
export function lineOf(body: Answer | ({ readonly id: number } & RequestBody)): string {
  return `${JSON.stringify({ v: PROTOCOL_VERSION, ...body })}\n`;
}

/** The number of a pictures' question, put around a picture that was written as JSON before. */
export function snapshotLine(id: number | null, snapshotJson: string): string {
  return `{"v":${PROTOCOL_VERSION},"type":"snapshot","id":${id},"snapshot":${snapshotJson}}\n`;
}

/** What a line says, and the protocol version it names; undefined for what is not JSON. */
export function parseLine(line: string): { readonly version: unknown; readonly value: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const version = typeof value === 'object' && value !== null && 'v' in value ? value.v : undefined;
    return { version, value };
  } catch {
    return undefined;
  }
}
