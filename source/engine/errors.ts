// The one family of errors redferry throws on purpose: a stable code, whether trying again can help, and a message that
// says what, where, which number, and what to do.

/** Exit codes of the command line (design, section 6). */
export const EXIT = {
  completed: 0,
  failed: 1,
  usage: 2,
  conflict: 3,
  different: 4,
  preflight: 5,
  refusals: 6,
  interrupted: 130,
  terminated: 143,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface FerryErrorOptions {
  readonly code: string;
  /** true when the same attempt may succeed later without anybody's help. */
  readonly retriable?: boolean;
  readonly shard?: string;
  readonly cause?: unknown;
  /** How the program should end when this error ends it. */
  readonly exitCode?: ExitCode;
}

/** An error with a message for the person at the screen. */
export class FerryError extends Error {
  override readonly name = 'FerryError';
  readonly code: string;
  readonly retriable: boolean;
  readonly shard: string | null;
  readonly exitCode: ExitCode;

  constructor(message: string, options: FerryErrorOptions) {
    super(message, { cause: options.cause });
    this.code = options.code;
    this.retriable = options.retriable ?? false;
    this.shard = options.shard ?? null;
    this.exitCode = options.exitCode ?? EXIT.failed;
  }
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Whatever was thrown, as one of ours: what nobody threw on purpose is a defect of redferry's own. */
export function toFerryError(thrown: unknown): FerryError {
  return thrown instanceof FerryError ? thrown : new FerryError(messageOf(thrown), { code: 'internal', cause: thrown });
}
